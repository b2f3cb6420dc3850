// Adan: Adam with Nesterov's momentum, estimated from the differences of gradients.
#pragma once

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/descent.hpp>

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

  static constexpr const char* name = "Adan";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const {
    require(beta1 >= 0 && beta1 < 1, "beta1 in [0, 1)", beta1);
    require(beta2 >= 0 && beta2 < 1, "beta2 in [0, 1)", beta2);
    require(beta3 >= 0 && beta3 < 1, "beta3 in [0, 1)", beta3);
    require.divisor("eps", eps);
    require.not_negative("weight_decay", weight_decay);
  }
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& n, Tensor& previous, const Step& step) const {
    const double of_m = 1 - pow(beta1, step.t), of_v = 1 - pow(beta2, step.t), of_n = sqrt(1 - pow(beta3, step.t));
    if (step.t == 1) previous = g;
    const Tensor d = g - previous;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * d;
    n = beta3 * n + (1 - beta3) * square(g + beta2 * d);
    const Tensor change = (step.lr / of_m * m + step.lr * beta2 / of_v * v) / (sqrt(n) / of_n + eps);
    if (no_prox) p = (1 - step.lr * weight_decay) * p - change;
    else p = (p - change) / (1 + step.lr * weight_decay);
    previous = g;
  }
};
using Adan = Descent<AdanRule>;

}  // namespace xgrad::optim
