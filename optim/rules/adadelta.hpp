// Adadelta: steps as long as the steps before, by the root of the gradients' mean square: no rate to choose.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g:
//   v <- rho v + (1 - rho) g^2       d = g sqrt((u + eps) / (v + eps))       u <- rho u + (1 - rho) d^2
//   p <- p - lr d
// (Zeiler 2012), as PyTorch has it.
struct AdadeltaRule {
  double lr = 1;
  double rho = 0.9;
  double eps = 1e-6;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "Adadelta";
  static constexpr const char* slots[] = {"square_avg", "acc_delta"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& v, Tensor& u, const Step& step) const;
};
using Adadelta = Descent<AdadeltaRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
