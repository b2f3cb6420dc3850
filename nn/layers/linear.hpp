// The fully connected layers.
#pragma once

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct LinearOptions {
  bool bias = true;
  DType dtype = default_dtype();
};

// y = x W^T + b, over the last axis of x, in the dtype of W. Starts as PyTorch's: both uniform in +-1 / sqrt(in).
struct Linear {
  Parameter weight, bias;  // [out, in], [out]

  Linear() = default;  // empty, until one with sizes is assigned: std::vector<nn::Linear> layers(3)
  Linear(Extent in, Extent out, LinearOptions options = {}, Source source = Source::here());
  Tensor operator()(In x) const;
  Tensor with_weight(In x, const Tensor& w) const;  // as if w were its weight

  XGRAD_FIELDS(weight, bias)
};

// y[..., o] = sum over i and j of x1[..., i] weight[o][i][j] x2[..., j], plus bias[o]. Leading axes are batches, of both alike. Starts
// as PyTorch's: both uniform in +-1 / sqrt(in1).
struct Bilinear {
  Parameter weight, bias;  // [out, in1, in2], [out]

  Bilinear() = default;
  Bilinear(Extent in1, Extent in2, Extent out, LinearOptions options = {}, Source source = Source::here());
  Tensor operator()(In x1, In x2) const;

  XGRAD_FIELDS(weight, bias)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
