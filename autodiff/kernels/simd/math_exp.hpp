// exp, expm1, tanh, sigmoid, softplus, sinh, cosh: all from expm1 of a reduced argument. Within 4 ulp; the slopes within 6.
// Polynomials here and in the other math_*.hpp are minimax ones (Remez), fitted to the interval in the comment.
#pragma once

#include "autodiff/kernels/simd/math_log.hpp"

namespace xgrad::kernels {
namespace {

// x = k log 2 + r, |r| <= log(2) / 2 (Cody and Waite 1980)
template <class T>
XGRAD_INLINE Batch<T> reduce_exp(const Batch<T>& x, Batch<T>& k) {
  k = nearest(x * Batch<T>(T(1.4426950408889634)));
  const Batch<T> r = nmadd(k, Batch<T>(log2_high<T>), x);
  return nmadd(k, Batch<T>(log2_low<T>), r);
}

// exp(r) - 1 = r + r^2 q(r), |r| <= log(2) / 2
template <class T>
XGRAD_INLINE Batch<T> expm1_reduced(const Batch<T>& r) {
  if constexpr (sizeof(T) == 4) {
    const Batch<T> q = polynomial(r, 0.50000000622510216, 0.1666654255909795, 0.041666280684865941,
                                  0.0083666426584292947, 0.0013946551470812982);
    return madd(q, r * r, r);
  } else {
    const Batch<T> q =
        polynomial(r, 0.5, 0.16666666666666677, 0.041666666666666702, 0.0083333333333215344, 0.0013888888888866696,
                   0.00019841269886394065, 2.4801587360838419e-5, 2.7557243918254201e-6, 2.7557242516919692e-7,
                   2.5109145230497804e-8, 2.0924518676462573e-9);
    return madd(q, r * r, r);
  }
}

// 2^k of an integer k, -126 <= k <= 127 (-1022 <= k <= 1023): the low bits of k + 1.5 2^23 (2^52) are k
template <class T>
XGRAD_INLINE Batch<T> power_of_2(const Batch<T>& k) {
  if constexpr (sizeof(T) == 4) return as_float<T>(as_int(k + Batch<T>(12582912.0f + 127)) << 23);
  else return as_float<T>(as_int(k + Batch<T>(6755399441055744.0 + 1023)) << 52);
}

// y 2^k, where 2^k itself may be too great or too small
template <class T>
XGRAD_INLINE Batch<T> scale(const Batch<T>& y, const Batch<T>& k) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_scalef_ps(y, k);
  else return _mm512_scalef_pd(y, k);
#else
  const Batch<T> half = nearest(k * Batch<T>(T(0.5)));
  return y * power_of_2(half) * power_of_2(k - half);
#endif
}

// Past these exp is 0, or infinite, also when halved.
template <class T>
inline constexpr T exp_lowest = sizeof(T) == 4 ? T(-105) : T(-746);
template <class T>
inline constexpr T exp_highest = sizeof(T) == 4 ? T(91) : T(712);

// 2^shift exp(x)
template <class T>
XGRAD_INLINE Batch<T> exp_shifted(const Batch<T>& x, T shift) {
  const Batch<T> inside = lower(Batch<T>(exp_highest<T>), upper(Batch<T>(exp_lowest<T>), x));
  Batch<T> k;
  const Batch<T> p = expm1_reduced(reduce_exp(inside, k));
  return scale(p + Batch<T>(T(1)), k + Batch<T>(shift));
}

// y 2^k, and 0 where x < exp_lowest. There nothing is scaled: to make a number that is too small takes processors a hundred times
// as long. So what is scaled comes from another x where a vector's lanes cannot be left out of it.
template <class T>
XGRAD_INLINE Batch<T> scale_unless_0(const Batch<T>& x, const Batch<T>& y, const Batch<T>& k) {
  const Batch<T> lowest(exp_lowest<T>);
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, lowest, _CMP_NLT_UQ), y, k);
  else return _mm512_maskz_scalef_pd(_mm512_cmp_pd_mask(x, lowest, _CMP_NLT_UQ), y, k);
#else
  return pick(x < lowest, Batch<T>(T(0)), scale(y, k));
#endif
}
template <class T>
XGRAD_INLINE Batch<T> unless_0(const Batch<T>& x, [[maybe_unused]] T other) {
#if defined(__AVX512F__)
  return x;
#else
  return pick(x < Batch<T>(exp_lowest<T>), Batch<T>(other), x);
#endif
}

// exp x of x below exp_highest
template <class T>
XGRAD_INLINE Batch<T> exp_bounded(const Batch<T>& x) {
  Batch<T> k;
  const Batch<T> p = expm1_reduced(reduce_exp(unless_0(x, T(0)), k));
  return scale_unless_0(x, p + Batch<T>(T(1)), k);
}
template <class T>
XGRAD_INLINE Batch<T> exp(const Batch<T>& x) {
  return exp_bounded(lower(Batch<T>(exp_highest<T>), x));
}

// exp(-|x|)
template <class T>
XGRAD_INLINE Batch<T> exp_of_minus_magnitude(const Batch<T>& x) {
  return exp_bounded(x | Batch<T>(T(-0.0)));
}

