// erf, erfc, ndtr and exp(-y x^2). Within 6 ulp, however small the result.
#pragma once

#include "autodiff/kernels/simd/math_exp.hpp"
#include "autodiff/kernels/simd/two.hpp"

namespace xgrad::kernels {
namespace {

// erf x = x + x s(x^2), or 1 - exp(-|x| b(|x|)) from `split` on (after N. Juffa); 1 from 4 (6) on
template <class T>
XGRAD_INLINE Batch<T> erf(const Batch<T>& x) {
  const Batch<T> a = lower(Batch<T>(sizeof(T) == 4 ? T(4) : T(6)), magnitude(x)), z = a * a;
  const Batch<T> split(sizeof(T) == 4 ? T(0.925) : T(1));
  Batch<T> s, b;
  if constexpr (sizeof(T) == 4) {
    s = polynomial(z, 0.12837915057518583, -0.37612498094637768, 0.11281843915439029, -0.026767100801023686,
                   0.0049932752090806504, -0.00059887550758259187);
    b = polynomial(a, 1.1286521628139706, 0.6351359110954391, 0.10626314782803137, -0.023785348652063083,
                   0.0036537647910901743, -0.00032565287464232391, 1.1522306873935573e-5);
  } else {
    s = polynomial(z, 0.12837916709551257, -0.37612638903183748, 0.11283791670954884, -0.02686617064507787,
                   0.0052239776248283918, -0.00085483269814237693, 0.00012055331132905911, -1.4925595771292541e-5,
                   1.6461008467937252e-6, -1.6350396159235642e-7, 1.4660328537972639e-8, -1.1374955853294573e-9,
                   5.960686782744903e-11);
    b = polynomial(a, 1.1283791082041615, 0.6366202771473586, 0.10277072240493189, -0.019124688773320795,
                   -0.00021253819323450817, 0.0016932759728752522, -0.00057533284372569578, -4.4828188278588999e-7,
                   9.5164307585856806e-5, -5.5883144097554332e-5, 2.0292328676943531e-5, -5.3676696307004503e-6,
                   1.0740788319064276e-6, -1.6231664471787098e-7, 1.8040300033707969e-8, -1.3944430819116359e-9,
                   6.7013997876801347e-11, -1.5079212328961071e-12);
  }
  Batch<T> k;
  const Batch<T> r = reduce_exp(negate(a) * b, k);
  const Batch<T> e = madd(expm1_reduced(r), power_of_2(k), power_of_2(k));
  const Batch<T> near = madd(s, a, a), far = Batch<T>(T(1)) - e;
  return with_sign(pick(a < split, near, far), x);
}

// exp(-s)
template <class T>
XGRAD_INLINE Batch<T> exp_of_minus(const Two<T>& s) {
  const Batch<T> inside = lower(Batch<T>(exp_highest<T>), upper(Batch<T>(exp_lowest<T>), negate(s.high)));
  const Mask<T> digits = (magnitude(s.high) < Batch<T>(T(1000))) & (s.low == s.low);  // not of what overflowed
  const Batch<T> low = pick(digits, s.low, Batch<T>(T(0)));
  Batch<T> k;
  const Batch<T> r = reduce_exp(inside, k) - low;
  return scale(expm1_reduced(r) + Batch<T>(T(1)), k);
}

// exp(-(x y) x): x^2 might be out of range where y x^2 is not
template <class T>
XGRAD_INLINE Batch<T> gaussian(const Batch<T>& x, const Batch<T>& y) {
  const Two<T> p = product(x, y), s = product(p.high, x);
  return exp_of_minus(Two<T>{s.high, madd(p.low, x, s.low)});
}

// exp(a^2) erfc(a), 0 <= a <= 10.5 (28): p(q) / (1 + 2 a), q = (a - c) / (a + c)   (Shepherd & Laframboise 1981)
template <class T>
XGRAD_INLINE Batch<T> erfc_scaled(const Batch<T>& a) {
  const Batch<T> c(sizeof(T) == 4 ? T(3) : T(4)), q = (a - c) / (a + c);
  Batch<T> p;
  if constexpr (sizeof(T) == 4)
    p = polynomial(q, 1.2530080581370375, -0.13562114905995366, -0.047562318168041814, 0.12964671485294684,
                   -0.11927191933722656, 0.068293029055253058, -0.023794664534199443, 0.002576856516801767,
                   0.0020017712255442631, -0.00078812075303741059, -0.00027359599926303439);
  else
    p = polynomial(q, 1.2329951186255525, -0.13962111684056289, 0.015379652102620741, 0.068097054254737324,
                   -0.10103906603635213, 0.093732834996794116, -0.066330365811529384, 0.037167515562492866,
                   -0.016197734059115007, 0.0050319697558954261, -0.00075777334141333004, -0.00019925550755614952,
                   0.00015062224394830299, -2.4403169244974075e-5, -1.1224789135154701e-5, 5.7178872846321852e-6,
                   3.0135049944875395e-7, -8.3516196886968471e-7, 6.2707271571983109e-8, 1.1534943745754157e-7,
                   -7.7154186144178301e-9, -1.3670989863347382e-8, -1.8206098680308683e-9);
  return p / madd(a, Batch<T>(T(2)), Batch<T>(T(1)));
}

// 1 - erf x, whose digits it has where erf is 1
template <class T>
XGRAD_INLINE Batch<T> erfc(const Batch<T>& x) {
  const Batch<T> a = lower(Batch<T>(sizeof(T) == 4 ? T(10.5) : T(28)), magnitude(x));
  const Batch<T> tail = exp_of_minus(product(a, a)) * erfc_scaled(a);
  return pick(x < Batch<T>(T(0)), Batch<T>(T(2)) - tail, tail);
}

// |x| where exp(-x^2 / 2) is not 0
template <class T>
XGRAD_INLINE Batch<T> normal_range(const Batch<T>& x) {
  return lower(Batch<T>(sizeof(T) == 4 ? T(14.8) : T(39.5)), magnitude(x));
}
// exp(-x^2 / 2)
template <class T>
XGRAD_INLINE Batch<T> normal_decay(const Batch<T>& x) {
  const Batch<T> b = normal_range(x), half(T(0.5));
  const Two<T> square = product(b, b);
  return exp_of_minus(Two<T>{square.high * half, square.low * half});
}

// The normal distribution: erfc(-x / sqrt 2) / 2, but exp(-x^2 / 2) of x itself
template <class T>
XGRAD_INLINE Batch<T> ndtr(const Batch<T>& x) {
  const Batch<T> b = normal_range(x), half(T(0.5));
  const Batch<T> tail = normal_decay(x) * (half * erfc_scaled(b * Batch<T>(T(0.70710678118654752))));
  return pick(x > Batch<T>(T(0)), Batch<T>(T(1)) - tail, tail);
}

}  // namespace
}  // namespace xgrad::kernels
