// Reductions of floats.
#include "autodiff/kernels/simd/sums.hpp"

namespace xgrad::kernels {
namespace {

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
  *y = sum_of(sums);
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

template <class T>
void set_folds(Table& t, DType dtype) {
  t.fold[static_cast<int>(Reduction::sum)][static_cast<int>(dtype)] = fold_sum<T>;
  t.fold[static_cast<int>(Reduction::greatest)][static_cast<int>(dtype)] = fold_extreme<T, true>;
  t.fold[static_cast<int>(Reduction::least)][static_cast<int>(dtype)] = fold_extreme<T, false>;
}

}  // namespace

namespace XGRAD_ARCH {

void fill_folds(Simd& all) {
  set_folds<float>(all.table, DType::f32);
  set_folds<double>(all.table, DType::f64);
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
