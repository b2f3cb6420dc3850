// Losses of a distribution: that which the network names, beside what was seen or another distribution.
#pragma once

#include <xgrad/nn/losses/reduction.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct KlDivOptions {
  Reduction reduction = Reduction::mean;
  bool log_target = false;  // targets are logarithms, too
  bool batchmean = false;   // the mean divides by rows, not by numbers: the divergence itself
};
// q (log q - log p), q the target: prediction log p and target of one shape. Where q is 0: 0.
Tensor kl_div(In log_prediction, In target, KlDivOptions options = {});

struct PoissonNllOptions {
  Reduction reduction = Reduction::mean;
  bool log_input = true;  // x is the logarithm of the rate
  bool full = false;      // with log y! by Stirling's formula, of y > 1
  double eps = 1e-8;      // added to a rate that is no logarithm
};
// e^x - y x, or x - y log(x + eps): - log of the probability to count y
Tensor poisson_nll_loss(In prediction, In target, PoissonNllOptions options = {});

struct GaussianNllOptions {
  Reduction reduction = Reduction::mean;
  bool full = false;  // with log(2 pi) / 2
  double eps = 1e-6;  // the least variance; the slope goes on below it
};
// (log v + (x - y)^2 / v) / 2 (Nix & Weigend 1994). The variance has the prediction's shape, or one number for each row, [n, 1]
// or [n] beside [n, k]. One below 0 makes NaN.
Tensor gaussian_nll_loss(In prediction, In target, In variance, GaussianNllOptions options = {});

}  // namespace xgrad::nn

#pragma GCC visibility pop
