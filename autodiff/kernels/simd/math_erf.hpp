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

// exp(a^2 / 2) times the normal distribution's tail past a, 0 <= a <= 14.86 (39.7): r p(q), r = 1 / (a + c), q = 1 - 2 c r, which is
// (a - c) / (a + c)   (after Shepherd & Laframboise 1981)
template <class T>
XGRAD_INLINE Batch<T> tail_scaled(const Batch<T>& a) {
  constexpr T c = sizeof(T) == 4 ? T(4.2) : T(5.5);
  const Batch<T> r = Batch<T>(T(1)) / (a + Batch<T>(c)), q = nmadd(r, Batch<T>(2 * c), Batch<T>(T(1)));
  Batch<T> p;
  if constexpr (sizeof(T) == 4)
    p = polynomial(q, 0.75875151338389935, -0.62186246292850289, 0.41224657219112515, -0.21381695236370832,
                   0.080178995636094166, -0.01677020059333021, -0.0014845305550468327, 0.0021231524570122168,
                   -0.00023838846955973275, -0.00021937895403768761);
  else
    p = polynomial(q, 0.77376963427640677, -0.68518342057433805, 0.5355964890624944, -0.36704906529362588,
                   0.21787243285797053, -0.10970308995854807, 0.045097580814749559, -0.013923510567866411,
                   0.0024429826751107584, 0.00026960401623415919, -0.00032452264975161275, 7.1414787545331854e-5,
                   1.631995437917284e-5, -1.2118742407211328e-5, 4.4645842093173811e-7, 1.4836434442182565e-6,
                   -2.6798943832802104e-7, -1.7744491661628903e-7, 5.0467880635431435e-8, 2.293007422830407e-8,
                   -5.7411087782594673e-9, -2.60848167671135e-9);
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
