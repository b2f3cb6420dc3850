// Lane functions that are a few instructions. NaN passes through all of them.
#pragma once

#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

template <class T>
XGRAD_INLINE Batch<T> abs(const Batch<T>& x) {
  return magnitude(x);
}

template <class T>
XGRAD_INLINE Batch<T> sqrt(const Batch<T>& x) {
  return xsimd::sqrt(x);
}

// To even; numbers from 2^23 (2^52) on are whole.
template <class T>
XGRAD_INLINE Batch<T> nearbyint(const Batch<T>& x) {
#if defined(__SSE2__) && !defined(__AVX__)
  const Batch<T> whole(sizeof(T) == 4 ? T(8388608.0) : T(4503599627370496.0)), a = magnitude(x);
  return pick(a < whole, with_sign((a + whole) - whole, x), x);
#else
  return xsimd::nearbyint(x);
#endif
}

template <class T>
XGRAD_INLINE Batch<T> floor(const Batch<T>& x) {
#if defined(__SSE2__) && !defined(__AVX__)
  const Batch<T> y = nearbyint(x);
  return with_sign(magnitude(pick(y > x, y - Batch<T>(T(1)), y)), x);
#else
  return xsimd::floor(x);
#endif
}

template <class T>
XGRAD_INLINE Batch<T> ceil(const Batch<T>& x) {
#if defined(__SSE2__) && !defined(__AVX__)
  const Batch<T> y = nearbyint(x);
  return with_sign(magnitude(pick(y < x, y + Batch<T>(T(1)), y)), x);
#else
  return xsimd::ceil(x);
#endif
}

template <class T>
XGRAD_INLINE Batch<T> sign(const Batch<T>& x) {
  const Batch<T> zero(T(0)), one(T(1));
  return pick(x > zero, one, pick(x < zero, negate(one), x));
}

template <class T>
XGRAD_INLINE Batch<T> relu(const Batch<T>& x) {
  return upper(Batch<T>(T(0)), x);
}

template <class T>
XGRAD_INLINE Batch<T> step(const Batch<T>& x) {
  const Batch<T> zero(T(0));
  return pick(x > zero, Batch<T>(T(1)), pick(x <= zero, zero, x));
}

template <class T>
XGRAD_INLINE Batch<T> half_step(const Batch<T>& x, const Batch<T>& y) {
  const Batch<T> zero(T(0));
  return pick(x > y, Batch<T>(T(1)), pick(x < y, zero, pick(x == y, Batch<T>(T(0.5)), x + y)));  // x + y: NaN
}

template <class T>
XGRAD_INLINE Batch<T> leaky_relu(const Batch<T>& x, const Batch<T>& slope) {
  return pick(x > Batch<T>(T(0)), x, x * slope);
}

// x + z (y - x), from the nearer end: x at 0 and y at 1
template <class T>
XGRAD_INLINE Batch<T> lerp(const Batch<T>& x, const Batch<T>& y, const Batch<T>& z) {
  const Batch<T> apart = y - x;
  return pick(z < Batch<T>(T(0.5)), x + z * apart, y - (Batch<T>(T(1)) - z) * apart);
}

// (1 - x) (1 + x): the factor that is small is exact
template <class T>
XGRAD_INLINE Batch<T> one_minus_square(const Batch<T>& x) {
  const Batch<T> one(T(1));
  return (one - x) * (one + x);
}

template <class T>
XGRAD_INLINE Batch<T> reciprocal_or_0(const Batch<T>& x) {
  return pick(x == Batch<T>(T(0)), Batch<T>(T(0)), Batch<T>(T(1)) / x);
}

// -0 + 0 is 0
template <class T>
XGRAD_INLINE Batch<T> pow_half(const Batch<T>& x) {
  return pick(x == Batch<T>(-infinity<T>), Batch<T>(infinity<T>), xsimd::sqrt(x + Batch<T>(T(0))));
}

// x / (x^2 + y^2) = (x / h) / (h + l^2 / h) of the lesser and the greater magnitude, l and h; quarters of a great h,
// so that the sum does not overflow
template <class T>
XGRAD_INLINE Batch<T> inversion(const Batch<T>& x, const Batch<T>& y) {
  using B = Batch<T>;
  const B a = magnitude(x), b = magnitude(y), h = upper(a, b), l = lower(a, b), one(T(1));
  const B s = pick(h > one, B(T(0.25)), one);
  const B z = x / h * s / (h * s + l * s * (l / h));
  const Mask<T> far = (h == B(infinity<T>)) & (x == x) & (y == y);
  return pick(far, sign_bit(x), z);
}

template <class T>
XGRAD_INLINE Batch<T> maximum(const Batch<T>& x, const Batch<T>& y) {
  return pick(x == x, upper(x, y), x);
}

template <class T>
XGRAD_INLINE Batch<T> minimum(const Batch<T>& x, const Batch<T>& y) {
  return pick(x == x, lower(x, y), x);
}

// x - floor(x / y) y, of the sign of y, and floor(x / y), both as they would be rounded. Where y is 0: NaN, and x / y.
// Lane by lane, by the C library.
template <class T, bool quotient>
[[gnu::noinline]] Batch<T> divided_by_lanes(const Batch<T>& x, const Batch<T>& y) {
  alignas(64) T a[width<T>], b[width<T>];
  x.store_aligned(a);
  y.store_aligned(b);
  for (Size i = 0; i < width<T>; ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]), r = ::fmod(x, y);
    const bool below = r != 0 && (r < 0) != (y < 0);
    if constexpr (quotient) {
      double q = y == 0 ? x / y : ::nearbyint((x - r) / y) - below;
      if (::fabs(q) >= 0x1p50 && y != 0) {  // may be one off, as x - r was rounded
        const double rest = ::fma(-q, y, x);
        if ((rest < 0 && y > 0) || (rest > 0 && y < 0)) q -= 1;
        else if (::fabs(rest) >= ::fabs(y)) q += 1;
      }
      a[i] = static_cast<T>(q);
    } else {
      a[i] = static_cast<T>(below ? r + y : r);
    }
  }
  return Batch<T>::load_aligned(a);
}
// All lanes at once, where quotients are exact integers: x / y, rounded, may have come up to the next one, and never below its
// floor; that is seen by the sign of what is left, which a fused multiplication rounds once.
template <class T, bool quotient>
XGRAD_INLINE Batch<T> divided(const Batch<T>& x, const Batch<T>& y) {
  using B = Batch<T>;
  if constexpr (fused_madd) {
    const B d = x / y, zero(T(0));
    const Mask<T> fast = (magnitude(d) < B(sizeof(T) == 4 ? T(0x1p22) : T(0x1p50))) & (magnitude(y) < B(infinity<T>));
    if (xsimd::all(fast)) [[likely]] {
      const B q0 = floor(d), left = nmadd(q0, y, x);
      const Mask<T> over = ((left < zero) & (zero < y)) | ((zero < left) & (y < zero));
      const B q = pick(over, q0 - B(T(1)), q0);
      if constexpr (quotient) return pick(q == zero, with_sign(zero, y), q);
      const B r = nmadd(q, y, x);
      return pick(r == zero, with_sign(zero, x), r);
    }
  }
  return divided_by_lanes<T, quotient>(x, y);
}
template <class T>
XGRAD_INLINE Batch<T> modulo(const Batch<T>& x, const Batch<T>& y) {
  return divided<T, false>(x, y);
}
template <class T>
XGRAD_INLINE Batch<T> floor_quotient(const Batch<T>& x, const Batch<T>& y) {
  return divided<T, true>(x, y);
}

}  // namespace
}  // namespace xgrad::kernels
