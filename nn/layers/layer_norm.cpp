#include <xgrad/nn/layers/layer_norm.hpp>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {

LayerNorm::LayerNorm(const Shape& shape, const LayerNormOptions& o, Source source)
    : weight(ones(shape, o.dtype, source), source), options(o) {
  if (o.bias) bias = Parameter(zeros(shape, o.dtype, source), source);
}

Tensor LayerNorm::operator()(In x) const {
  const Located at(x, "LayerNorm");
  const Tensor input = input_of("LayerNorm", x, weight);
  if (input.numel() == 0) return input;
  const Tensor centred = input - mean(input, -1, true);
  const Tensor y = centred * rsqrt(mean(square(centred), -1, true) + options.eps) * weight;
  return bias.defined() ? y + bias : y;
}

}  // namespace xgrad::nn
