#pragma once

#include <vector>

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Levenberg-Marquardt, for residuals r with Jacobian J (least_squares):
//   (J^T J + u D^2) d = -J^T r,   D_i <- max(D_i / 2, |column i of J|),   x <- x + d
// It is solved by QR of [J; sqrt(u) D], which loses half of the digits that solving by J^T J would. D is Marquardt's
// scaling (1963); Moré (1978, MINPACK) never lets D fall, and then one steep place slows down all that follows. With
// the gain ratio q = (f - f(x + d)) / (what the linear model promises) the step is taken where q > 1e-3, and u *=
// max(1/3, 1 - (2q - 1)^3); else u *= 2, 4, 8, .. until one is (Nielsen 1999). An iteration is a step that was taken.
// To d is added (Transtrum & Sethna 2012, geodesic acceleration)
//   a = -1/2 (J^T J + u D^2)^-1 J^T r'',  r'' = 2/h ((r(x + h d) - r) / h - J d), h = 0.1,  where 2 |D a| <=
//   acceleration |D d|
// the second derivative of the residuals along d, which costs one more call of theirs: along a curved valley steps are
// several times as long.
struct LevenbergMarquardtRule {
  static constexpr const char* name = "LevenbergMarquardt";
  static constexpr bool keeps_record = true, uses_jacobian = true;

  double damping = 0.1;        // u of the first step: smaller is nearer to Gauss-Newton
  Size max_trials = 100;       // of an iteration
  double acceleration = 0.75;  // 0: none

  struct State {
    double damping = -1;        // -1: not set yet
    std::vector<double> scale;  // D
    // The last steps are as short as 1e-5 of what the value can tell: by how far they miss, |J d| / |r| = 1e-13, is less than
    // data are known to. Where the residuals stay large, each step gains only a part of the digits that are left.
    Rounding rounding{.patience = 5, .enough = 1e-10};
    // The least value, and how many steps have not come below it since that promised to: where values do not follow,
    // they are rounding of the residuals, which is more than that of their sum.
    double least = std::numeric_limits<double>::infinity();
    int since = 0;
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using LevenbergMarquardt = Minimiser<LevenbergMarquardtRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
