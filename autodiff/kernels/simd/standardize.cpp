// Rows less their mean and divided by their spread, and the cotangents of that (rows.hpp). A row stays in the first cache
// while it is passed over.
#include <cmath>

#include "autodiff/kernels/rows.hpp"
#include "autodiff/kernels/simd/sums.hpp"

namespace xgrad::kernels {
namespace {

template <class T>
using Wide = std::conditional_t<sizeof(T) == 4, double, long double>;

// Sums over a row of what at(i, k, zero, sums) adds for the vector at i, of which k numbers are there; chunk by chunk.
template <class T, int count, class At>
XGRAD_INLINE void sums_of_row(Size n, Wide<T> (&total)[count], const At& at) {
  constexpr int lanes = static_cast<int>(side_by_side<T> / width<T>);
  for (int s = 0; s < count; ++s) total[s] = 0;
  for (Size from = 0; from < n; from += chunk) {
    const Size end = n - from < chunk ? n : from + chunk;
    Batch<T> sums[count][lanes];
    for (auto& of : sums)
      for (auto& sum : of) sum = Batch<T>(T(0));
    Size i = from;
    for (; i + side_by_side<T> <= end; i += side_by_side<T>)
      for (int v = 0; v < lanes; ++v) {
        Batch<T> terms[count];
        at(i + v * width<T>, width<T>, terms);
        for (int s = 0; s < count; ++s) sums[s][v] = sums[s][v] + terms[s];
      }
    for (int v = 0; i < end; i += width<T>, ++v) {
      Batch<T> terms[count];
      at(i, end - i, terms);
      for (int s = 0; s < count; ++s) sums[s][v] = sums[s][v] + terms[s];
    }
    for (int s = 0; s < count; ++s) total[s] += static_cast<Wide<T>>(sum_of<T>(sums[s]));
  }
}

// The first k lanes, or all; 0 in the others.
template <class T>
XGRAD_INLINE Batch<T> first_lanes(const Batch<T>& x, Size k) {
  if (k >= width<T>) [[likely]] return x;
  alignas(64) T lanes[width<T>];
  x.store_aligned(lanes);
  for (Size i = k; i < width<T>; ++i) lanes[i] = T(0);
  return Batch<T>::load_aligned(lanes);
}

// z = ((x - mean) - rest) scale: the mean is rounded, and `rest` is the mean of what is left of it. So of numbers that
// are far from 0 and near each other no digits are lost but those that they lack.
template <class T>
struct Spread {
  Batch<T> mean = Batch<T>(T(0)), rest = Batch<T>(T(0)), scale;

