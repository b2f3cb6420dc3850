// ASGD: gradient descent that is judged by the average of its weights.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g, t from 1:
//   eta = lr / (1 + lambd lr (t - 1))^alpha
//   p <- p (1 - lambd eta) - eta g
//   a <- a + (p - a) / max(1, t - 1 - t0)       so that a is p until t0
// (Polyak & Juditsky 1992; Bottou 2012), as PyTorch has it. eval() puts the average a into the parameters.
struct ASGDRule {
  double lr = 1e-2;
  double lambd = 1e-4;
  double alpha = 0.75;
  double t0 = 1e6;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "ASGD";
  static constexpr const char* slots[] = {"ax"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& average, const Step& step) const;
  Tensor evaluated(const Tensor&, const Tensors& slots, const Step&) const { return slots[0]; }
};
using ASGD = Descent<ASGDRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
