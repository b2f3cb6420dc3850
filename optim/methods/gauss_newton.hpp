#pragma once

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Gauss-Newton, for residuals r with Jacobian J (least_squares):  d = argmin |J d + r|,  x <- x + a d, a = 1 first,
// Armijo (Nocedal & Wright 2006, 10.3). By QR of J. Where J is not of full rank, the step is Levenberg-Marquardt's with
// a damping of 1e-8. For residuals that become small and a start that is not far; else LevenbergMarquardt.
struct GaussNewtonRule {
  static constexpr const char* name = "GaussNewton";
  static constexpr bool keeps_record = true, uses_jacobian = true;

  double armijo = 1e-4;
  Size max_trials = 50;

  struct State {
    Rounding rounding;
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using GaussNewton = Minimiser<GaussNewtonRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
