// Rprop: each number has a step of its own, which grows while its gradient keeps its sign.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Of each number; s begins at lr, and set_lr() does not change it any more:
//   s <- s eta_plus where g g_before > 0, s eta_minus where it is below 0; then kept in [step_min, step_max]
//   g <- 0 where g g_before < 0
//   p <- p - s sign(g)       g_before <- g
// (Riedmiller & Braun 1993; the form of Igel & Huesken 2003 that they call iRprop-), as PyTorch has it. For whole
// data sets: signs of noisy gradients say little.
struct RpropRule {
  double lr = 1e-2;
  double eta_minus = 0.5, eta_plus = 1.2;
  double step_min = 1e-6, step_max = 50;
  bool maximize = false;

  static constexpr const char* name = "Rprop";
  static constexpr const char* slots[] = {"prev", "step_size"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& before, Tensor& s, const Step& step) const;
};
using Rprop = Descent<RpropRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
