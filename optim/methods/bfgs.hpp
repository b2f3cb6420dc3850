#pragma once

#include <vector>

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// BFGS (Nocedal & Wright 2006, algorithm 6.1) with the strong Wolfe search:  d = -H g,  x <- x + a d,
//   H <- (I - r s y^T) H (I - r y s^T) + r s s^T,   s = x' - x, y = g' - g, r = 1 / s^T y;   H = I at first
// A search begins with the step that would lower the value by as much as the last one did, at most 1: SciPy's "BFGS",
// step by step. `scaled` multiplies the first H by s^T y / y^T y before its update (6.20 there), which is also done where that is
// below 2^-30 or above 2^30. H has n^2 numbers: for some thousands of parameters at most.
struct BFGSRule {
  static constexpr const char* name = "BFGS";

  double armijo = 1e-4, curvature = 0.9;  // of the Wolfe conditions: 0 < armijo < curvature < 1
  bool scaled = false;
  Size max_trials = 50;  // points a search may look at

  struct State {
    std::vector<double> h;  // row by row; empty: I
    double value = 0;       // at the point before
    bool moved = false;
    Rounding rounding;
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using BFGS = Minimiser<BFGSRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
