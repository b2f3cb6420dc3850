#pragma once

#include <vector>

#include <xgrad/optim/methods/lbfgs.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// OWL-QN, L-BFGS for f + sum_i w_i |x_i| (Andrew & Gao, "Scalable training of L1-regularized log-linear models", ICML 2007):
//   v = the one-sided slope of the whole of least length:  g + sign(x) w;  where x = 0: g - sign(g) min(|g|, w)
//   d = -H v, H from the pairs of f alone, and 0 where it does not lead down, d v >= 0
//   x <- x + a d, a = 1, 1/2, .. (1 / |d| at first), and 0 where that would leave the orthant of x, or of -v where x = 0,
//   until f + h <= f(x) + h(x) + armijo v^T (x' - x)
// Where the first a is taken and f's slope does not rise along that step (negative curvature: no pair is learnt), 2 a, 4 a, .. while
// f + h falls and that holds.
// Numbers whose weight is 0 have no orthant: there it is L-BFGS with a search for values.
struct OWLQNRule {
  static constexpr const char* name = "OWLQN";

  L1 l1 = {};
  Size history = 10;  // pairs
  double armijo = 1e-4;
  Size max_trials = 50;

  using State = LBFGSRule::State;
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using OWLQN = Minimiser<OWLQNRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
