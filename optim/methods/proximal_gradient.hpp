#pragma once

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Proximal gradient descent on f + h, h an L1 penalty and bounds (separable.hpp):  x' = prox_ah(x - a g)
// With l1 = 0 it is projected gradient descent, without bounds ISTA. a is `grow` times the last one at first, and then
// `shrink` of it until f(x') <= f + g^T (x' - x) + |x' - x|^2 / (2 a)  (Beck & Teboulle 2009).
struct ProximalGradientRule {
  static constexpr const char* name = "ProximalGradient";

  L1 l1 = {};
  Bounds bounds = {};
  double first = 1, shrink = 0.5, grow = 2;  // as jaxopt's ProximalGradient
  Size max_trials = 60;

  struct State {
    double a = 0;
    Rounding rounding{.patience = 10};
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using ProximalGradient = Minimiser<ProximalGradientRule>;

// The same with momentum (FISTA, Beck & Teboulle 2009; without h Nesterov's method, 1983):
//   x' = prox_ah(y - a g(y)),  t' = (1 + sqrt(1 + 4 t^2)) / 2,  y' = x' + (t - 1) / t' (x' - x);  t = 1 and y = x at
//   first
// y goes to the nearest point within the bounds. `restart`: where (y - x')^T (x' - x) > 0 the momentum leads up, and t
// = 1, y' = x' (O'Donoghue & Candès 2015). The value may rise from one iteration to the next.
struct FISTARule {
  static constexpr const char* name = "FISTA";

  L1 l1 = {};
  Bounds bounds = {};
  double first = 1, shrink = 0.5, grow = 2;
  bool restart = true;
  Size max_trials = 60;

  struct State {
    double a = 0, t = 1;
    Tensor y;
    Rounding rounding{.patience = 10};
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using FISTA = Minimiser<FISTARule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
