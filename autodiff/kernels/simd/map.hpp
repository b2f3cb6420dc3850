// Loops over contiguous elements.
#pragma once

#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

// The first k, or all.
template <class T>
XGRAD_INLINE Batch<T> load_some(const T* x, Size k) {
  if (k >= width<T>) [[likely]]
    return load(x);
  return load_part(x, k);
}
template <class T>
XGRAD_INLINE void store_some(T* out, const Batch<T>& x, Size k) {
  if (k >= width<T>) [[likely]]
    x.store_unaligned(out);
  else store_part(out, x, k);
}

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
    if (k >= width<T>) [[likely]]
      y.store_unaligned(out + i);
    else store_part(out + i, y, k);
  }
}

// The same for what is a few instructions: four vectors at a time, so that the loop does not cost more than they do.
template <class T, class F>
XGRAD_INLINE void map_light(T* out, Size n, const F& f) {
  constexpr Size w = width<T>;
  Size i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    const Batch<T> y[] = {f(i, w), f(i + w, w), f(i + 2 * w, w), f(i + 3 * w, w)};
    for (Size v = 0; v < 4; ++v) y[v].store_unaligned(out + i + v * w);
  }
  map(out + i, n - i, [&](Size k, Size left) XGRAD_LAMBDA { return f(i + k, left); });
}

template <class F>
inline constexpr bool is_light = false;

template <class F, class T, class Body>
XGRAD_INLINE void map_as(T* out, Size n, const Body& body) {
  if constexpr (is_light<F>) map_light(out, n, body);
  else map(out, n, body);
}

// Of operands that are one value each: that of one element, everywhere; f is compiled no second time.
template <class T>
void repeat(Kernel of_elements, void* out, const void* a, const void* b, const void* c, Size n) {
  T y;
  of_elements(&y, a, b, c, 1);
  fill(static_cast<T*>(out), Batch<T>(y), n);
}

template <class F, class T, int mask>
void map_unary(void* out, const void* a, const void*, const void*, Size n) {
  if constexpr (mask == 1) repeat<T>(map_unary<F, T, 0>, out, a, nullptr, nullptr, n);
  else {
    const Operand<T, false> x(a);
    map_as<F>(static_cast<T*>(out), n,
              [&](Size i, Size k) XGRAD_LAMBDA { return F::lane(k >= width<T> ? x.at(i) : x.part(i, k)); });
  }
}

template <class F, class T, int mask>
void map_binary(void* out, const void* a, const void* b, const void*, Size n) {
  if constexpr (mask == 3) repeat<T>(map_binary<F, T, 0>, out, a, b, nullptr, n);
  else {
    const Operand<T, mask & 1> x(a);
    const Operand<T, (mask & 2) != 0> y(b);
    map_as<F>(static_cast<T*>(out), n, [&](Size i, Size k) XGRAD_LAMBDA {
      if (k >= width<T>) [[likely]]
        return F::lane(x.at(i), y.at(i));
      return F::lane(x.part(i, k), y.part(i, k));
    });
  }
}

template <class F, class T>
void set_binary(Table& t, Elementwise op, DType dtype) {
  constexpr Kernel of[] = {map_binary<F, T, 0>, map_binary<F, T, 1>, map_binary<F, T, 2>, map_binary<F, T, 3>};
  Kernel* k = t.elementwise[static_cast<int>(op)][static_cast<int>(dtype)];
  for (int mask = 0; mask < mask_count; ++mask) k[mask] = of[mask & 3];
}

template <class F, class T, int mask>
void map_ternary(void* out, const void* a, const void* b, const void* c, Size n) {
  if constexpr (mask == 7) repeat<T>(map_ternary<F, T, 0>, out, a, b, c, n);
  else {
    const Operand<T, mask & 1> x(a);
    const Operand<T, (mask & 2) != 0> y(b);
    const Operand<T, (mask & 4) != 0> z(c);
    map_as<F>(static_cast<T*>(out), n, [&](Size i, Size k) XGRAD_LAMBDA {
      if (k >= width<T>) [[likely]]
        return F::lane(x.at(i), y.at(i), z.at(i));
      return F::lane(x.part(i, k), y.part(i, k), z.part(i, k));
    });
  }
}

template <class F, class T>
void set_ternary(Table& t, Elementwise op, DType dtype) {
  constexpr Kernel of[] = {map_ternary<F, T, 0>, map_ternary<F, T, 1>, map_ternary<F, T, 2>, map_ternary<F, T, 3>,
                           map_ternary<F, T, 4>, map_ternary<F, T, 5>, map_ternary<F, T, 6>, map_ternary<F, T, 7>};
  Kernel* k = t.elementwise[static_cast<int>(op)][static_cast<int>(dtype)];
  for (int mask = 0; mask < mask_count; ++mask) k[mask] = of[mask];
}

}  // namespace
}  // namespace xgrad::kernels
