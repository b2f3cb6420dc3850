#pragma once

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Newton's method in a trust region, by conjugate gradients (Steihaug 1983; Nocedal & Wright 2006, algorithms 4.1
// and 7.2):
//   d ~ argmin g^T d + 1/2 d^T H d, |d| <= radius:  CG on H d = -g from 0, until |H d + g| < min(1/2, sqrt |g|) |g|, or
//   to the radius along the direction where it is left, or where d^T H d <= 0 (of its two ends the better one) q = (f -
//   f(x + d)) / (what the model promises);  q < 1/4: radius / 4;  q > 3/4 and |d| = radius: 2 radius x <- x + d where q
//   > accept; else it is tried again
// It asks for products H v alone (hvp, two sweeps each), so it is for many parameters. SciPy's "trust-ncg", step by
// step; an iteration is a step that was taken.
struct NewtonCGRule {
  static constexpr const char* name = "NewtonCG";
  static constexpr bool keeps_record = true;

  double radius = 1, max_radius = 1000;
  double accept = 0.15;
  Size max_trials = 50;   // radii of an iteration
  Size max_products = 0;  // H v of a trial; 0: twice as many as there are parameters, and 10
  struct State {
    double radius = 0;
    Rounding rounding;
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using NewtonCG = Minimiser<NewtonCGRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
