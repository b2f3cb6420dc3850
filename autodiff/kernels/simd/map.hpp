// Loops over contiguous elements.
#pragma once

#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

// Operand k of n elements, or one value for all.
template <class T, bool uniform>
struct Operand {
  const T* x;
  Batch<T> value;
  explicit Operand(const void* from) : x(static_cast<const T*>(from)) {
    if constexpr (uniform) value = Batch<T>(*x);
  }
  XGRAD_INLINE Batch<T> at(Size i) const {
    if constexpr (uniform) return value;
    else return load(x + i);
  }
  XGRAD_INLINE Batch<T> part(Size i, Size k) const {
    if constexpr (uniform) return value;
    else return load_part(x + i, k);
  }
};

template <class T>
XGRAD_INLINE void fill(T* out, const Batch<T>& y, Size n) {
  Size i = 0;
  for (; i + width<T> <= n; i += width<T>) y.store_unaligned(out + i);
  if (i < n) store_part(out + i, y, n - i);
}

// One body for whole vectors and for the tail: f is compiled once, and a tail has the same bits.
template <class T, class F>
XGRAD_INLINE void map(T* out, Size n, const F& f) {
  for (Size i = 0; i < n; i += width<T>) {
    const Size k = n - i;
    const Batch<T> y = f(i, k);
    if (k >= width<T>) [[likely]] y.store_unaligned(out + i);
    else store_part(out + i, y, k);
  }
}

template <class F, class T, int mask>
void map_unary(void* out, const void* a, const void*, const void*, Size n) {
  const Operand<T, mask & 1> x(a);
  T* y = static_cast<T*>(out);
  if constexpr (mask & 1) fill(y, F::lane(x.value), n);
  else map(y, n, [&](Size i, Size k) XGRAD_LAMBDA {
    return F::lane(k >= width<T> ? x.at(i) : x.part(i, k));
  });
}

template <class F, class T, int mask>
void map_binary(void* out, const void* a, const void* b, const void*, Size n) {
  const Operand<T, mask & 1> x(a);
  const Operand<T, (mask & 2) != 0> y(b);
  T* z = static_cast<T*>(out);
  if constexpr ((mask & 3) == 3) fill(z, F::lane(x.value, y.value), n);
  else map(z, n, [&](Size i, Size k) XGRAD_LAMBDA {
    if (k >= width<T>) [[likely]] return F::lane(x.at(i), y.at(i));
    return F::lane(x.part(i, k), y.part(i, k));
  });
}

}  // namespace
}  // namespace xgrad::kernels
