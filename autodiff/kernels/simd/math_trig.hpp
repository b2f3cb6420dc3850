// sin, cos, tan, asin, acos, atan, atan2. Within 4 ulp, of any argument.
#pragma once

#include <math.h>

#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

enum class Circular { sin, cos, tan };

// pi / 2 in four parts: a multiple of each of the first three by a quarter's number is exact
template <class T>
inline constexpr T half_pi_parts[4] = {T(1.570796325802803), T(9.9209357395935172e-10), T(5.7211887096635749e-18),
                                       T(1.6446256936324258e-26)};
template <>
inline constexpr float half_pi_parts<float>[4] = {1.5703125f, 0.00048351287841796875f, 3.1385570764541626e-07f,
                                                  6.07709993438732e-11f};
template <class T>
inline constexpr T farthest_angle = sizeof(T) == 4 ? T(1000) : T(1e7);

// |x| = k pi / 2 + r, |r| <= pi / 4, and a polynomial or two of r
template <Circular f, class T>
XGRAD_INLINE Batch<T> circular_near(const Batch<T>& x) {
  using B = Batch<T>;
  using I = Batch<Int<T>>;
  constexpr int bits = 8 * sizeof(T);
  const B a = magnitude(x), one(T(1));
  const B k = nearest(a * B(T(0.63661977236758134)));
  B r = nmadd(k, B(half_pi_parts<T>[0]), a);
  r = nmadd(k, B(half_pi_parts<T>[1]), r);
  r = nmadd(k, B(half_pi_parts<T>[2]), r);
  r = nmadd(k, B(half_pi_parts<T>[3]), r);
  const B z = r * r;
  B s, c;
  if constexpr (sizeof(T) == 4) {
    s = polynomial(z, -0.16666654909227267, 0.0083321758741242079, -0.00019516980494625702);
    c = polynomial(z, 0.041666646809698532, -0.0013887364588216805, 2.4438101151333194e-5);
  } else {
    s = polynomial(z, -0.16666666666666632, 0.0083333333333223714, -0.00019841269829772092, 2.7557313678939817e-6,
                   -2.5050755999111583e-8, 1.5896668467290568e-10);
    c = polynomial(z, 0.041666666666666599, -0.0013888888888874077, 2.480158728944988e-5, -2.7557314342302426e-7,
                   2.0875721825741669e-9, -1.1359568917933014e-11);
  }
  s = madd(s * z, r, r);
  c = madd(c * z, z, nmadd(B(T(0.5)), z, one));
  // the quarter's number is in the low bits of k + 1.5 2^23 (2^52)
  I quarter = as_int(k + B(sizeof(T) == 4 ? T(12582912.0) : T(6755399441055744.0)));
  if constexpr (f == Circular::cos) quarter = quarter + I(Int<T>(1));
  const Mask<T> odd = as_float<T>((quarter << (bits - 1)) | as_int(one)) < B(T(0));
  if constexpr (f == Circular::tan) {
    const B t = pick(odd, c, s) / pick(odd, s, c);
    return t ^ sign_bit(as_float<T>(quarter << (bits - 1))) ^ sign_bit(x);
  } else {
    const B y = pick(odd, c, s) ^ sign_bit(as_float<T>(quarter << (bits - 2)));
    return f == Circular::sin ? y ^ sign_bit(x) : y;
  }
}

// Lanes past the farthest angle, and those that are not finite, one by one: by the C library, of doubles.
template <Circular f>
[[gnu::noinline]] Batch<double> circular_far(const Batch<double>& x, const Batch<double>& y) {
  alignas(64) double from[width<double>], to[width<double>];
  x.store_aligned(from);
  y.store_aligned(to);
  for (Size i = 0; i < width<double>; ++i)
    if (!(__builtin_fabs(from[i]) < farthest_angle<double>))
      to[i] = f == Circular::sin ? ::sin(from[i]) : f == Circular::cos ? ::cos(from[i]) : ::tan(from[i]);
  return Batch<double>::load_aligned(to);
}

