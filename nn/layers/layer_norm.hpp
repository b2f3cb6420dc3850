// Normalisation of each vector by itself.
#pragma once

#include <xgrad/nn/fields.hpp>

namespace xgrad::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;
  bool bias = true;
  DType dtype = default_dtype();
};

// Ba et al. 2016:  y = (x - mean) / sqrt(var + eps) weight + bias, over the last axis.
struct LayerNorm {
  Parameter weight, bias;  // [width]
  LayerNormOptions options;

  LayerNorm() = default;
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {}, Source source = Source::here());
  Tensor operator()(In x) const;

  XGRAD_FIELDS(weight, bias)
};

}  // namespace xgrad::nn
