#pragma once

#include <vector>

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// L-BFGS within bounds (Byrd, Lu, Nocedal & Zhu 1995; Morales & Nocedal 2011), with the strong Wolfe search of Moré &
// Thuente:
//   B = c I - W M W^T,  W = [Y, c S],  M = [[-D, L^T], [L, c S^T S]]^-1,  c = y^T y / s^T y,
//   D and L the diagonal of S^T Y, and what is below it, of the last pairs s = x' - x, y = g' - g
//   z: the first minimum of the model along P(x - t g) (generalised Cauchy point); then the model's minimum in what is
//   free there, projected, or, where that does not lead down, shortened to the bounds x <- x + a (z - x), at most as
//   far as the bounds
// As SciPy's "L-BFGS-B"; without bounds it is LBFGS. The first step is as long as 1, or as the gradient.
struct LBFGSBRule {
  static constexpr const char* name = "LBFGSB";

  Bounds bounds = {};
  Size history = 10;                      // pairs
  double armijo = 1e-3, curvature = 0.9;  // of the Wolfe conditions: 0 < armijo < curvature < 1
  Size max_trials = 20;                   // points a search may look at

  struct State {
    std::vector<std::vector<double>> s, y;        // oldest first
    std::vector<std::vector<double>> ss, sy, yy;  // their products s_i^T s_j, s_i^T y_j, y_i^T y_j
    bool moved = false;
    Rounding rounding;
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using LBFGSB = Minimiser<LBFGSBRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