// exp x - 1 = 2^k (p + (1 - 2^-k)),  p = exp r - 1: no cancellation where k = 0
template <class T>
XGRAD_INLINE Batch<T> expm1(const Batch<T>& x) {
  const Batch<T> low(sizeof(T) == 4 ? T(-20) : T(-40));  // exp x - 1 rounds to -1
  const Batch<T> inside = lower(Batch<T>(exp_highest<T>), upper(low, x));
  Batch<T> k;
  const Batch<T> p = expm1_reduced(reduce_exp(inside, k));
  const Batch<T> inverse = power_of_2(negate(lower(Batch<T>(T(100)), k)));  // 1 - 2^-100 is 1
  const Batch<T> y = scale(p + (Batch<T>(T(1)) - inverse), k);
  return with_sign(magnitude(y), x);
}

// S exp b = q + q p,  q = S 2^k,  p = exp r - 1,  b = k log 2 + r <= 0: what tanh and sigmoid share with their slopes
template <class T>
struct Decay {
  static constexpr int shift = sizeof(T) == 4 ? 26 : 55;  // S = 2^shift: q is no subnormal number where exp b is one
  static constexpr T scale = static_cast<T>(std::int64_t{1} << shift);
  Batch<T> q, p;
};
template <class T>
XGRAD_INLINE Decay<T> decay(const Batch<T>& x) {
  constexpr int shift = Decay<T>::shift;
  const Batch<T> lowest(sizeof(T) == 4 ? T(-106.1)
                                       : T(-747.3));  // q is 0 there, and so exp b: no slow subnormal numbers
  const Batch<T> magic(sizeof(T) == 4 ? T(12582912.0 + 127 + shift) : T(6755399441055744.0 + 1023 + shift));
  const Batch<T> b = upper(lowest, x);
  const Batch<T> shifted = madd(b, Batch<T>(T(1.4426950408889634)), magic), k = shifted - magic;
  const Batch<T> r = nmadd(k, Batch<T>(log2_low<T>), nmadd(k, Batch<T>(log2_high<T>), b));
  return {as_float<T>(as_int(shifted) << (sizeof(T) == 4 ? 23 : 52)), expm1_reduced(r)};  // as in power_of_2
}

// tanh x = v r,  v = S - S exp(-2|x|) = (S - q) - q p,  r = 1 / (2 S - v)
template <class T>
XGRAD_INLINE Batch<T> tanh(const Batch<T>& x) {
  const Decay<T> d = decay((x + x) | Batch<T>(T(-0.0)));
  const Batch<T> v = nmadd(d.q, d.p, Batch<T>(d.scale) - d.q);
  return with_sign(v * (Batch<T>(T(1)) / (Batch<T>(2 * d.scale) - v)), x);
}

// tanh' x = 4 S (q + q p) r^2: no 1 - tanh^2, which has few digits where tanh is near to 1
template <class T>
XGRAD_INLINE Batch<T> tanh_slope(const Batch<T>& x) {
  const Decay<T> d = decay((x + x) | Batch<T>(T(-0.0)));
  const Batch<T> v = nmadd(d.q, d.p, Batch<T>(d.scale) - d.q), r = Batch<T>(T(1)) / (Batch<T>(2 * d.scale) - v);
  return madd(d.q, d.p, d.q) * Batch<T>(4 * d.scale) * r * r;
}

// sigmoid x = S r or e r,  e = S exp(-|x|) = q + q p,  r = 1 / (S + e)
template <class T>
XGRAD_INLINE Batch<T> sigmoid(const Batch<T>& x) {
  const Decay<T> d = decay(x | Batch<T>(T(-0.0)));
  const Batch<T> s(d.scale), e = madd(d.q, d.p, d.q);
  return pick(x < Batch<T>(T(0)), e, s) * (Batch<T>(T(1)) / (s + e));
}

// sigmoid' x = S e r^2
template <class T>
XGRAD_INLINE Batch<T> sigmoid_slope(const Batch<T>& x) {
  const Decay<T> d = decay(x | Batch<T>(T(-0.0)));
  const Batch<T> s(d.scale), e = madd(d.q, d.p, d.q), r = Batch<T>(T(1)) / (s + e);
  return e * s * r * r;
}

// softplus x = log(1 + exp x) = max(0, x) + log1p(exp(-|x|))
template <class T>
XGRAD_INLINE Batch<T> softplus(const Batch<T>& x) {
  return upper(Batch<T>(T(0)), x) + log1p_of_fraction(exp_of_minus_magnitude(x));
}

// sinh x = h - 1 / (4 h),  h = exp(x) / 2;  |x| < 1: x + x^3 s(x^2)
template <class T>
XGRAD_INLINE Batch<T> sinh(const Batch<T>& x) {
  const Batch<T> a = magnitude(x), h = exp_shifted(a, T(-1)), z = x * x;
  Batch<T> s;
  if constexpr (sizeof(T) == 4)
    s = polynomial(z, 0.16666666488731755, 0.0083333505973536106, 0.00019836066358849456, 2.8174391001003696e-6);
  else
    s = polynomial(z, 0.16666666666666667, 0.0083333333333331388, 0.0001984126984143767, 2.7557319155339928e-6,
                   2.5052123398125336e-8, 1.6057240371348149e-10, 7.7593113726101586e-13);
  const Batch<T> near = madd(s * z, a, a), far = h - Batch<T>(T(0.25)) / h;
  return with_sign(pick(a < Batch<T>(T(1)), near, far), x);
}

// cosh x = h + 1 / (4 h)
template <class T>
XGRAD_INLINE Batch<T> cosh(const Batch<T>& x) {
  const Batch<T> h = exp_shifted(magnitude(x), T(-1));
  return h + Batch<T>(T(0.25)) / h;
}

}  // namespace
}  // namespace xgrad::kernels
