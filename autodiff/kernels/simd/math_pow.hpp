// pow: exp(y log|x|) with log|x| in two numbers (f64), or in double (f32), and IEEE's special values. Within 2 ulp.
#pragma once

#include "autodiff/kernels/simd/math_exp.hpp"
#include "autodiff/kernels/simd/two.hpp"

namespace xgrad::kernels {
namespace {

// log x of a finite x > 0, to about 2^-66: with s = (m - 1) / (m + 1), log m = 2 s + s^3 (2/3 + s^2 q(s^2))
XGRAD_INLINE Two<double> log_of_two(const Batch<double>& x) {
  using B = Batch<double>;
  B e;
  const B m = mantissa(x, e), one(1.0);
  const B n = m - one, d = m + one, rest = pick(m > one, one - (d - m), m - (d - one)), inverse = one / d;
  const B sh = n * inverse;
  const Two<double> back = product(sh, d);
  const Two<double> s{sh, ((n - back.high) - back.low - sh * rest) * inverse};
  const Two<double> z = product(s, s);
  const B q = polynomial(z.high, 0.4, 0.28571428571429364, 0.22222222221656232, 0.18181818335314429,
                         0.15384594970892612, 0.13334804238380105, 0.11706248536777725, 0.11723051071442475);
  const Two<double> c = sum(B(0.66666666666666663), madd(q, z.high, B(3.7007434154171883e-17)));
  const Two<double> cube = product(product(z, c), s);
  const Two<double> twice{s.high + s.high, s.low + s.low};
  const Two<double> whole = sum(e * B(0.69314718055920821), twice.high);  // exact product: 40 bits of log 2
  const Two<double> all = sum(whole.high, cube.high);
  return sum(all.high, all.low + (whole.low + (twice.low + (cube.low + e * B(7.3710025651677989e-13)))));
}

// What a power is multiplied by before it can leave the range.
enum class Times { one, exponent, log };

// exp((y + y_low) log x), times 1, y or log x; of a finite x > 0
template <Times times>
XGRAD_INLINE Batch<double> power_of_usual(const Batch<double>& x, const Batch<double>& y, const Batch<double>& y_low,
                                          const Batch<double>& exponent) {
  using B = Batch<double>;
  constexpr double most = times == Times::one ? exp_highest<double> : 1400,
                   least = times == Times::one ? exp_lowest<double> : -1400;
  const Two<double> l = log_of_two(x);
  // where product() splits its factors, it overflows at 2^997; from far below that on, only x = 1 has a finite power
  const B farthest(0x1p900), factor = fused_madd ? y : upper(negate(farthest), lower(farthest, y));
  const Two<double> p = product(factor, l.high);
  B low = madd(y, l.low, p.low);
  if constexpr (times == Times::exponent) low = madd(y_low, l.high, low);
  low = pick(magnitude(p.high) < B(2000.0), low, B(0.0));
  const B inside = lower(B(most), upper(B(least), p.high));
  B k;
  const B r = reduce_exp(inside, k) + low;
  B m = expm1_reduced(r) + B(1.0);
  if constexpr (times == Times::exponent) {  // of a great one only the sign counts, but of 1^y
    const B great(1e150), bounded = lower(great, upper(negate(great), exponent));
    const B y = pick(magnitude(p.high) < B(most), exponent, bounded);
    const Mask<double> small = magnitude(y) < B(0x1p-500);  // a subnormal one has few digits: they are moved up first
    m = m * pick(small, y * B(0x1p512), y);
    k = pick(small, upper(k - B(512.0), B(-2040.0)), k);
  }
  if constexpr (times == Times::log) m = m * l.high;
  return scale(m, k);
}

// exp(y log x), x >= 0 or NaN
XGRAD_INLINE Batch<double> power_of_magnitude(const Batch<double>& x, const Batch<double>& y) {
  using B = Batch<double>;
  const Mask<double> usual = (x > B(0.0)) & (x < B(infinity<double>));
  const B result = power_of_usual<Times::one>(pick(usual, x, B(1.0)), y, y, y);
  if (xsimd::all(usual)) [[likely]]
    return result;
  // of 0, an infinite x and NaN: the signs of log x and y decide; NaN (also of 0 y) is left to the caller
  return pick(usual, result, exp(y * pick(x == B(0.0), B(-infinity<double>), x)));
}

XGRAD_INLINE Batch<float> power_of_magnitude(const Batch<float>& x, const Batch<float>& y) {
  Batch<double> x0, x1, y0, y1;
  widen(x, x0, x1);
  widen(y, y0, y1);
  return narrow(exp(y0 * log(x0)), exp(y1 * log(x1)));
}

template <class T>
XGRAD_INLINE Batch<T> whole_part(const Batch<T>& x) {                          // of x >= 0
  const Batch<T> most(sizeof(T) == 4 ? T(8388608.0) : T(4503599627370496.0));  // 2^23, 2^52: whole from there on
  const Batch<T> rounded = (lower(most, x) + most) - most;
  return pick(x < most, pick(rounded > x, rounded - Batch<T>(T(1)), rounded), x);
}

template <class T>
XGRAD_INLINE Mask<T> is_whole(const Batch<T>& magnitude) {
  return whole_part(magnitude) == magnitude;
}

// What x^y is of the power of |x|: its sign, or NaN
template <class T>
XGRAD_INLINE Batch<T> signed_power(const Batch<T>& p, const Batch<T>& x, const Mask<T>& whole, const Mask<T>& odd) {
  using B = Batch<T>;
  const B y = pick(odd, p ^ sign_bit(x), p);
  return pick((x < B(T(0))) & (x > B(-infinity<T>)) & ~whole, B(not_a_number<T>), y);
}

template <class T>
XGRAD_INLINE Batch<T> pow(const Batch<T>& x, const Batch<T>& y) {
  using B = Batch<T>;
  const B a = magnitude(x), zero(T(0)), one(T(1));
  B p = power_of_magnitude(a, y);
  const Mask<T> usual = (x > zero) & (x < B(infinity<T>)) & (magnitude(y) < B(infinity<T>));
  if (xsimd::all(usual)) [[likely]]
    return p;
  const B b = magnitude(y);
  const Mask<T> whole = is_whole(b), odd = whole & ~is_whole(b * B(T(0.5)));
  p = pick((a == one) & (b == B(infinity<T>)), one, p);  // (-1)^inf
  return pick((x == one) | (y == zero), one, signed_power(p, x, whole, odd));
}

// y exp((y - 1) log x), y - 1 in two numbers
XGRAD_INLINE Batch<double> pow_slope_usual(const Batch<double>& x, const Batch<double>& y) {
  const Two<double> e = sum_of_any(y, Batch<double>(-1.0));
  return power_of_usual<Times::exponent>(x, e.high, e.low, y);
}
XGRAD_INLINE Batch<float> pow_slope_usual(const Batch<float>& x, const Batch<float>& y) {
  Batch<double> x0, x1, y0, y1;
  widen(x, x0, x1);
  widen(y, y0, y1);
  const Batch<double> one(1.0);
  return narrow(y0 * exp((y0 - one) * log(x0)), y1 * exp((y1 - one) * log(x1)));
}

// y x^(y - 1), and 0 of 0^0
template <class T>
XGRAD_INLINE Batch<T> pow_slope(const Batch<T>& x, const Batch<T>& y) {
  using B = Batch<T>;
  const B a = magnitude(x), b = magnitude(y), zero(T(0)), one(T(1)), infinite(infinity<T>);
  const Mask<T> usual = (a > zero) & (a < infinite) & (b < infinite);
  B p = pow_slope_usual(pick(usual, a, one), pick(usual, y, one));
  if (!xsimd::all(usual)) [[unlikely]]
    p = pick(usual, p, pick((a == zero) & (y == zero), zero, y * pow(a, y - one)));
  if (xsimd::all(x > zero)) [[likely]]
    return p;
  const Mask<T> whole = is_whole(b), even = whole & is_whole(b * B(T(0.5))) & (b < infinite);
  return signed_power(p, x, whole, even);  // y - 1 is odd
}

XGRAD_INLINE Batch<double> pow_log_usual(const Batch<double>& x, const Batch<double>& y) {
  return power_of_usual<Times::log>(x, y, y, y);
}
XGRAD_INLINE Batch<float> pow_log_usual(const Batch<float>& x, const Batch<float>& y) {
  Batch<double> x0, x1, y0, y1;
  widen(x, x0, x1);
  widen(y, y0, y1);
  const Batch<double> l0 = log(x0), l1 = log(x1);
  return narrow(l0 * exp(y0 * l0), l1 * exp(y1 * l1));
}

// x^y log x; at 0 what it tends to, but 0 of 0^0
template <class T>
XGRAD_INLINE Batch<T> pow_log(const Batch<T>& x, const Batch<T>& y) {
  using B = Batch<T>;
  const B zero(T(0)), one(T(1)), infinite(infinity<T>);
  const Mask<T> usual = (x > zero) & (x < infinite) & (magnitude(y) < infinite);
  const B p = pow_log_usual(pick(usual, x, one), pick(usual, y, one));
  if (xsimd::all(usual)) [[likely]]
    return p;
  const B at_0 = pick(y < zero, B(-infinity<T>), zero), at_infinity = pick(y < zero, zero, infinite);
  const B other = pick(x == zero, at_0, pick(x == infinite, at_infinity, pow(x, y) * log(x)));
  return pick(usual, p, pick(y == y, other, y));
}

}  // namespace
}  // namespace xgrad::kernels
