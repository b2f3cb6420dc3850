#pragma once

#include <xgrad/optim/method.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Newton's method within bounds (Bertsekas 1982):  x(a) = P(x + a d), a = 1, 1/2, ..;  P goes to the nearest point
// within them
//   A = {i: x_i is within e of a bound, and -g_i points out of it},  e = min(1e-3, |x - P(x - g)|)
//   d_A = -g_A;  d_F = -B^-1 g_F on all others, F, with B made of H_FF as Newton does
//   f(x(a)) <= f + armijo (a sum_F g_i d_i + sum_A g_i (x_i(a) - x_i))
// To project Newton's step of all parameters would not go down: A must be taken out of H first.
struct ProjectedNewtonRule {
  static constexpr const char* name = "ProjectedNewton";
  static constexpr bool keeps_record = true;

  Bounds bounds = {};
  double armijo = 1e-4;
  double least = 1e-8;  // eigenvalue of B to the greatest, where H_FF is not positive definite
  Size max_trials = 50;

  struct State {
    Rounding rounding;
  };
  void check(const Require& require) const;
  Advance advance(Objective& f, State& state) const;
};
using ProjectedNewton = Minimiser<ProjectedNewtonRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
