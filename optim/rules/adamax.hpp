// Adamax: Adam by the greatest gradient of late, instead of the mean square.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g (decoupled: p (1 - lr weight_decay) first instead), t from 1:
//   m <- beta1 m + (1 - beta1) g       u <- max(beta2 u, |g| + eps)
//   p <- p - lr / (1 - beta1^t) m / u
// (Kingma & Ba 2015, algorithm 2), as PyTorch has it: eps inside of the maximum.
struct AdamaxRule {
  double lr = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;  // AdamaxW
  bool maximize = false;

  static constexpr const char* name = "Adamax";
  static constexpr const char* slots[] = {"exp_avg", "exp_inf"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& m, Tensor& u, const Step& step) const;
};
using Adamax = Descent<AdamaxRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
