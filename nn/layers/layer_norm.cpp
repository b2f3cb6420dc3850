#include <xgrad/nn/layers/layer_norm.hpp>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {

LayerNorm::LayerNorm(Extent width, LayerNormOptions options, Source source)
    : weight(ones({width}, options.dtype, source), source), bias(zeros({width}, options.dtype, source), source), eps(options.eps) {}

Tensor LayerNorm::operator()(In x) const {
  const Located at(x, "LayerNorm");
  const Tensor input = input_of("LayerNorm", x, weight);
  const Tensor centred = input - mean(input, -1, true);
  return centred * rsqrt(mean(square(centred), -1, true) + eps) * weight + bias;
}

}  // namespace xgrad::nn
