#include <xgrad/nn/layers/padding.hpp>

#include <fmt/format.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {
namespace {

// Each mode is separable: axis by axis.
Tensor padded_along(const Tensor& x, int axis, Size before, Size after, PadOptions options, Source source) {
  const Size n = x.shape()[axis];
  const auto refuse = [&](const char* mode, const char* needs) {
    fail(source.named("pad"), "the mode {} needs {} along axis {} for a padding of {} and {}, got the shape {}", mode,
         needs, axis, before, after, x.shape());
  };
  if (options.mode == PaddingMode::zeros) {
    if (before < 0 || after < 0) {
      if (n + std::min<Size>(before, 0) + std::min<Size>(after, 0) < 0)
        refuse("zeros", "as many numbers as are cut off");
      const Tensor cut = slice(x, axis, std::max<Size>(0, -before), n - std::max<Size>(0, -after));
      return padded_along(cut, axis, std::max<Size>(before, 0), std::max<Size>(after, 0), options, source);
    }
    if (options.value == 0) return xgrad::pad(x, axis, before, after);
    const auto constants = [&](Size count) {
      Shape shape = x.shape();
      shape[axis] = count;
      return full(shape, options.value, x.dtype());
    };
    return concat({constants(before), x, constants(after)}, axis);
  }
  const Size most = std::max(before, after);
  if (before < 0 || after < 0) refuse("reflect, replicate or circular", "numbers of 0 or more");
  switch (options.mode) {
    case PaddingMode::reflect:
      if (most >= n) refuse("reflect", "more numbers than are added");
      return concat({flip(slice(x, axis, 1, before + 1), axis), x, flip(slice(x, axis, n - 1 - after, n - 1), axis)},
                    axis);
    case PaddingMode::replicate: {
      if (n == 0) refuse("replicate", "at least one number");
      const auto again = [&](Size at, Size count) {
        Shape shape = x.shape();
        shape[axis] = count;
        return expand(slice(x, axis, at, at + 1), shape);
      };
      return concat({again(0, before), x, again(n - 1, after)}, axis);
    }
    default:
      if (most > n) refuse("circular", "as many numbers as are added");
      return concat({slice(x, axis, n - before, n), x, slice(x, axis, 0, after)}, axis);
  }
}

}  // namespace

Tensor pad(In x, const Shape& padding, PadOptions options) {
  const Located at(x, "pad");
  const Source source = line_of(x);
  Tensor y = x;
  if (!y.defined()) fail(source.named("pad"), "expected numbers, got an empty tensor; give it a value first");
  const int pairs = padding.rank() / 2;
  if (padding.rank() % 2 != 0 || pairs > y.dim())
    fail(source.named("pad"), "expected a padding of two numbers for each axis, {} at most, got {} for the shape {}",
         2 * y.dim(), padding, y.shape());
  for (int i = 0; i < pairs; ++i)
    if (padding[2 * i] != 0 || padding[2 * i + 1] != 0)
      y = padded_along(y, y.dim() - 1 - i, padding[2 * i], padding[2 * i + 1], options, source);
  return y;
}

PaddingLayer::PaddingLayer(int axes, const char* name, const Shape& all, PadOptions given, Source source)
    : padding(all), options(given), name_(name) {
  if (all.rank() == 1)
    for (int i = 1; i < 2 * axes; ++i) padding.push_back(all[0]);
  if (padding.rank() != 2 * axes)
    fail(source.named(name), "expected a padding of one number, or of {}: two for each axis; got {}", 2 * axes, all);
}

Tensor PaddingLayer::operator()(In x) const {
  const Located at(x, name_);
  if (padding.empty()) fail(line_of(x, name_), "this layer was moved from; assign one that has a padding");
  return pad(x, padding, options);
}

}  // namespace xgrad::nn
