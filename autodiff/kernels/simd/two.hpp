// Numbers as the sum of two, the second below the first's last place (Dekker 1971).
#pragma once

#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

template <class T>
struct Two {
  Batch<T> high, low;
};

template <class T>
XGRAD_INLINE Two<T> sum(const Batch<T>& a, const Batch<T>& b) {  // |a| >= |b|, or a = 0
  const Batch<T> s = a + b;
  return {s, b - (s - a)};
}

template <class T>
XGRAD_INLINE Two<T> sum_of_any(const Batch<T>& a, const Batch<T>& b) {
  const Batch<T> s = a + b, c = s - a;
  return {s, (a - (s - c)) + (b - c)};
}

template <class T>
XGRAD_INLINE Two<T> product(const Batch<T>& a, const Batch<T>& b) {
  const Batch<T> p = a * b;
  if constexpr (fused_madd) {
    return {p, madd(a, b, negate(p))};
  } else {
    const Batch<T> splitter(sizeof(T) == 4 ? T(4097.0) : T(134217729.0));  // 2^12 + 1, 2^27 + 1
    const Batch<T> ca = splitter * a, cb = splitter * b;
    const Batch<T> ah = ca - (ca - a), bh = cb - (cb - b), al = a - ah, bl = b - bh;
    return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
  }
}

template <class T>
XGRAD_INLINE Two<T> product(const Two<T>& a, const Two<T>& b) {
  const Two<T> p = product(a.high, b.high);
  return sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}

}  // namespace
}  // namespace xgrad::kernels
