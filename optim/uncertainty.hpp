// How well a fit determines its parameters.
#pragma once

#include <xgrad/optim/minimize.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

struct UncertaintyOptions {
  double variance = 0;  // of a residual, where it is known; 0: estimated, sum r^2 / degrees_of_freedom
};

struct Uncertainty {
  Tensors standard_errors;      // of each parameter, in its shape (f64): the roots of the covariance's diagonal
  Tensor covariance;            // f64 [n, n], of all parameters' numbers, one parameter after the other
  double variance = 0;          // of a residual; 1 of a likelihood
  Size degrees_of_freedom = 0;  // residuals less parameters; 0 of a likelihood
  bool known_variance = false;  // given, or a likelihood's
  Parameters parameters;        // that it is of
};

// Of a fit from least_squares, with the same residuals and parameters: variance (J^T J)^-1. Of one from minimize, whose
// function is a negative log likelihood: the inverse of its Hessian. The parameters must be where the fit left them.
// An Error: a fit that has not converged, before it was at its minimum (a step of Newton's would move a parameter by more than a tenth of its
// standard error), other parameters than all that were fitted, no more residuals than parameters (unless the variance is given), parameters
// that the fit does not determine (J of less than full rank, H not positive definite, but for the rounding of their dtype), parameters
// that have moved, an L1 penalty, numbers that a bound holds.
Uncertainty uncertainty(const Result& fit, const Callable<Tensor()>& function, const Parameters& parameters,
                        UncertaintyOptions options = {}, Source source = Source::here());

// value - q error ... value + q error of each number of each parameter, in its shape (f64), which hold the truth with
// probability `level` where errors are normal and the model is nearly linear over them. q is the quantile (1 + level) /
// 2 of Student's t distribution of so many degrees of freedom, and where the variance is known that of the normal
// distribution.
struct Intervals {
  Tensors lower, upper;
};
Intervals confidence_intervals(const Uncertainty& of, const Parameters& parameters, double level = 0.95,
                               Source source = Source::here());

}  // namespace xgrad::optim

#pragma GCC visibility pop
