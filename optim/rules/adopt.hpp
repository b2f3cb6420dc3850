// ADOPT: Adam that divides a gradient by the mean square of those before it, and so converges with any beta2.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g (decoupled: p (1 - lr weight_decay) first instead, but not in the first step), t from 1:
//   t = 1:  v <- g^2, and p stays
//   else:   u = g / max(sqrt(v), eps), kept within +-(t - 1)^(1/4) if `clip`
//           m <- beta1 m + (1 - beta1) u       p <- p - lr m       v <- beta2 v + (1 - beta2) g^2
// (Taniguchi et al. 2024, the authors' program as of November 2024; the first paper does not clip).
struct ADOPTRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.9999;
  double eps = 1e-6;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;
  bool clip = true;
  bool maximize = false;

  static constexpr const char* name = "ADOPT";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& m, Tensor& v, const Step& step) const;
};
using ADOPT = Descent<ADOPTRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
