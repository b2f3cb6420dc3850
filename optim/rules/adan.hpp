// Adan: Adam with Nesterov's momentum, estimated from the differences of gradients.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With d = g - the gradient before (0 at the first step), t from 1, and hats for 1 / (1 - beta^t):
//   m <- beta1 m + (1 - beta1) g       v <- beta2 v + (1 - beta2) d       n <- beta3 n + (1 - beta3) (g + beta2 d)^2
//   p <- (p - lr (m^ + beta2 v^) / (sqrt(n^) + eps)) / (1 + lr weight_decay)
//   no_prox:  p (1 - lr weight_decay) first, and no division
// (Xie et al. 2022), as the authors' program has it. Its betas are 1 less those of the paper.
struct AdanRule {
  double lr = 1e-3;
  double beta1 = 0.98;
  double beta2 = 0.92;
  double beta3 = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  bool no_prox = false;
  bool maximize = false;

  static constexpr const char* name = "Adan";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& n, Tensor& previous, const Step& step) const;
};
using Adan = Descent<AdanRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
