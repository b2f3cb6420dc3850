#pragma once

#include <vector>

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

enum class CG { fletcher_reeves, polak_ribiere, hestenes_stiefel, dai_yuan, hager_zhang };

// Nonlinear conjugate gradients, with the strong Wolfe search:  d' = -g' + b d,  x <- x + a d;  y = g' - g,
//   fletcher_reeves    b = g'^T g' / g^T g                  (1964)
//   polak_ribiere      b = max(0, g'^T y / g^T g)           (1969; "PR+", Gilbert & Nocedal 1992)
//   hestenes_stiefel   b = g'^T y / d^T y                   (1952)
//   dai_yuan           b = g'^T g' / d^T y                  (1999)
//   hager_zhang        b = (g'^T y - y^T y d^T g' / d^T y) / d^T y, at least 0.4 d^T g / |d|^2   (2005, 2013)
// and b = 0 where d' does not lead down: g'^T d' > -descent |g'|^2. A search begins with the step that would lower the
// value by as much as the last one did, at most 1. Constants and first step are SciPy's "CG" (polak_ribiere).
struct NonlinearCGRule {
  static constexpr const char* name = "NonlinearCG";

  CG formula = CG::polak_ribiere;
  double armijo = 1e-4, curvature = 0.4;  // of the Wolfe conditions: 0 < armijo < curvature < 1
  double descent = 0.01;
  Size max_trials = 50;  // points a search may look at

  struct State {
    Tensor g;               // of the point before
    std::vector<double> d;  // that led from it
    double value = 0, slope = 0, a = 0;
    Rounding rounding{.patience = 10};
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using NonlinearCG = Minimiser<NonlinearCGRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
