// Float arithmetic: two ops in one pass, and reductions.
#include "autodiff/kernels/simd/map.hpp"

namespace xgrad::kernels {
namespace {

template <Inner inner, Outer outer, class T>
XGRAD_INLINE Batch<T> both(const Batch<T>& a, const Batch<T>& b, const Batch<T>& c) {
  const Batch<T> u = inner == Inner::add ? a + b : inner == Inner::sub ? a - b : a * b;
  return outer == Outer::add ? u + c : outer == Outer::sub ? u - c : outer == Outer::rsub ? c - u : u * c;
}

template <Inner inner, Outer outer, class T, int mask>
void map_fused(void* out, const void* a, const void* b, const void* c, Size n) {
  const Operand<T, (mask & 1) != 0> x(a);
  const Operand<T, (mask & 2) != 0> y(b);
  const Operand<T, (mask & 4) != 0> z(c);
  T* w = static_cast<T*>(out);
  if constexpr (mask == 7) fill(w, both<inner, outer, T>(x.value, y.value, z.value), n);
  else map_light(w, n, [&](Size i, Size k) XGRAD_LAMBDA {
    if (k >= width<T>) [[likely]] return both<inner, outer, T>(x.at(i), y.at(i), z.at(i));
    return both<inner, outer, T>(x.part(i, k), y.part(i, k), z.part(i, k));
  });
}

// 32 floats or 16 doubles side by side, whatever the width of a vector, then halved until one is left: the same bits on
// every instruction set.
template <class T>
inline constexpr Size side_by_side = 128 / sizeof(T);

template <class T, class F>
XGRAD_INLINE T combine(Batch<T>* sums, const F& f) {
  for (Size half = side_by_side<T> / width<T> / 2; half > 0; half /= 2)
    for (Size i = 0; i < half; ++i) sums[i] = f(sums[i], sums[i + half]);
  return reduce_lanes(sums[0], f);
}

template <class T>
void fold_sum(void* out, const void* from, Size n) {
  const T* x = static_cast<const T*>(from);
  T* y = static_cast<T*>(out);
  if (n == 1) {
    *y = *x;
    return;
  }
  constexpr Size vectors = side_by_side<T> / width<T>;
  Batch<T> sums[vectors];
  for (Size v = 0; v < vectors; ++v) sums[v] = Batch<T>(T(0));
  Size i = 0;
  for (; i + side_by_side<T> <= n; i += side_by_side<T>)
    for (Size v = 0; v < vectors; ++v) sums[v] = sums[v] + load(x + i + v * width<T>);
  for (Size v = 0; v < vectors; ++v) {
    const Size k = n - i - v * width<T>;
    if (k >= width<T>) {
      sums[v] = sums[v] + load(x + i + v * width<T>);
    } else if (k > 0) {
      alignas(64) T part[width<T>] = {};
      for (Size j = 0; j < k; ++j) part[j] = x[i + v * width<T> + j];
      sums[v] = sums[v] + Batch<T>::load_aligned(part);
    }
  }
  *y = combine(sums, [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; });
}

// The order does not matter. NaN, anywhere, is the result.
template <class T, bool greatest>
void fold_extreme(void* out, const void* from, Size n) {
  const T* x = static_cast<const T*>(from);
  T* y = static_cast<T*>(out);
  const auto f = [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return greatest ? upper(a, b) : lower(a, b); };
  const Batch<T> neutral(greatest ? -infinity<T> : infinity<T>);
  Batch<T> best = neutral, other = neutral;
  Mask<T> ordered = neutral == neutral;
  Size i = 0;
  for (; i + 2 * width<T> <= n; i += 2 * width<T>) {
    const Batch<T> u = load(x + i), v = load(x + i + width<T>);
    best = f(best, u);
    other = f(other, v);
    ordered = ordered & (u == u) & (v == v);
  }
  T last = greatest ? -infinity<T> : infinity<T>;
  bool right = true;
  if (i + width<T> <= n) {
    const Batch<T> u = load(x + i);
    best = f(best, u);
    ordered = ordered & (u == u);
    i += width<T>;
  }
  for (; i < n; ++i) {
    right = right && x[i] == x[i];
    last = greatest ? (x[i] > last ? x[i] : last) : (x[i] < last ? x[i] : last);
  }
  const T most = n < width<T> ? last : reduce_lanes(f(f(best, other), Batch<T>(last)), f);
  *y = right && xsimd::all(ordered) ? most : not_a_number<T>;
}

template <class T, Inner inner, Outer outer>
void set_fused(Kernel* k) {
  constexpr Kernel of[] = {map_fused<inner, outer, T, 0>, map_fused<inner, outer, T, 1>, map_fused<inner, outer, T, 2>,
                           map_fused<inner, outer, T, 3>, map_fused<inner, outer, T, 4>, map_fused<inner, outer, T, 5>,
                           map_fused<inner, outer, T, 6>, map_fused<inner, outer, T, 7>};
  for (int mask = 0; mask < mask_count; ++mask) k[mask] = of[mask];
}

template <Inner inner, Outer outer>
void set_fused(Table& t) {
  auto& k = t.fused[static_cast<int>(inner)][static_cast<int>(outer)];
  set_fused<float, inner, outer>(k[0]);
  set_fused<double, inner, outer>(k[1]);
}

template <Inner inner>
void set_fused(Table& t) {
  set_fused<inner, Outer::add>(t);
  set_fused<inner, Outer::sub>(t);
  set_fused<inner, Outer::rsub>(t);
  set_fused<inner, Outer::mul>(t);
}

template <class T>
void set_folds(Table& t, DType dtype) {
  t.fold[static_cast<int>(Reduction::sum)][static_cast<int>(dtype)] = fold_sum<T>;
  t.fold[static_cast<int>(Reduction::greatest)][static_cast<int>(dtype)] = fold_extreme<T, true>;
  t.fold[static_cast<int>(Reduction::least)][static_cast<int>(dtype)] = fold_extreme<T, false>;
}

}  // namespace

namespace XGRAD_ARCH {

void fill_arithmetic(Simd& all) {
  set_fused<Inner::add>(all.table);
  set_fused<Inner::sub>(all.table);
  set_fused<Inner::mul>(all.table);
  set_folds<float>(all.table, DType::f32);
  set_folds<double>(all.table, DType::f64);
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