template <Circular f>
XGRAD_INLINE Batch<double> circular(const Batch<double>& x) {
  const Batch<double> y = circular_near<f>(x);
  if (xsimd::all(magnitude(x) < Batch<double>(farthest_angle<double>))) [[likely]]
    return y;
  return circular_far<f>(x, y);
}

template <Circular f>
[[gnu::noinline]] Batch<float> circular_far(const Batch<float>& x, const Batch<float>& y) {
  Batch<double> low, high;
  widen(x, low, high);
  return pick(magnitude(x) < Batch<float>(farthest_angle<float>), y, narrow(circular<f>(low), circular<f>(high)));
}

template <Circular f>
XGRAD_INLINE Batch<float> circular(const Batch<float>& x) {
  const Batch<float> y = circular_near<f>(x);
  if (xsimd::all(magnitude(x) < Batch<float>(farthest_angle<float>))) [[likely]]
    return y;
  return circular_far<f>(x, y);
}

template <class T>
XGRAD_INLINE Batch<T> sin(const Batch<T>& x) {
  return circular<Circular::sin>(x);
}
template <class T>
XGRAD_INLINE Batch<T> cos(const Batch<T>& x) {
  return circular<Circular::cos>(x);
}
template <class T>
XGRAD_INLINE Batch<T> tan(const Batch<T>& x) {
  return circular<Circular::tan>(x);
}

template <class T>
inline constexpr T pi_high = T(3.1415926535897931);
template <class T>
inline constexpr T pi_low = sizeof(T) == 4 ? T(-8.7422776573475857731e-8) : T(1.2246467991473532e-16);

// (asin s - s) / s^3,  z = s^2 <= 1/4
template <class T>
XGRAD_INLINE Batch<T> asin_polynomial(const Batch<T>& z) {
  if constexpr (sizeof(T) == 4)
    return polynomial(z, 0.1666675389578993, 0.074952427937385339, 0.045476990180754115, 0.024148073437446991,
                      0.042217842291631817);
  else
    return polynomial(z, 0.16666666666666762, 0.074999999999703133, 0.044642857175080723, 0.030381942685269902,
                      0.022372215619058678, 0.017351600761611728, 0.013980954084970488, 0.011397831904075275,
                      0.010786235745167306, 0.0036840861948434942, 0.021761090357199483, -0.021074044175255558,
                      0.032674946029251621);
}

// asin |x| = pi / 2 - 2 asin s, s = sqrt((1 - |x|) / 2), for |x| > 1/2
template <class T>
XGRAD_INLINE Batch<T> asin(const Batch<T>& x) {
  using B = Batch<T>;
  const B a = magnitude(x), half(T(0.5));
  const Mask<T> great = a > half;
  const B z = pick(great, nmadd(half, a, half), a * a);
  const B s = pick(great, xsimd::sqrt(z), a);
  const B p = madd(asin_polynomial(z) * z, s, s);
  // p + p - pi / 2 in two parts, so that what cancels was exact
  const B far = B(T(0.5) * pi_high<T>) - ((p + p) - B(T(0.5) * pi_low<T>));
  return with_sign(pick(great, far, p), x);
}

// acos x = 2 asin s  (x > 1/2),  pi - 2 asin s  (x < -1/2),  pi / 2 - asin x
template <class T>
XGRAD_INLINE Batch<T> acos(const Batch<T>& x) {
  using B = Batch<T>;
  const B a = magnitude(x), half(T(0.5));
  const Mask<T> great = a > half;
  const B z = pick(great, nmadd(half, a, half), a * a);
  const B s = pick(great, xsimd::sqrt(z), x);
  const B p = madd(asin_polynomial(z) * z, s, s), twice = p + p;
  const B below = B(pi_high<T>) - (twice - B(pi_low<T>));
  const B near = half * B(pi_high<T>) - (p - half * B(pi_low<T>));
  return pick(great, pick(x < B(T(0)), below, twice), near);
}

