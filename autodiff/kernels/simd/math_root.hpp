// The cube root, within 1 ulp, and the length of a vector of two, within 1.25.
#pragma once

#include "autodiff/kernels/simd/math_exp.hpp"

namespace xgrad::kernels {
namespace {

// x = 2^(3 k) z, 0.35 < z < 2.83, and 2^k c, c = z y^2, y = z^(-1/3): a polynomial to 2^-17 on the mantissa, and Newton's step
// y + y (1 - z y^3) / 3 for f64. Then c - (c^3 - z) y^2 / 3, which is exact but for its last rounding.
template <class T>
XGRAD_INLINE Batch<T> cbrt(const Batch<T>& x) {
  using B = Batch<T>;
  const B a = magnitude(x), one(T(1)), third(T(1) / T(3));
  B e;
  const B m = mantissa(a, e), k = nearest(e * third), r = e - k * B(T(3));
  const Mask<T> above = r > B(T(0)), below = r < B(T(0));
  const B z = m * pick(above, B(T(2)), pick(below, B(T(0.5)), one));
  B y = polynomial(m, 1.9991695250608208, -2.4859148816446988, 2.7922025313791612, -1.8981260632438666,
                   0.70073664516918388, -0.10806390989400771);
  y = y * pick(above, B(T(0.79370052598409974)), pick(below, B(T(1.2599210498948732)), one));  // 2^(-1/3), 2^(1/3)
  if constexpr (sizeof(T) == 8) y = madd(y * nmadd(z * y, y * y, one), third, y);
  const B square = y * y, c = z * square;
  const B root = nmadd(nmadd(c * c, c, z) * square, B(T(-1) / T(3)), c) * power_of_2(k);
  return pick((a > B(T(0))) & (a < B(infinity<T>)), with_sign(root, x), x);
}

// sqrt(x^2 + y^2), times a power of two where the greater square leaves the range. Infinite if either is, as C has it.
template <class T>
XGRAD_INLINE Batch<T> hypot(const Batch<T>& x, const Batch<T>& y) {
  using B = Batch<T>;
  constexpr bool single = sizeof(T) == 4;
  const B a = magnitude(x), b = magnitude(y), h = upper(a, b), l = lower(a, b), one(T(1));
  const Mask<T> great = h > B(single ? T(0x1p60) : T(0x1p500)), small = h < B(single ? T(0x1p-50) : T(0x1p-400));
  const B down(single ? T(0x1p-70) : T(0x1p-600)), up(single ? T(0x1p100) : T(0x1p600));
  const B s = pick(great, down, pick(small, up, one)), p = h * s, q = l * s;
  const B back = pick(great, one / down, pick(small, one / up, one));
  const B z = xsimd::sqrt(madd(q, q, p * p)) * back, infinite(infinity<T>);
  const Mask<T> finite = (a < infinite) & (b < infinite);
  if (xsimd::all(finite)) [[likely]]
    return z;
  return pick(finite, z, pick((a == infinite) | (b == infinite), infinite, a + b));
}

}  // namespace
}  // namespace xgrad::kernels
