// Losses of a number beside another.
#pragma once

#include <xgrad/nn/losses/reduction.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct HuberOptions {
  Reduction reduction = Reduction::mean;
  double delta = 1;
};
struct SmoothL1Options {
  Reduction reduction = Reduction::mean;
  double beta = 1;
};
struct QuantileOptions {
  Reduction reduction = Reduction::mean;
  double quantile = 0.5;  // in (0, 1)
};

// Prediction and target of one shape, or the target one number.
Tensor mse_loss(In prediction, In target, LossOptions options = {});            // (x - y)^2
Tensor l1_loss(In prediction, In target, LossOptions options = {});             // |x - y|
Tensor huber_loss(In prediction, In target, HuberOptions options = {});         // |e| <= d ? e^2 / 2 : d (|e| - d / 2)
Tensor smooth_l1_loss(In prediction, In target, SmoothL1Options options = {});  // huber_loss(delta = beta) / beta
// max(q e, (q - 1) e), e = y - x: least where x is the q-quantile of y (Koenker & Bassett 1978)
Tensor quantile_loss(In prediction, In target, QuantileOptions options = {});

}  // namespace xgrad::nn

#pragma GCC visibility pop