// The angle of the point (x, y) in the first quadrant: with l <= h the lesser and the greater, atan(l / h), or
// pi / 4 + atan((l - h) / (l + h)) where l / h > tan(pi / 8); from the other axis where y is greater.
template <class T>
XGRAD_INLINE Batch<T> first_quadrant(const Batch<T>& y, const Batch<T>& x) {
  using B = Batch<T>;
  const Mask<T> steep = y > x;
  const B l = pick(steep, x, y), h = pick(steep, y, x);
  const Mask<T> turned = l > h * B(T(0.41421356237309503));
  const B t = pick(turned, l - h, l) / pick(turned, l + h, h), z = t * t;
  B p;
  if constexpr (sizeof(T) == 4)
    p = polynomial(z, -0.33333315498429642, 0.19998488798056089, -0.14243833776521672, 0.10595874136113254,
                   -0.060830949451510646);
  else
    p = polynomial(z, -0.33333333333333328, 0.19999999999997693, -0.1428571428539094, 0.11111111088355602,
                   -0.090909081508239122, 0.076922828990546104, -0.066662288089573569, 0.058770417248259576,
                   -0.052185318366201281, 0.04504064984992753, -0.033486409691507968, 0.01520725184761068);
  const B a = madd(p * z, t, t);
  const B u = pick(turned, B(T(0.25) * pi_high<T>) + (a + B(T(0.25) * pi_low<T>)), a);
  return pick(steep, B(T(0.5) * pi_high<T>) - (u - B(T(0.5) * pi_low<T>)), u);
}

template <class T>
XGRAD_INLINE Batch<T> atan(const Batch<T>& x) {
  const Batch<T> one(T(1));
  const Batch<T> a = lower(Batch<T>(sizeof(T) == 4 ? T(1e30) : T(1e300)), magnitude(x));  // pi / 2 for an infinite x
  return with_sign(first_quadrant(a, one), x);
}

template <class T>
[[gnu::noinline]] Batch<T> atan2_special(const Batch<T>& y, const Batch<T>& x) {
  using B = Batch<T>;
  const B infinite(infinity<T>), zero(T(0)), one(T(1));
  B a = magnitude(y), b = magnitude(x);
  const Mask<T> unordered = ~((a == a) & (b == b));
  // only the ratio counts: infinite numbers to 1 beside 0, great ones to an eighth, 0 / 0 to 0 / 1
  const Mask<T> some = (a == infinite) | (b == infinite);
  a = pick(some, pick(a == infinite, one, zero), a * B(T(0.125)));
  b = pick(some, pick(b == infinite, one, zero), b * B(T(0.125)));
  b = pick((a == zero) & (b == zero), one, b);
  return pick(unordered, B(not_a_number<T>), first_quadrant(a, b));
}

template <class T>
XGRAD_INLINE Batch<T> atan2(const Batch<T>& y, const Batch<T>& x) {
  using B = Batch<T>;
  const B a = magnitude(y), b = magnitude(x);
  const B most(sizeof(T) == 4 ? T(1e37) : T(1e307)), least(sizeof(T) == 4 ? T(1e-30) : T(1e-290));
  const Mask<T> usual = (a < most) & (b < most) & ((a > least) | (b > least));
  B q = first_quadrant(a, b);
  if (!xsimd::all(usual)) [[unlikely]] {
    const B tiny = pick((a > least) | (b > least), B(T(1)), B(sizeof(T) == 4 ? T(1e10) : T(1e20)));
    q = pick(usual, q, atan2_special(y * tiny, x * tiny));
  }
  const Mask<T> left = with_sign(B(T(1)), x) < B(T(0));
  q = pick(left, B(pi_high<T>) - (q - B(pi_low<T>)), q);
  return with_sign(q, y);
}

}  // namespace
}  // namespace xgrad::kernels
