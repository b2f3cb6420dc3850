#include "data/same_bits.hpp"

#include <cmath>

namespace xgrad::data {
namespace {

// c0 + c1 x + c2 x^2 + ...
template <class... C>
double series(double x, double c0, C... c) {
  if constexpr (sizeof...(c) == 0) return c0;
  else return series(x, c...) * x + c0;
}

}  // namespace

// x = 2^e (1 + f), sqrt(1/2) < 1 + f <= sqrt(2); with s = f / (2 + f):
//   e log 2 + f - (f^2 / 2 - s (f^2 / 2 + s^2 q(s^2))),  log 2 in two parts, a multiple of the first by any e exact
double same_log(double x) {
  int e;
  double m = std::frexp(x, &e);  // in [0.5, 1)
  if (m <= 0.70710678118654752) m *= 2, --e;
  constexpr double high = 0.69314718036912382, low = 1.9082149292705877e-10;
  const double f = m - 1, s = f / (2 + f), z = s * s, half = 0.5 * f * f;
  const double q = z * series(z, 0.66666666666667343, 0.3999999999941512, 0.28571428742303818, 0.2222219858080202,
                              0.18183563966880197, 0.1531405903129967, 0.14795870488962505);
  return e * high + (f - (half - (e * low + s * (half + q))));
}

// From the nearest eighth of a turn.
Point on_circle(double turns) {
  const double u = turns - std::floor(turns), k = std::floor(u * 4 + 0.5), r = u - k * 0.25, z = r * r;
  const double s = r * series(z, 6.2831853071795865, -41.34170224039976, 81.605249276074931, -76.705859752998152,
                              42.058693928993349, -15.094640404320097, 3.8197881401095163, -0.71163617379506665);
  const double c = series(z, 1.0, -19.739208802178717, 64.939394022667958, -85.456817206522788, 60.244641328881089,
                          -26.426250909917053, 7.9030917480216291, -1.6968505723225522);
  switch (static_cast<int>(k) % 4) {
    case 0: return {c, s};
    case 1: return {-s, c};
    case 2: return {-c, -s};
    default: return {s, -c};
  }
}

}  // namespace xgrad::data
