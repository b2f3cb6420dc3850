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

// exp(-s), s within the range that exp has; and of any s
template <class T>
XGRAD_INLINE Batch<T> exp_of_minus_small(const Two<T>& s) {
  Batch<T> k;
  const Batch<T> r = reduce_exp(negate(s.high), k) - s.low;
  return scale(expm1_reduced(r) + Batch<T>(T(1)), k);
}
template <class T>
XGRAD_INLINE Batch<T> exp_of_minus(const Two<T>& s) {
  const Batch<T> x = lower(Batch<T>(exp_highest<T>), negate(s.high));
  const Mask<T> digits = (magnitude(s.high) < Batch<T>(T(1000))) & (s.low == s.low);  // not of what overflowed
  const Batch<T> low = pick(digits, s.low, Batch<T>(T(0)));
  Batch<T> k;
  const Batch<T> r = reduce_exp(unless_0(x, T(0)), k) - low;
  return scale_unless_0(x, expm1_reduced(r) + Batch<T>(T(1)), k);
}

// exp(-(x y) x): x^2 might be out of range where y x^2 is not
template <class T>
XGRAD_INLINE Batch<T> gaussian(const Batch<T>& x, const Batch<T>& y) {
  const Two<T> p = product(x, y), s = product(p.high, x);
  return exp_of_minus(Two<T>{s.high, madd(p.low, x, s.low)});
}

// exp(a^2 / 2) times the normal distribution's tail past a, 0 <= a <= 14.86 (39.7): r p(q), r = 1 / (a + c), q = (a - c) r
// (after Shepherd & Laframboise 1981)
template <class T>
XGRAD_INLINE Batch<T> tail_scaled(const Batch<T>& a) {
  constexpr T c = sizeof(T) == 4 ? T(2.75) : T(4);
  const Batch<T> r = Batch<T>(T(1)) / (a + Batch<T>(c)), q = (a - Batch<T>(c)) * r;
  Batch<T> p;
  if constexpr (sizeof(T) == 4)
    p = polynomial(q, 0.71898604678373634, -0.47435425909463175, 0.18233388080957208, -0.016562508948462465,
                   -0.0164401378175448, 0.0031876474402658056, 0.0024814516230353273, -0.00024747206669444325,
                   -0.0004070237529472426, -6.9163481521937505e-05);
  else
    p = polynomial(q, 0.75528513041575149, -0.60789664197189211, 0.38713740074221452, -0.18652185795965739,
                   0.060396574890937363, -0.0075401889667217312, -0.0034796923674073883, 0.0016308184575071353,
                   0.00013334431251793149, -0.00023109493445441266, -1.9082588515497447e-6, 3.5144682334560888e-5,
                   7.1666631391460407e-7, -5.9201614227578744e-6, -6.2969207677392327e-7, 1.0215306898049538e-6,
                   2.7178862135730899e-7, -1.5493847824561235e-7, -8.5382042944414346e-8, 1.3266869113153536e-8,
                   1.9597608063762742e-8, 1.9179983586663185e-9, -2.5146593858219571e-9, -7.2384572620904906e-10);
  return p * r;
}

// 1 - erf x, whose digits it has where erf is 1
template <class T>
XGRAD_INLINE Batch<T> erfc(const Batch<T>& x) {
  const Batch<T> a = lower(Batch<T>(sizeof(T) == 4 ? T(10.5) : T(28)), magnitude(x));
  const Batch<T> scaled = tail_scaled(a * Batch<T>(T(1.4142135623730951)));
  const Batch<T> tail = exp_of_minus_small(product(a, a)) * (scaled + scaled);
  return pick(x < Batch<T>(T(0)), Batch<T>(T(2)) - tail, tail);
}

// |x| where exp(-x^2 / 2) is not 0
template <class T>
XGRAD_INLINE Batch<T> normal_range(const Batch<T>& x) {
  return lower(Batch<T>(sizeof(T) == 4 ? T(14.8) : T(39.5)), magnitude(x));
}

// The normal distribution: erfc(-x / sqrt 2) / 2, but exp(-x^2 / 2) of x itself
template <class T>
XGRAD_INLINE Batch<T> ndtr(const Batch<T>& x) {
  const Batch<T> b = normal_range(x), half(T(0.5));
  const Two<T> square = product(b, b);
  const Batch<T> tail = exp_of_minus_small(Two<T>{square.high * half, square.low * half}) * tail_scaled(b);
  return pick(x > Batch<T>(T(0)), Batch<T>(T(1)) - tail, tail);
}

}  // namespace
}  // namespace xgrad::kernels
