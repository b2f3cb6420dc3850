// AdaBelief: Adam by how far gradients are from what momentum expects of them.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// p (1 - lr weight_decay) first, t from 1:
//   m <- beta1 m + (1 - beta1) g       s <- beta2 s + (1 - beta2) (g - m)^2 + eps
//   p <- p - lr m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + eps)
// rectify: as in RAdam, where rho[t] >= 5:  p <- p - lr m / (1 - beta1^t) r sqrt(1 - beta2^t) / (sqrt(s) + eps)
//          and else:                        p <- p - lr m / (1 - beta1^t)
// (Zhuang et al. 2020). eps stays in s, and comes to it in each step. The authors' program rectifies unless told; optax
// does not.
struct AdaBeliefRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-16;
  double weight_decay = 0;
  bool rectify = false;
  bool maximize = false;

  static constexpr const char* name = "AdaBelief";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_var"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& s, const Step& step) const;
};
using AdaBelief = Descent<AdaBeliefRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
