// StableAdamW: AdamW whose step is shortened where gradients are far greater than they were.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// t from 1, b1 and b2 for (beta^t - beta) / (beta^t - 1), so that nothing is to be corrected:
//   m <- b1 m + (1 - b1) g       v <- b2 v + (1 - b2) g^2
//   r = lr / max(1, sqrt(mean of g^2 / max(v, eps^2)))          the mean over the tensor
//   p <- p (1 - r weight_decay) - r m / (sqrt(v) + eps)
// (Wortsman et al. 2023), as optimi has it. lr has no default there.
struct StableAdamWRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double eps = 1e-6;
  double weight_decay = 1e-2;
  bool maximize = false;

  static constexpr const char* name = "StableAdamW";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using StableAdamW = Descent<StableAdamWRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
