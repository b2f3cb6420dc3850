#pragma once

#include <limits>
#include <vector>

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Gradient descent with a backtracking search:  x <- x - a g,  f(x - a g) <= f(x) - armijo a g^T g
// a is `grow` times the last one at first, and then `shrink` of it until that holds (optax's
// scale_by_backtracking_linesearch, whose `first` and `longest` are 1).
//
// With barzilai_borwein (1988) it begins with s^T s / s^T y, s = x' - x, y = g' - g, within 1e-10 and 1e10 of the last a (where
// s^T y is not positive, with `grow` times the last a); then the decrease should count from the greatest of the last `memory` values,
// and not from f(x) (Raydan 1997): {.barzilai_borwein = true, .memory = 10}.
struct GradientDescentRule {
  static constexpr const char* name = "GradientDescent";

  double first = 0;  // a of the first trial; 0: a step as long as 1, or as the gradient
  double armijo = 1e-4, shrink = 0.8, grow = 1.5;
  double longest = std::numeric_limits<double>::infinity();  // a
  bool barzilai_borwein = false;
  Size memory = 1;        // values
  Size max_trials = 200;  // of a search

  struct State {
    double a = 0;                // of the last step; 0: none yet
    Tensor x, g;                 // before it
    std::vector<double> values;  // the last ones
    Rounding rounding{.patience = 10};
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using GradientDescent = Minimiser<GradientDescentRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
