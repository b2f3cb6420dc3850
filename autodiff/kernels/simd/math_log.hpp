// log, log1p, log2, log10, asinh, acosh, atanh. Within 4 ulp.
#pragma once

#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

// log 2 in two parts: a multiple of the first by any exponent is exact
template <class T>
inline constexpr T log2_high = sizeof(T) == 4 ? T(0.693359375) : T(0.69314718036912382);
template <class T>
inline constexpr T log2_low = sizeof(T) == 4 ? T(-2.12194440054690583e-4) : T(1.9082149292705877e-10);

// x = 2^e m,  sqrt(1/2) < m <= sqrt(2),  of a finite x > 0
template <class T>
XGRAD_INLINE Batch<T> mantissa(const Batch<T>& x, Batch<T>& e) {
  using B = Batch<T>;
  B m;
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    e = _mm512_getexp_ps(x);
    m = _mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
  } else {
    e = _mm512_getexp_pd(x);
    m = _mm512_getmant_pd(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
  }
#else
  using Word = std::make_unsigned_t<Int<T> >;
  using Bits = Batch<Word>;
  constexpr int shift = sizeof(T) == 4 ? 23 : 52, bias = sizeof(T) == 4 ? 127 : 1023;
  constexpr T up = sizeof(T) == 4 ? T(16777216.0) : T(18014398509481984.0);  // 2^24, 2^54
  const Mask<T> denormal = x < B(smallest_normal<T>);
  const Bits bits = bits_as<Word>(pick(denormal, x * B(up), x));
  // the exponent's bits, put into the mantissa of 2^23 (2^52)
  constexpr T whole = sizeof(T) == 4 ? T(8388608.0) : T(4503599627370496.0);
  const B biased = as_float<T>((bits >> shift) | bits_as<Word>(B(whole))) - B(whole + bias);
  e = pick(denormal, biased - B(sizeof(T) == 4 ? T(24) : T(54)), biased);
  m = as_float<T>((bits & Bits((Word(1) << shift) - 1)) | bits_as<Word>(B(T(1))));
#endif
  const Mask<T> great = m > B(T(1.4142135623730951));
  e = pick(great, e + B(T(1)), e);
  return pick(great, m * B(T(0.5)), m);
}

// e log 2 + log(1 + f),  sqrt(1/2) < 1 + f <= sqrt(2):
//   f32: log(1 + f) = f - f^2 / 2 + f^3 q(f)     f64: with s = f / (2 + f): f - (f^2 / 2 - s (f^2 / 2 + s^2 q(s^2)))
template <class T>
XGRAD_INLINE Batch<T> log_of_parts(const Batch<T>& e, const Batch<T>& f) {
  using B = Batch<T>;
  const B high(log2_high<T>), low(log2_low<T>);
  if constexpr (sizeof(T) == 4) {
    const B z = f * f;
    const B q = polynomial(f, 0.33333310597153316, -0.24999986558244535, 0.20002218178526134, -0.16669248325591909,
                           0.14218801219192285, -0.12384456570787944, 0.11872137481808104, -0.11788948299323209,
                           0.069161079633594924);
    const B rest = nmadd(B(T(0.5)), z, madd(e, low, q * f * z));
    return madd(e, high, f + rest);
  } else {
    const B s = f / (B(T(2)) + f), z = s * s, half = B(T(0.5)) * f * f;
    const B q = z * polynomial(z, 0.66666666666667343, 0.3999999999941512, 0.28571428742303818, 0.2222219858080202,
                               0.18183563966880197, 0.1531405903129967, 0.14795870488962505);
    const B t = madd(e, low, s * (half + q));
    return madd(e, high, f - (half - t));
  }
}

// log of numbers that are not finite, or not above 0; `above`: 1 where x > 0
template <class T>
XGRAD_INLINE Batch<T> log_corrected(const Batch<T>& y, const Batch<T>& x, const Mask<T>& right) {
  using B = Batch<T>;
  const B special = pick(x == B(infinity<T>), x, pick(x == B(T(0)), B(-infinity<T>), B(not_a_number<T>)));
  return pick(right, y, special);
}

template <class T>
XGRAD_INLINE Batch<T> log(const Batch<T>& x) {
  using B = Batch<T>;
  B e;
  const B m = mantissa(x, e);
  const B y = log_of_parts(e, m - B(T(1)));
  const Mask<T> right = (x > B(T(0))) & (x < B(infinity<T>));
  if (xsimd::all(right)) [[likely]]
    return y;
  return log_corrected(y, x, right);
}

// But 0 at 0.
template <class T>
XGRAD_INLINE Batch<T> log_or_0(const Batch<T>& x) {
  return pick(x == Batch<T>(T(0)), Batch<T>(T(0)), log(x));
}

