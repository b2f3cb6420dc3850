// Searches along a line: how far to go from where an objective is, in a direction in which its value falls.
#pragma once

#include <xgrad/optim/objective.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Both move the objective to x + a d and return a > 0, or leave it where it was and return 0 where they find none: the
// direction does not lead down, or only at steps that are lost in rounding. A trial that is NaN or infinite counts as
// too far.
//
// Where the value changes by less than its rounding (Objective::noise), comparing values says nothing; then the slope
// along the direction decides alone (Hager & Zhang 2005, "approximate Wolfe"), and so gradients become as small as
// rounding lets them.

// Backtracking to f(x + a d) <= f(x) + above + armijo a g^T d, where a is `first`, and then `shrink` of the last; or,
// where that is 0, the minimum of the parabola through f(x), g^T d and the last trial, at least a tenth and at most
// half of it. Asks for values only. A value of -infinity is taken.
struct Armijo {
  double armijo = 1e-4;
  Size max_trials = 50;
  double shrink = 0;
  double above =
      0;  // a search that is not monotone: how far the greatest of the last values is above f(x) (Grippo et al. 1986)
};
double armijo_search(Objective& f, const Tensor& d, double first, const Armijo& options = {});

// The strong Wolfe conditions, f(x + a d) <= f(x) + armijo a g^T d and |g(x + a d)^T d| <= curvature |g^T d|, by the
// search of Moré & Thuente (1994), as MINPACK-2's dcsrch does it, which SciPy's L-BFGS-B uses too.
struct Wolfe {
  double armijo = 1e-4, curvature = 0.9;
  double interval = 0.1;  // ends where the interval of the minimum is this part of its upper end
  double longest = 1e10;  // step
  Size max_trials = 50;
};
double wolfe_search(Objective& f, const Tensor& d, double first, const Wolfe& options = {});

}  // namespace xgrad::optim

#pragma GCC visibility pop
