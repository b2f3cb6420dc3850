// The order of the sum of a block.
#pragma once

#include "autodiff/kernels/simd/map.hpp"

namespace xgrad::kernels {
namespace {

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
XGRAD_INLINE T sum_of(Batch<T>* sums) {
  return combine(sums, [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; });
}

}  // namespace
}  // namespace xgrad::kernels
