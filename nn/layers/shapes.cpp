#include <xgrad/nn/layers/shapes.hpp>

#include <fmt/format.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "nn/layers/made.hpp"

namespace xgrad::nn {

Tensor Flatten::operator()(In x) const {
  const Located at(x, "Flatten");
  const Tensor t = x;
  const int rank = t.dim();
  const Size first = from < 0 ? from + rank : from, last = to < 0 ? to + rank : to;
  if (last == rank - 1 || rank == 0) return xgrad::flatten(t, from);
  if (first < 0 || last >= rank || first > last)
    fail(line_of(x).named("Flatten"), "expected axes from {} to {} of the shape {}, the first before the last", from,
         to, t.shape());
  Shape shape;
  for (int i = 0; i < rank; ++i)
    if (i <= first || i > last) shape.push_back(t.shape()[i]);
    else shape[static_cast<int>(first)] *= t.shape()[i];
  return reshape(t, shape);
}

Tensor Unflatten::operator()(In x) const {
  const Located at(x, "Unflatten");
  const Tensor t = x;
  const Size n = t.size(axis), place = axis < 0 ? axis + t.dim() : axis;
  Size known = 1, open = 0;
  for (const Size e : extents) {
    if (e == -1) ++open;
    if (e < -1 || (e >= 0 && __builtin_mul_overflow(known, e, &known))) known = -1;
    if (known < 0) break;
  }
  if (known < 0 || open > 1 || extents.empty() || (open ? known == 0 || n % known != 0 : known != n))
    fail(line_of(x).named("Unflatten"), "expected extents whose product is {}, that of axis {} of the shape {}, got {}",
         n, axis, t.shape(), extents);
  Shape shape;
  for (int i = 0; i < t.dim(); ++i)
    if (i != place) shape.push_back(t.shape()[i]);
    else
      for (const Size e : extents) shape.push_back(e == -1 ? n / known : e);
  return reshape(t, shape);
}

namespace {

Tensor images(const char* op, const In& x, Size factor, const char* what) {
  if (factor < 1) fail(line_of(x).named(op), "expected {} of 1 or more, got {}", what, factor);
  const Tensor t = x;
  if (!t.defined()) fail(line_of(x).named(op), "expected numbers, got an empty tensor; give it a value first");
  return t;
}

}  // namespace

Tensor pixel_shuffle(In x, Size r) {
  const Located at(x, "pixel_shuffle");
  const Tensor t = images("pixel_shuffle", x, r, "an upscale_factor");
  const Shape& s = t.shape();
  const int rank = s.rank();
  Size square = 0;
  if (rank < 3 || __builtin_mul_overflow(r, r, &square) || s[rank - 3] % square != 0)
    fail(line_of(x).named("pixel_shuffle"),
         "expected x [..., channels, height, width] with a multiple of {}^2 channels, got the shape {}", r, s);
  Shape apart, order, shape;
  for (int i = 0; i < rank - 3; ++i) apart.push_back(s[i]), order.push_back(i), shape.push_back(s[i]);
  const Size c = s[rank - 3] / square, h = s[rank - 2], w = s[rank - 1];
  for (const Size e : {c, r, r, h, w}) apart.push_back(e);
  for (const int axis : {0, 3, 1, 4, 2}) order.push_back(rank - 3 + axis);
  for (const Size e : {c, h * r, w * r}) shape.push_back(e);
  return reshape(permute(reshape(t, apart), order), shape);
}

Tensor pixel_unshuffle(In x, Size r) {
  const Located at(x, "pixel_unshuffle");
  const Tensor t = images("pixel_unshuffle", x, r, "a downscale_factor");
  const Shape& s = t.shape();
  const int rank = s.rank();
  if (rank < 3 || s[rank - 2] % r != 0 || s[rank - 1] % r != 0)
    fail(line_of(x).named("pixel_unshuffle"),
         "expected x [..., channels, height, width] of extents that {} divides, got the shape {}", r, s);
  Shape apart, order, shape;
  for (int i = 0; i < rank - 3; ++i) apart.push_back(s[i]), order.push_back(i), shape.push_back(s[i]);
  const Size c = s[rank - 3], h = s[rank - 2] / r, w = s[rank - 1] / r;
  for (const Size e : {c, h, r, w, r}) apart.push_back(e);
  for (const int axis : {0, 2, 4, 1, 3}) order.push_back(rank - 3 + axis);
  for (const Size e : {c * r * r, h, w}) shape.push_back(e);
  return reshape(permute(reshape(t, apart), order), shape);
}

Tensor channel_shuffle(In x, Size groups) {
  const Located at(x, "channel_shuffle");
  const Tensor t = images("channel_shuffle", x, groups, "groups");
  const Shape& s = t.shape();
  if (s.rank() < 3 || s[1] % groups != 0)
    fail(line_of(x).named("channel_shuffle"),
         "expected x [batch, channels, ...] with channels that {} divides, got the shape {}", groups, s);
  Shape apart{s[0], groups, s[1] / groups};
  for (int i = 2; i < s.rank(); ++i) apart.push_back(s[i]);
  return reshape(transpose(reshape(t, apart), 1, 2), s);
}

}  // namespace xgrad::nn
