#pragma once

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// What Newton's method makes of a Hessian H that is not positive definite.
enum class Indefinite {
  absolute,  // its eigenvectors, and the absolute values of its eigenvalues, raised to `least` of the greatest
  shifted,   // H + t I, with t doubled until it is positive definite (Nocedal & Wright 2006, algorithm 3.3)
};

// Newton's method with a line search (Nocedal & Wright 2006, 3.4):  d = -B^-1 g,  x <- x + a d, a = 1 first, Armijo
// B is the Hessian H where that is positive definite (Cholesky), and else as `indefinite` says: both go down along
// negative curvature, so that it leaves saddles. For some hundreds of parameters at most: a Hessian is a sweep for
// each.
struct NewtonRule {
  static constexpr const char* name = "Newton";
  static constexpr bool keeps_record = true;

  double armijo = 1e-4;
  double least = 1e-8;  // eigenvalue of B to the greatest, where H is not positive definite
  Size max_trials = 50;
  Indefinite indefinite = Indefinite::absolute;

  struct State {
    Rounding rounding;
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using Newton = Minimiser<NewtonRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
