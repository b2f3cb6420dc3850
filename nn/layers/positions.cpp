#include <xgrad/nn/layers/positions.hpp>

#include <fmt/core.h>

#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/layers/activations.hpp>
#include "nn/layers/made.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {

namespace {

// t / base^(2 i / width) of each step and pair, in f64: an angle of 5000 would have four digits in f32.
Tensor angles(Size from, Size length, Size pairs, Size width, double base) {
  const Tensor steps = cast(arange(from, from + length), f64), i = cast(arange(pairs), f64);
  return reshape(steps, {length, 1}) * exp(i * (-2 * std::log(base) / static_cast<double>(width)));
}

DType float_dtype_of(const Tensor& x) { return x.defined() && is_float(x.dtype()) ? x.dtype() : default_dtype(); }

// x + table[0 ... time - 1] in that dtype, for the layers below.
Tensor plus_positions(const char* layer, const In& x, const Tensor& table, bool batch_first, DType dtype) {
  const Tensor input = x;
  if (!input.defined()) fail(line_of(x, layer), "expected numbers, got an empty tensor; give it a value first");
  if (!table.defined())
    fail(line_of(x, layer), "this layer was made without sizes, or moved from; assign one that has them");
  if (!is_float(input.dtype()))
    fail(line_of(x, layer), "expected floats, got {}; cast them first: cast(x, {})", name(input.dtype()), name(dtype));
  const Shape& shape = input.shape();
  const Size most = table.shape()[0], width = table.shape()[1];
  const int time = shape.rank() == 3 && batch_first ? 1 : 0;
  if ((shape.rank() != 2 && shape.rank() != 3) || shape.back() != width || shape[time] > most)
    fail(line_of(x, layer), "expected {} or [time, width], of a width of {} and at most {} steps, got the shape {}",
         batch_first ? "[batch, time, width]" : "[time, batch, width]", width, most, shape);
  const auto in_dtype = [&](const Tensor& t) { return t.dtype() == dtype ? t : cast(t, dtype); };
  const Tensor some = in_dtype(slice(table, 0, 0, shape[time])), own = in_dtype(input);
  return own + (shape.rank() == 3 && !batch_first ? unsqueeze(some, 1) : some);
}

}  // namespace

Tensor sinusoidal_positions(Extent length, Extent width, DType dtype, Source source) {
  if (length.value < 0 || width.value < 1 || !is_float(dtype))
    fail(source.named("sinusoidal_positions"),
         "expected a length of 0 or more, a width of 1 or more and a dtype of floats, "
         "got {}, {} and {}",
         length.value, width.value, name(dtype));
  const Located at(source, "sinusoidal_positions");
  const NoGrad no_grad;
  const Tensor a = angles(0, length.value, (width.value + 1) / 2, width.value, 10000);
  const Tensor pairs = reshape(stack({sin(a), cos(a)}, 2), {length.value, 2 * ((width.value + 1) / 2)});
  return evaluate(cast(slice(pairs, 1, 0, width.value), dtype));
}

PositionalEncoding::PositionalEncoding(Extent width, PositionalEncodingOptions options, Source source)
    : dropout(options.dropout), batch_first(options.batch_first) {
  if (width.value < 1 || options.max_len < 1)
    fail(source.named("PositionalEncoding"), "expected a width and a max_len of at least 1, got {} and {}", width.value,
         options.max_len);
  if (!(dropout >= 0 && dropout <= 1))
    fail(source.named("PositionalEncoding"), "expected a dropout in [0, 1], got {}", dropout);
  positions = sinusoidal_positions(options.max_len, width, f64, source);
}

Tensor PositionalEncoding::operator()(In x) const {
  const Located at(x, "PositionalEncoding");
  const Tensor y = plus_positions("PositionalEncoding", x, positions, batch_first, float_dtype_of(x));
  return training && dropout > 0 ? nn::dropout(y, dropout) : y;
}

LearnedPositions::LearnedPositions(Extent max_len, Extent width, LearnedPositionsOptions options, Source source)
    : batch_first(options.batch_first) {
  if (max_len.value < 1 || width.value < 1)
    fail(source.named("LearnedPositions"), "expected a max_len and a width of at least 1, got {} and {}", max_len.value,
         width.value);
  require_float("LearnedPositions", options.dtype, source);
  const Located at(source, "LearnedPositions");
  const LayerStream first;
  weight = Parameter(randn({max_len, width}, options.dtype, source), source);
}

Tensor LearnedPositions::operator()(In x) const {
  const Located at(x, "LearnedPositions");
  return noted(weight, plus_positions("LearnedPositions", x, weight, batch_first,
                                      weight.defined() ? weight.dtype() : default_dtype()));
}

// (a, b) -> (a cos - b sin, a sin + b cos)
Tensor rotary_embedding(In x, RotaryOptions options) {
  const char* const op = "rotary_embedding";
  const Tensor t = x;
  if (!t.defined() || !is_float(t.dtype()) || t.dim() < 2 || t.shape().back() % 2 != 0 || t.shape().back() == 0)
    fail(line_of(x, op), "expected floats [..., time, width] of an even width, got {}",
         t.defined() ? fmt::format("{} {}", name(t.dtype()), t.shape()) : "an empty tensor");
  if (!(options.base > 0) || !std::isfinite(options.base))
    fail(line_of(x, op), "expected a base above 0, and finite, got {}", options.base);
  const Located at(x, op);
  const Shape& shape = t.shape();
  const Size width = shape.back(), half = width / 2, length = shape[shape.rank() - 2];
  const Tensor a = angles(options.offset, length, half, width, options.base);
  const Tensor c = cast(cos(a), t.dtype()), s = cast(sin(a), t.dtype());
  const int last = shape.rank() - 1;
  if (!options.interleaved) {
    const Tensor u = slice(t, last, 0, half), v = slice(t, last, half);
    return concat({u * c - v * s, u * s + v * c}, last);
  }
  Shape pairs = shape;
  pairs[last] = half;
  pairs.push_back(2);
  const Tensor each = reshape(t, pairs), u = select(each, last + 1, 0), v = select(each, last + 1, 1);
  return reshape(stack({u * c - v * s, u * s + v * c}, last + 1), shape);
}

}  // namespace xgrad::nn
