// minimize and least_squares: a method, a function of parameters, and when to stop.
#pragma once

#include <limits>
#include <vector>

#include <xgrad/optim/method.hpp>
#include <xgrad/optim/until.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// When to stop: at whatever comes first. The fields are the rules of until.hpp by their names, and `until` is one made
// of several. Tests of convergence that are 0 are off; where none is given (gradient, loss, step, target, until),
// gradient_tolerance is 1e-6. But least_squares by a method that has the Jacobian J then asks, whatever the units, for
// |J_i^T r| <= 1e-8 |J_i| |r| of each x_i; or for that gradient and 1e-10 of the |r| at the start, where residuals vanish.
// Tests are looked at after each iteration, and a gradient of 0 always stops.
struct Stop {
  Size max_iterations = 1000;     // not where `until` has a limit itself
  double gradient_tolerance = 0;  // the greatest |df/dx_i| is at most this
  double loss_tolerance = 0;      // |f - f_before| <= loss_tolerance max(|f|, |f_before|), `patience` times in a row
  Size patience = 1;
  double step_tolerance = 0;  // |x - x_before| <= step_tolerance (step_tolerance + |x|), in the 2-norm
  double target = -std::numeric_limits<double>::infinity();  // f <= target
  Size max_evaluations = 0;  // calls of the function; 0: any number. Those of one iteration may go past it
  double max_seconds = 0;    // 0: any time. Where it stops then differs from run to run
  // Called after each iteration; true stops. It must not move the parameters.
  Callable<bool(const Progress&)> when = nullptr;
  bool trace = false;  // keep value and gradient norm of each iteration
  Until until = {};
  Size report_every = 0;       // a line on stderr each so many iterations, and at the end; 0: none
  bool interruptible = false;  // Ctrl-C (SIGINT) ends this run, and not the program; a second one does that
};

struct Result {
  double value = 0;  // at the point where the parameters are now; of residuals 1/2 sum r^2
  Size iterations = 0;
  Reason reason = Reason::iterations;
  double gradient_norm =
      0;  // the greatest |df/dx_i| there; with bounds or an L1 penalty the greatest |x - prox(x - df/dx)|
  bool converged = false;  // by a test of Stop, or `exact`
  Evaluations evaluations;
  double seconds = 0;
  struct Point {
    double value, gradient_norm;
  };
  std::vector<Point> trace;   // where asked for: the start, and after each iteration
  bool of_residuals = false;  // is it from least_squares?
  Size fitted = 0;            // numbers, of all parameters
  bool penalised = false;     // was there an L1 penalty?
  Size held = 0;              // numbers at a bound that the loss would fall beyond, or without room between two
};

// Moves the method's parameters to a minimum of the loss, a function of no arguments that reads them and returns one
// element. Where a limit, a failure, an interrupt or an Error ends it, the parameters are at the best point that it was
// at; an Error (also one of the user's own, from the loss or from Stop::when) is passed on. An iteration's trial that
// gives NaN or infinity counts as too far. The loss must be the same function each time: no dropout, no batches that
// change.
Result minimize(Method& method, const Callable<Tensor()>& loss, const Stop& stop = {}, Source source = Source::here());

// Any optimizer (Adam, SGD, ...) as a method: each iteration is a step() on the exact gradient of the whole loss.
Result minimize(Optimizer& optimizer, const Callable<Tensor()>& loss, const Stop& stop = {},
                Source source = Source::here());

// The same for f = 1/2 sum r^2 of residuals r of any shape, which LevenbergMarquardt makes use of, and any method can
// take.
Result least_squares(Method& method, const Callable<Tensor()>& residuals, const Stop& stop = {},
                     Source source = Source::here());

}  // namespace xgrad::optim

#pragma GCC visibility pop
