#include "autodiff/kernels/scalar.hpp"

#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/special_functions/polygamma.hpp>
#include <cmath>
#include <limits>

namespace xgrad::kernels {

namespace {

using namespace boost::math::policies;
using NoErrors = policy<domain_error<ignore_error>, pole_error<ignore_error>, overflow_error<ignore_error>,
                        evaluation_error<ignore_error>, rounding_error<ignore_error>, underflow_error<ignore_error>>;
constexpr double infinity = std::numeric_limits<double>::infinity(),
                 not_a_number = std::numeric_limits<double>::quiet_NaN();

bool is_pole(double x) { return x <= 0 && x == std::floor(x); }

}  // namespace

double scalar_lgamma(double x) {
  if (std::isnan(x)) return x;
  if (std::isinf(x) || is_pole(x)) return infinity;
  return boost::math::lgamma(x, NoErrors());
}

double scalar_digamma(double x) {
  if (std::isnan(x) || x == infinity) return x;
  if (x == 0) return std::copysign(infinity, -x);
  if (is_pole(x)) return not_a_number;  // -infinity among them
  return boost::math::digamma(x, NoErrors());
}

double scalar_polygamma(double n, double x) {
  if (std::isnan(x) || !(n >= 0 && n <= 1000) || n != std::floor(n)) return not_a_number;
  if (n == 0) return scalar_digamma(x);
  const bool odd = std::fmod(n, 2) == 1;
  if (x == infinity) return odd ? 0 : -0.0;
  if (is_pole(x))
    return x == -infinity ? not_a_number : odd ? infinity : x == 0 ? std::copysign(infinity, -x) : not_a_number;
  return boost::math::polygamma(static_cast<int>(n), x, NoErrors());
}

}  // namespace xgrad::kernels
