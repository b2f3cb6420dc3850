// RAdam: Adam that takes plain momentum steps until its mean square is to be relied on.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g (decoupled: p (1 - lr weight_decay) first instead), t from 1:
//   m <- beta1 m + (1 - beta1) g       v <- beta2 v + (1 - beta2) g^2
//   rho[t] = R - 2 t beta2^t / (1 - beta2^t),  R = 2 / (1 - beta2) - 1
//   r = sqrt((rho - 4) (rho - 2) R / ((R - 4) (R - 2) rho))
//   rho[t] > 5:  p <- p - lr m / (1 - beta1^t) r sqrt(1 - beta2^t) / (sqrt(v) + eps)
//   else:        p <- p - lr m / (1 - beta1^t)                        (as long as a step of SGD)
// (Liu et al. 2020), as PyTorch has it. optax changes at 5 already, and adds eps after the correction of v.
struct RAdamRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;  // RAdamW
  bool maximize = false;

  static constexpr const char* name = "RAdam";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& m, Tensor& v, const Step& step) const;
};
using RAdam = Descent<RAdamRule>;

// How far v may be relied on after t steps: rho and r above; r is 1 where rho is not above 4.
struct Rectification {
  double rho, r;
  Rectification(double beta2, Size t);
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
