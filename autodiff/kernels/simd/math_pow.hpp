// pow: exp(y log|x|) with log|x| in two numbers (f64), or in double (f32), and IEEE's special values. Within 2 ulp.
#pragma once

#include "autodiff/kernels/simd/math_exp.hpp"

namespace xgrad::kernels {
namespace {

// A number as the sum of two, the second below the first's last place (Dekker 1971).
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
XGRAD_INLINE Two<T> product(const Batch<T>& a, const Batch<T>& b) {
  const Batch<T> p = a * b;
  if constexpr (fused_madd) {
    return {p, madd(a, b, negate(p))};
  } else {
    const Batch<T> splitter(T(134217729.0));  // 2^27 + 1
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
  const B q = polynomial(z.high, 0.4, 0.28571428571429364, 0.22222222221656232, 0.18181818335314429, 0.15384594970892612,
                         0.13334804238380105, 0.11706248536777725, 0.11723051071442475);
  const Two<double> c = sum(B(0.66666666666666663), madd(q, z.high, B(3.7007434154171883e-17)));
  const Two<double> cube = product(product(z, c), s);
  const Two<double> twice{s.high + s.high, s.low + s.low};
  const Two<double> whole = sum(e * B(0.69314718055920821), twice.high);  // exact product: 40 bits of log 2
  const Two<double> all = sum(whole.high, cube.high);
  return sum(all.high, all.low + (whole.low + (twice.low + (cube.low + e * B(7.3710025651677989e-13)))));
}

// exp(y log x), x >= 0 or NaN
XGRAD_INLINE Batch<double> power_of_magnitude(const Batch<double>& x, const Batch<double>& y) {
  using B = Batch<double>;
  const Mask<double> usual = (x > B(0.0)) & (x < B(infinity<double>));
  const Two<double> l = log_of_two(pick(usual, x, B(1.0)));
  // where product() splits its factors, it overflows at 2^997; from far below that on, only x = 1 has a finite power
  const B most(0x1p900), factor = fused_madd ? y : upper(negate(most), lower(most, y));
  const Two<double> p = product(factor, l.high);
  const B low = pick(magnitude(p.high) < B(2000.0), madd(y, l.low, p.low), B(0.0));
  const B inside = lower(B(exp_highest<double>), upper(B(exp_lowest<double>), p.high));
  B k;
  const B r = reduce_exp(inside, k) + low;
  const B result = scale(expm1_reduced(r) + B(1.0), k);
  if (xsimd::all(usual)) [[likely]] return result;
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
XGRAD_INLINE Batch<T> whole_part(const Batch<T>& x) {  // of x >= 0
  const Batch<T> most(sizeof(T) == 4 ? T(8388608.0) : T(4503599627370496.0));  // 2^23, 2^52: whole from there on
  const Batch<T> rounded = (lower(most, x) + most) - most;
  return pick(x < most, pick(rounded > x, rounded - Batch<T>(T(1)), rounded), x);
}

template <class T>
XGRAD_INLINE Batch<T> pow(const Batch<T>& x, const Batch<T>& y) {
  using B = Batch<T>;
  const B a = magnitude(x), zero(T(0)), one(T(1));
  B p = power_of_magnitude(a, y);
  const Mask<T> usual = (x > zero) & (x < B(infinity<T>)) & (magnitude(y) < B(infinity<T>));
  if (xsimd::all(usual)) [[likely]] return p;
  const B b = magnitude(y);
  const Mask<T> whole = whole_part(b) == b, odd = whole & (whole_part(b * B(T(0.5))) != b * B(T(0.5)));
  p = pick((a == one) & (b == B(infinity<T>)), one, p);  // (-1)^inf
  p = pick(odd, p | sign_bit(x), p);
  p = pick((x < zero) & (a < B(infinity<T>)) & ~whole, B(not_a_number<T>), p);
  return pick((x == one) | (y == zero), one, p);
}

}  // namespace
}  // namespace xgrad::kernels
