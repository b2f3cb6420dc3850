// The fully connected layer.
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

  XGRAD_FIELDS(weight, bias)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