// e + log(m) / log(2): exact for powers of 2
template <class T>
XGRAD_INLINE Batch<T> log2(const Batch<T>& x) {
  using B = Batch<T>;
  B e;
  const B m = mantissa(x, e);
  const B y = madd(log_of_parts(B(T(0)), m - B(T(1))), B(T(1.4426950408889634)), e);
  const Mask<T> right = (x > B(T(0))) & (x < B(infinity<T>));
  if (xsimd::all(right)) [[likely]]
    return y;
  return log_corrected(y, x, right);
}

// e log10(2) + log(m) / log(10), the first product exact: powers of 10 come out whole
template <class T>
XGRAD_INLINE Batch<T> log10(const Batch<T>& x) {
  using B = Batch<T>;
  // log10(2) in two numbers, the first of 12 (40) bits
  constexpr double high = sizeof(T) == 4 ? 0.301025390625 : 0.30102999566361177,
                   low = sizeof(T) == 4 ? 4.605038981195214e-06 : 3.694239077158931e-13;
  B e;
  const B m = mantissa(x, e);
  const B rest = madd(log_of_parts(B(T(0)), m - B(T(1))), B(T(0.43429448190325182)), e * B(T(low)));
  const B y = madd(e, B(T(high)), rest);
  const Mask<T> right = (x > B(T(0))) & (x < B(infinity<T>));
  if (xsimd::all(right)) [[likely]]
    return y;
  return log_corrected(y, x, right);
}

// log(1 + x) of a finite x > -1: 1 + x = u + c, and f = (m - 1) + c 2^-e, u = 2^e m. Where e = 0, f is x.
template <class T>
XGRAD_INLINE Batch<T> log1p_inside(const Batch<T>& x) {
  using B = Batch<T>;
  const B one(T(1)), u = one + x, c = x - (u - one);
  B e;
  const B m = mantissa(u, e);
  constexpr int shift = sizeof(T) == 4 ? 23 : 52;
  constexpr T magic = sizeof(T) == 4 ? T(12582912.0 + 127) : T(6755399441055744.0 + 1023);
  const B power = as_float<T>(as_int(B(magic) - lower(B(T(64)), e)) << shift);  // 2^-e; from 2^64 on c is 0
  return log_of_parts(e, madd(c, power, m - one));
}

template <class T>
XGRAD_INLINE Batch<T> log1p(const Batch<T>& x) {
  using B = Batch<T>;
  const B y = with_sign(magnitude(log1p_inside(x)), x);
  const Mask<T> right = (x > B(T(-1))) & (x < B(infinity<T>));
  if (xsimd::all(right)) [[likely]]
    return y;
  return log_corrected(y, B(T(1)) + x, right);
}

// Of 0 <= x <= 1, or NaN
template <class T>
XGRAD_INLINE Batch<T> log1p_of_fraction(const Batch<T>& x) {
  return pick(x == x, log1p_inside(x), x);
}

// Past these 1 + x^2 is x^2, and 2 x^2 is in range.
template <class T>
inline constexpr T great_square = sizeof(T) == 4 ? T(0x1p60) : T(0x1p500);

// asinh |x| = log(1 + a + a^2 / (1 + sqrt(1 + a^2))),  a = |x|;  log a + log 2 of a great a
template <class T>
XGRAD_INLINE Batch<T> asinh(const Batch<T>& x) {
  using B = Batch<T>;
  const B a = magnitude(x), one(T(1)), zero(T(0));
  const Mask<T> great = a > B(great_square<T>);
  const B z = pick(great, zero, a * a);
  const B y = log1p_inside(a + z / (one + xsimd::sqrt(one + z))) + pick(great, B(T(0.69314718055994531)), zero);
  return pick(a < B(infinity<T>), with_sign(magnitude(y), x), x);
}

// acosh x = log(1 + t + sqrt(2 t + t^2)),  t = x - 1: exact where it is small;  log t + log 2 of a great t
template <class T>
XGRAD_INLINE Batch<T> acosh(const Batch<T>& x) {
  using B = Batch<T>;
  const B t = x - B(T(1)), zero(T(0));
  const Mask<T> great = t > B(great_square<T>);
  const B root = xsimd::sqrt(pick(great, zero, madd(t, t, t + t)));
  const B y = log1p_inside(t + root) + pick(great, B(T(0.69314718055994531)), zero);
  return pick((t >= zero) & (t < B(infinity<T>)), y, pick(t < zero, B(not_a_number<T>), x));
}

// atanh |x| = log(1 + 2 a / (1 - a)) / 2,  a = |x|
template <class T>
XGRAD_INLINE Batch<T> atanh(const Batch<T>& x) {
  using B = Batch<T>;
  const B a = magnitude(x), one(T(1));
  const B y = B(T(0.5)) * log1p_inside((a + a) / (one - a));
  return pick(a < one, with_sign(magnitude(y), x), pick(a > one, B(not_a_number<T>), x / (one - a)));
}

}  // namespace
}  // namespace xgrad::kernels
