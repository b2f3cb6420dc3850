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
      sums[v] = sums[v] + load_part(x + i + v * width<T>, k);
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
  if (i + width<T> <= n) {
    const Batch<T> u = load(x + i);
    best = f(best, u);
    ordered = ordered & (u == u);
    i += width<T>;
  }
  if (i < n) {
    const Batch<T> u = pick(before_lane<T>(n - i), load_part(x + i, n - i), neutral);
    best = f(best, u);
    ordered = ordered & (u == u);
  }
  *y = xsimd::all(ordered) ? reduce_lanes(f(best, other), f) : not_a_number<T>;
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
