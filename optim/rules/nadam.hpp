// NAdam: Adam with Nesterov's momentum, which grows in the first steps.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g (decoupled: p (1 - lr weight_decay) first instead), t from 1:
//   mu[t] = beta1 (1 - 0.96^(t momentum_decay) / 2),  M[t] their product up to t
//   m <- beta1 m + (1 - beta1) g       v <- beta2 v + (1 - beta2) g^2
//   p <- p - lr ((1 - mu[t]) g / (1 - M[t]) + mu[t + 1] m / (1 - M[t + 1])) / (sqrt(v / (1 - beta2^t)) + eps)
// (Dozat 2016), as PyTorch has it.
struct NAdamRule {
  double lr = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
  bool decoupled_weight_decay = false;  // NAdamW
  bool maximize = false;

  static constexpr const char* name = "NAdam";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr const char* numbers[] = {"mu_product"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void advance(double* product, const Step& step) const;
  void update(Tensor& p, Tensor g, Tensor& m, Tensor& v, const Step& step) const;
};
using NAdam = Descent<NAdamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
