#pragma once

#include <vector>

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// L-BFGS (Nocedal & Wright 2006, algorithms 7.4 and 7.5) with the strong Wolfe search of Moré & Thuente:
//   d = -H g,  H from the last pairs s = x' - x, y = g' - g and H0 = (s^T y / y^T y) I;  x <- x + a d
// The first step is as long as 1, or as the gradient. A pair is left out where the slope along the step did not rise by
// more than rounding (L-BFGS-B); where a search finds nothing, the pairs are forgotten and the gradient's direction is
// tried.
struct LBFGSRule {
  static constexpr const char* name = "LBFGS";

  Size history = 10;                      // pairs
  double armijo = 1e-4, curvature = 0.9;  // of the Wolfe conditions: 0 < armijo < curvature < 1
  Size max_trials = 50;                   // points a search may look at

  struct State {
    struct Pair {
      std::vector<double> s, y;
      double rho, scale;  // 1 / s^T y, s^T y / y^T y
    };
    std::vector<Pair> pairs;  // oldest first
    Pair next;                // memory for one more
    Rounding rounding;
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using LBFGS = Minimiser<LBFGSRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
