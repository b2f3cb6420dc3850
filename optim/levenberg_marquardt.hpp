#pragma once

#include <vector>

#include <xgrad/optim/method.hpp>

namespace xgrad::optim {

// Levenberg-Marquardt, for residuals r with Jacobian J (least_squares):
//   (J^T J + u D^2) d = -J^T r,  D_i the greatest length that column i of J has had (Marquardt 1963, Moré 1978)
// solved by QR of [J; sqrt(u) D], which keeps twice the digits that J^T J would. With the gain ratio
// q = (f - f(x + d)) / (what the linear model promises), the step is taken where q > 1e-3, and then
// u *= max(1/3, 1 - (2q - 1)^3); else u *= 2, 4, 8, .. and it is tried again (Nielsen 1999).
// An iteration is a step that was taken.
struct LevenbergMarquardtRule {
  static constexpr const char* name = "LevenbergMarquardt";

  double damping = 1e-3;  // u of the first step: smaller is nearer to Gauss-Newton
  Size max_trials = 100;  // of an iteration

  struct State {
    double damping = -1;          // -1: not set yet
    std::vector<double> scale;    // D
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using LevenbergMarquardt = Minimiser<LevenbergMarquardtRule>;

}  // namespace xgrad::optim
