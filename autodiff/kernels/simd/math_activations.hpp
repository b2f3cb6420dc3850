// silu, gelu and its tanh form, with slopes. Where one factor is 0, or 1, the other is kept in bounds: no 0 x infinity. A
// factor that would be a subnormal number, without all digits, comes as h^2, and is multiplied by h twice.
#pragma once

#include "autodiff/kernels/simd/math_erf.hpp"

namespace xgrad::kernels {
namespace {

// x kept above -bound, and on both sides
template <class T>
struct Inside {
  Batch<T> above, x;
  XGRAD_INLINE Inside(const Batch<T>& of, T bound)
      : above(upper(Batch<T>(-bound), of)), x(lower(Batch<T>(bound), above)) {}
};

// x sigmoid x = max(x, 0) - a t,  a = |x|,  t = 1 / (1 + exp a) = h^2 r,  h = S exp(-a / 2),  r = 1 / (S^2 + h^2)
// slope w = t (1 - a (1 - t)) below 0, 1 - w above
template <class T>
struct Silu {
  Batch<T> size, h, r;
  static constexpr T square = Decay<T>::scale * Decay<T>::scale;
  XGRAD_INLINE explicit Silu(const Batch<T>& x) {
    size = lower(Batch<T>(T(1024)), magnitude(x));
    const Decay<T> d = decay(size * Batch<T>(T(-0.5)));
    h = madd(d.q, d.p, d.q);
    r = Batch<T>(T(1)) / madd(h, h, Batch<T>(square));
  }
};
template <class T>
XGRAD_INLINE Batch<T> times_sigmoid(const Batch<T>& x) {
  const Silu<T> s(x);
  return upper(Batch<T>(T(0)), x) - (s.size * s.h) * (s.r * s.h);
}
template <class T>
XGRAD_INLINE Batch<T> times_sigmoid_slope(const Batch<T>& x) {
  const Silu<T> s(x);
  const Batch<T> one(T(1)), w = nmadd(s.size * s.h, Batch<T>(s.square) * s.r, s.h) * (s.r * s.h);
  return pick(x < Batch<T>(T(0)), w, one - w);
}

// x ndtr x = max(x, 0) - a t,  a = |x|,  t = c h^2,  h^2 = exp(-x^2 / 2)
// slope w = (c - a / sqrt(2 pi)) h^2 below 0, 1 - w above
template <class T>
struct Gelu {
  Batch<T> size, h, c;
  XGRAD_INLINE explicit Gelu(const Batch<T>& x) {
    size = normal_range(x);
    const Two<T> square = product(size, size);
    const Batch<T> quarter(T(0.25));
    h = exp_of_minus_small(Two<T>{square.high * quarter, square.low * quarter});
    c = tail_scaled(size);
  }
};
template <class T>
XGRAD_INLINE Batch<T> times_ndtr(const Batch<T>& x) {
  const Gelu<T> g(x);
  return upper(Batch<T>(T(0)), x) - (g.size * g.c * g.h) * g.h;
}
template <class T>
XGRAD_INLINE Batch<T> times_ndtr_slope(const Batch<T>& x) {
  const Gelu<T> g(x);
  const Batch<T> one(T(1)), w = (nmadd(g.size, Batch<T>(T(0.3989422804014327)), g.c) * g.h) * g.h;
  return pick(x < Batch<T>(T(0)), w, one - w);
}

// x s(u),  u = a x + b x^3;  slope s + x s' u'
template <class T>
struct Cubic {
  static constexpr T a = T(1.5957691216057307), b = T(0.044715 * 1.5957691216057307);
  Batch<T> square, u;
  XGRAD_INLINE explicit Cubic(const Batch<T>& x) : square(x * x), u(x * madd(square, Batch<T>(b), Batch<T>(a))) {}
  XGRAD_INLINE Batch<T> slope() const { return madd(square, Batch<T>(3 * b), Batch<T>(a)); }
};
template <class T>
XGRAD_INLINE Batch<T> times_sigmoid_cubic(const Batch<T>& x) {
  const Inside<T> in(x, T(64));
  return in.above * sigmoid(Cubic<T>(in.x).u);
}
template <class T>
XGRAD_INLINE Batch<T> times_sigmoid_cubic_slope(const Batch<T>& x) {
  const Batch<T> c = Inside<T>(x, T(64)).x;
  const Cubic<T> cubic(c);
  const Batch<T> s = sigmoid(cubic.u);
  return s + c * (sigmoid_slope(cubic.u) * cubic.slope());
}

}  // namespace
}  // namespace xgrad::kernels
