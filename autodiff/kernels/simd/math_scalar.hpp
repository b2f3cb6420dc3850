// lgamma, digamma, polygamma: lane by lane.
#pragma once

#include "autodiff/kernels/scalar.hpp"
#include "autodiff/kernels/simd/math_simple.hpp"

namespace xgrad::kernels {
namespace {

template <double (*f)(double), class T>
[[gnu::noinline]] Batch<T> lane_by_lane(const Batch<T>& x) {
  alignas(64) T v[width<T>];
  x.store_aligned(v);
  for (Size i = 0; i < width<T>; ++i) v[i] = static_cast<T>(f(static_cast<double>(v[i])));
  return Batch<T>::load_aligned(v);
}
template <double (*f)(double, double), class T>
[[gnu::noinline]] Batch<T> lane_by_lane(const Batch<T>& x, const Batch<T>& y) {
  alignas(64) T v[width<T>], w[width<T>];
  x.store_aligned(v);
  y.store_aligned(w);
  for (Size i = 0; i < width<T>; ++i) v[i] = static_cast<T>(f(static_cast<double>(v[i]), static_cast<double>(w[i])));
  return Batch<T>::load_aligned(v);
}

template <class T>
XGRAD_INLINE Batch<T> lgamma(const Batch<T>& x) {
  return lane_by_lane<scalar_lgamma>(x);
}
template <class T>
XGRAD_INLINE Batch<T> digamma(const Batch<T>& x) {
  return lane_by_lane<scalar_digamma>(x);
}
template <class T>
XGRAD_INLINE Batch<T> polygamma(const Batch<T>& n, const Batch<T>& x) {
  return lane_by_lane<scalar_polygamma>(nearbyint(n), x);
}

}  // namespace
}  // namespace xgrad::kernels
