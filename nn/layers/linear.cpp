#include <xgrad/nn/layers/linear.hpp>

#include <fmt/core.h>

#include <cmath>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "nn/layers/made.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {

// kaiming_uniform with a = sqrt(5) is uniform in +-sqrt(6 / (1 + a^2) / in) = +-1 / sqrt(in) (torch.nn.Linear)
Linear::Linear(Extent in, Extent out, LinearOptions options, Source source) {
  require_sizes("Linear", "sizes", {in.value, out.value}, source);
  require_float("Linear", options.dtype, source);
  const Located at(source, "Linear");
  const LayerStream first;
  const double bound = 1 / std::sqrt(static_cast<double>(in.value));
  weight = drawn({out, in}, options.dtype, bound, source);
  if (options.bias) bias = drawn({out}, options.dtype, bound, source);
}

Tensor Linear::operator()(In x) const { return with_weight(x, weight); }

Tensor Linear::with_weight(In x, const Tensor& w) const {
  const Located at(x, "Linear");
  const Tensor input = input_of("Linear", x, w);
  const Shape& shape = input.shape();
  if (shape.empty() || shape.back() != w.shape()[1])
    fail(line_of(x).named("Linear"),
         "expected {} numbers along the last axis, got the shape {}; the layer was "
         "made for {} -> {}",
         w.shape()[1], shape, w.shape()[1], w.shape()[0]);
  return noted(weight.defined() ? weight : bias, linear(input, w, bias));
}

Bilinear::Bilinear(Extent in1, Extent in2, Extent out, LinearOptions options, Source source) {
  require_sizes("Bilinear", "sizes", {in1.value, in2.value, out.value}, source);
  require_float("Bilinear", options.dtype, source);
  const Located at(source, "Bilinear");
  const LayerStream first;
  const double bound = 1 / std::sqrt(static_cast<double>(in1.value));
  weight = drawn({out, in1, in2}, options.dtype, bound, source);
  if (options.bias) bias = drawn({out}, options.dtype, bound, source);
}

// x2 times each [in1, in2] of the weight is one product; its rows then meet x1.
Tensor Bilinear::operator()(In x1, In x2) const {
  const Located at(x1, "Bilinear");
  const Tensor a = input_of("Bilinear", x1, weight), b = input_of("Bilinear", x2, weight);
  const Size out = weight.shape()[0], in1 = weight.shape()[1], in2 = weight.shape()[2];
  Shape batch = a.shape(), batch_b = b.shape();
  if (batch.empty() || batch_b.empty() || batch.back() != in1 || batch_b.back() != in2)
    fail(line_of(x1).named("Bilinear"), "expected {} and {} numbers along the last axes, got the shapes {} and {}", in1,
         in2, a.shape(), b.shape());
  batch.resize(batch.rank() - 1), batch_b.resize(batch_b.rank() - 1);
  if (!(batch == batch_b))
    fail(line_of(x1).named("Bilinear"), "expected batches that are alike, got the shapes {} and {}", a.shape(),
         b.shape());
  Shape apart = batch;
  apart.push_back(out), apart.push_back(in1);
  const Tensor met = reshape(linear(b, reshape(weight, {out * in1, in2})), apart);
  const Tensor y = sum(met * unsqueeze(a, -2), -1);
  return noted(weight, bias.defined() ? y + bias : y);
}

}  // namespace xgrad::nn