  Spread(const T* x, const Standard& s) {
    const Wide<T> n = static_cast<Wide<T>>(s.columns);
    Wide<T> variance;
    if (s.centred) {
      Wide<T> sum[1], powers[2];
      sums_of_row<T>(s.columns, sum, [&](Size i, Size k, Batch<T>(&terms)[1]) XGRAD_LAMBDA { terms[0] = load_some(x + i, k); });
      mean = Batch<T>(static_cast<T>(sum[0] / n));
      sums_of_row<T>(s.columns, powers, [&](Size i, Size k, Batch<T>(&terms)[2]) XGRAD_LAMBDA {
        const Batch<T> d = first_lanes(load_some(x + i, k) - mean, k);
        terms[0] = d, terms[1] = d * d;
      });
      rest = Batch<T>(static_cast<T>(powers[0] / n));
      variance = powers[1] / n - powers[0] / n * (powers[0] / n);
      if (variance < 0) variance = 0;
    } else {
      Wide<T> squares[1];
      sums_of_row<T>(s.columns, squares, [&](Size i, Size k, Batch<T>(&terms)[1]) XGRAD_LAMBDA {
        const Batch<T> v = load_some(x + i, k);
        terms[0] = v * v;
      });
      variance = squares[0] / n;
    }
    scale = Batch<T>(static_cast<T>(1 / std::sqrt(variance + static_cast<Wide<T>>(s.eps))));
  }
  XGRAD_INLINE Batch<T> of(const Batch<T>& x) const { return ((x - mean) - rest) * scale; }
};

template <class T>
void standardize(const Standard& s, void* to, const void* from, const void* weight, const void* bias, Size rows) {
  const Size n = s.columns;
  const T *x = static_cast<const T*>(from), *w = static_cast<const T*>(weight), *b = static_cast<const T*>(bias);
  T* out = static_cast<T*>(to);
  for (Size r = 0; r < rows; ++r, x += n, out += n) {
    const Spread<T> row(x, s);
    const auto z = [&](Size i, Size k) XGRAD_LAMBDA { return row.of(load_some(x + i, k)); };
    if (w && b) map_light(out, n, [&](Size i, Size k) XGRAD_LAMBDA { return z(i, k) * load_some(w + i, k) + load_some(b + i, k); });
    else if (w) map_light(out, n, [&](Size i, Size k) XGRAD_LAMBDA { return z(i, k) * load_some(w + i, k); });
    else if (b) map_light(out, n, [&](Size i, Size k) XGRAD_LAMBDA { return z(i, k) + load_some(b + i, k); });
    else map_light(out, n, z);
  }
}

template <class T, bool weighted>
void vjp(const Standard& s, const Cotangents& to, const T* g, const T* x, const T* w, Size rows) {
  const Size n = s.columns;
  T *gx = static_cast<T*>(to.x), *gw = static_cast<T*>(to.weight), *gb = static_cast<T*>(to.bias);
  if (gw) fill(gw, Batch<T>(T(0)), n);
  if (gb) fill(gb, Batch<T>(T(0)), n);
  const auto run = [&]<bool of_x, bool of_weight, bool of_bias>() XGRAD_LAMBDA {
    for (Size r = 0; r < rows; ++r, x += n, g += n) {
      const Spread<T> row(x, s);
      const auto v = [&](Size i, Size k) XGRAD_LAMBDA {
        if constexpr (weighted) return load_some(g + i, k) * load_some(w + i, k);
        else return load_some(g + i, k);
      };
      Wide<T> sums[2];
      sums_of_row<T>(n, sums, [&](Size i, Size k, Batch<T>(&terms)[2]) XGRAD_LAMBDA {
        const Batch<T> gi = load_some(g + i, k), z = row.of(load_some(x + i, k));
        if constexpr (of_weight) store_some(gw + i, load_some(gw + i, k) + gi * z, k);
        if constexpr (of_bias) store_some(gb + i, load_some(gb + i, k) + gi, k);
        terms[0] = first_lanes(v(i, k), k);
        terms[1] = first_lanes(v(i, k) * z, k);
      });
      if constexpr (of_x) {
        const Wide<T> count = static_cast<Wide<T>>(n);
        const Batch<T> mean_v(static_cast<T>(s.centred ? sums[0] / count : 0)), mean_vz(static_cast<T>(sums[1] / count));
        map_light(gx, n, [&](Size i, Size k) XGRAD_LAMBDA {
          return ((v(i, k) - mean_v) - row.of(load_some(x + i, k)) * mean_vz) * row.scale;
        });
        gx += n;
      }
    }
  };
  if (gx && gw && gb) run.template operator()<true, true, true>();
  else if (gx && gw) run.template operator()<true, true, false>();
  else if (gx && gb) run.template operator()<true, false, true>();
  else if (gx) run.template operator()<true, false, false>();
  else if (gw && gb) run.template operator()<false, true, true>();
  else if (gw) run.template operator()<false, true, false>();
  else if (gb) run.template operator()<false, false, true>();
}

template <class T>
void standardize_vjp(const Standard& s, const Cotangents& to, const void* g, const void* x, const void* w, Size rows) {
  if (w) vjp<T, true>(s, to, static_cast<const T*>(g), static_cast<const T*>(x), static_cast<const T*>(w), rows);
  else vjp<T, false>(s, to, static_cast<const T*>(g), static_cast<const T*>(x), nullptr, rows);
}

}  // namespace

namespace XGRAD_ARCH {

void fill_standardize(Simd& all) {
  all.standardize_rows[0] = standardize<float>;
  all.standardize_rows[1] = standardize<double>;
  all.standardize_vjp_rows[0] = standardize_vjp<float>;
  all.standardize_vjp_rows[1] = standardize_vjp<double>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
