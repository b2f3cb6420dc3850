#include <xgrad/nn/layers/linear.hpp>

#include <fmt/core.h>

#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/init.hpp>

namespace xgrad::nn {

// kaiming_uniform with a = sqrt(5) is uniform in +-sqrt(6 / (1 + a^2) / in) = +-1 / sqrt(in) (torch.nn.Linear)
Linear::Linear(Extent in, Extent out, LinearOptions options, Source source) {
  if (in.value < 1 || out.value < 1)
    fail(source, fmt::format("[Linear] expected sizes of at least 1, got {} -> {}", in.value, out.value));
  if (!is_float(options.dtype))
    fail(source, fmt::format("[Linear] expected the dtype f32 or f64, got {}", name(options.dtype)));
  const Located at(source, "Linear");
  const LayerStream first;
  const double bound = 1 / std::sqrt(static_cast<double>(in.value));
  weight = Parameter(init::uniform_tensor({out, in}, options.dtype, -bound, bound, source), source);
  if (options.bias) bias = Parameter(init::uniform_tensor({out}, options.dtype, -bound, bound, source), source);
}

Tensor Linear::operator()(In x) const {
  const Located at(x, "Linear");
  const Tensor input = input_of("Linear", x, weight);
  const Shape& shape = input.shape();
  if (shape.empty() || shape.back() != weight.shape()[1])
    fail(line_of(x), fmt::format("[Linear] expected {} numbers along the last axis, got the shape {}; the layer was "
                                 "made for {} -> {}",
                                 weight.shape()[1], shape, weight.shape()[1], weight.shape()[0]));
  return linear(input, weight, bias);
}

}  // namespace xgrad::nn
