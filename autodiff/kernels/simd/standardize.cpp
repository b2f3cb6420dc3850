// Rows less their mean and divided by their spread, and the cotangents of that (rows.hpp). A row stays in the first cache
// while it is passed over.
#include <cmath>

#include "autodiff/kernels/rows.hpp"
#include "autodiff/kernels/simd/map.hpp"

namespace xgrad::kernels {
namespace {

template <class T>
using Wide = std::conditional_t<sizeof(T) == 4, double, long double>;

constexpr Size at_once = 4,
               longest = 4096;  // vectors that are added up side by side; numbers, before the sum is a wide one

// The first k lanes, or all; 0 in the others.
template <class T>
XGRAD_INLINE Batch<T> first_lanes(const Batch<T>& x, Size k) {
  if (k >= width<T>) [[likely]]
    return x;
  return pick(before_lane<T>(k), x, Batch<T>(T(0)));
}

// Adds to total[0] and total[1] what add(i, k, a, b) adds to a and b of the vector at i, of which k numbers are there.
template <class T, class Add>
XGRAD_INLINE void add_up(Size n, Wide<T> (&total)[2], const Add& add) {
  const auto plus = [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; };
  for (Size from = 0; from < n; from += longest) {
    const Size end = n - from < longest ? n : from + longest;
    Batch<T> a[at_once], b[at_once];
    for (Size v = 0; v < at_once; ++v) a[v] = b[v] = Batch<T>(T(0));
    Size i = from;
    for (; i + at_once * width<T> <= end; i += at_once * width<T>)
      for (Size v = 0; v < at_once; ++v) add(i + v * width<T>, width<T>, a[v], b[v]);
    for (; i < end; i += width<T>) add(i, end - i, a[0], b[0]);
    total[0] += static_cast<Wide<T>>(reduce_lanes((a[0] + a[1]) + (a[2] + a[3]), plus));
    total[1] += static_cast<Wide<T>>(reduce_lanes((b[0] + b[1]) + (b[2] + b[3]), plus));
  }
}

// z = (x - near) scale + shift. `near` is a number near the mean, which is near + rest, so that of numbers that are far from 0
// and close together no digits are lost but those that they lack; shift = - rest scale.
template <class T>
struct Spread {
  Batch<T> near, scale, shift;

  Spread(const T* x, const Standard& s) {
    const Size n = s.columns;
    const Wide<T> count = static_cast<Wide<T>>(n);
    T base = s.centred ? mean_of_first(x, n) : T(0);
    Wide<T> rest = 0, variance = 0;
    const auto measure = [&] {
      Wide<T> sums[2] = {0, 0};
      const Batch<T> from(base);
      add_up<T>(n, sums, [&](Size i, Size k, Batch<T>& a, Batch<T>& b) XGRAD_LAMBDA {
        const Batch<T> d = first_lanes(load_some(x + i, k) - from, k);
        a = a + d, b = madd(d, d, b);
      });
      rest = s.centred ? sums[0] / count : 0;
      variance = sums[1] / count - rest * rest;
    };
    measure();
    if (!(rest * rest <= variance)) {  // the first numbers are unlike the others: more than a deviation from the mean
      base = static_cast<T>(base + rest);
      measure();
      if (variance < 0) variance = 0;
    }
    const T factor = static_cast<T>(1 / std::sqrt(variance + static_cast<Wide<T>>(s.eps)));
    near = Batch<T>(base), scale = Batch<T>(factor), shift = Batch<T>(-static_cast<T>(rest) * factor);
  }
  XGRAD_INLINE Batch<T> of(const Batch<T>& x) const { return madd(x - near, scale, shift); }

 private:
  static T mean_of_first(const T* x, Size n) {
    const Size k = n < width<T> ? n : width<T>;
    return reduce_lanes(load_some(x, k), [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; }) /
           static_cast<T>(k);
  }
};

template <class T>
void standardize(const Standard& s, void* to, const void* from, const void* weight, const void* bias, Size rows) {
  const Size n = s.columns;
  const T *x = static_cast<const T*>(from), *w = static_cast<const T*>(weight), *b = static_cast<const T*>(bias);
  T* out = static_cast<T*>(to);
  for (Size r = 0; r < rows; ++r, x += n, out += n) {
    const Spread<T> row(x, s);
    const auto z = [&](Size i, Size k) XGRAD_LAMBDA { return row.of(load_some(x + i, k)); };
    if (w && b)
      map_light(out, n,
                [&](Size i, Size k) XGRAD_LAMBDA { return madd(z(i, k), load_some(w + i, k), load_some(b + i, k)); });
    else if (w) map_light(out, n, [&](Size i, Size k) XGRAD_LAMBDA { return z(i, k) * load_some(w + i, k); });
    else if (b) map_light(out, n, [&](Size i, Size k) XGRAD_LAMBDA { return z(i, k) + load_some(b + i, k); });
    else map_light(out, n, z);
  }
}

// The sums over a row of v and of v z; and g z and g, added to those of the columns.
template <class T, class V, class Use>
XGRAD_INLINE void row_sums(Size n, Wide<T> (&sums)[2], const V& v, const Use& use) {
  sums[0] = sums[1] = 0;
  add_up<T>(n, sums, [&](Size i, Size k, Batch<T>& a, Batch<T>& b) XGRAD_LAMBDA {
    const Batch<T> z = use(i, k), vi = first_lanes(v(i, k), k);
    a = a + vi, b = madd(vi, first_lanes(z, k), b);
  });
}

template <class T, bool weighted>
void vjp(const Standard& s, const Cotangents& to, const T* g, const T* x, const T* w, Size rows) {
  const Size n = s.columns;
  T *gx = static_cast<T*>(to.x), *gw = static_cast<T*>(to.weight), *gb = static_cast<T*>(to.bias);
  if (gw) fill(gw, Batch<T>(T(0)), n);
  if (gb) fill(gb, Batch<T>(T(0)), n);
  for (Size r = 0; r < rows; ++r, x += n, g += n) {
    const Spread<T> row(x, s);
    const auto v = [&](Size i, Size k) XGRAD_LAMBDA {
      if constexpr (weighted) return load_some(g + i, k) * load_some(w + i, k);
      else return load_some(g + i, k);
    };
    const auto z = [&](Size i, Size k) XGRAD_LAMBDA { return row.of(load_some(x + i, k)); };
    const auto of_weight = [&](Size i, Size k) XGRAD_LAMBDA {
      const Batch<T> zi = z(i, k);
      store_some(gw + i, madd(load_some(g + i, k), zi, load_some(gw + i, k)), k);
      return zi;
    };
    const auto of_bias = [&](Size i, Size k)
                             XGRAD_LAMBDA { store_some(gb + i, load_some(gb + i, k) + load_some(g + i, k), k); };
    const auto of_both = [&](Size i, Size k) XGRAD_LAMBDA {
      of_bias(i, k);
      return of_weight(i, k);
    };
    Wide<T> sums[2];
    if (gw && gb) row_sums<T>(n, sums, v, of_both);
    else if (gw) row_sums<T>(n, sums, v, of_weight);
    else row_sums<T>(n, sums, v, z);
    if (gb && !gw)
      for (Size i = 0; i < n; i += width<T>) of_bias(i, n - i);
    if (!gx) continue;
    // (v - mean v - z mean(v z)) scale, with z written out
    const Wide<T> count = static_cast<Wide<T>>(n), of_z = sums[1] / count;
    const Batch<T> of_x(static_cast<T>(-of_z * row.scale.get(0)));
    const Batch<T> rest(static_cast<T>((s.centred ? sums[0] / count : 0) + of_z * row.shift.get(0)));
    map_light(gx, n, [&](Size i, Size k) XGRAD_LAMBDA {
      return madd(load_some(x + i, k) - row.near, of_x, v(i, k) - rest) * row.scale;
    });
    gx += n;
  }
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
