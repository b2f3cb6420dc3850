#include <xgrad/optim/methods/proximal_gradient.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {

void check_steps(const Require& require, double first, double shrink, double grow, Size max_trials) {
  require(first > 0 && std::isfinite(first), "a finite first step above 0", first);
  require(shrink > 0 && shrink < 1, "shrink to be above 0 and below 1", shrink);
  require(grow >= 1 && std::isfinite(grow), "grow to be 1 or more", grow);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

// `first` is in units of x^2 / f, which may be any: it is kept near to a step along g that is as long as x.
double first_near(Objective& f, double first) {
  const Size n = f.size();
  const double g = length(numbers(f.gradient()), n), x = length(numbers(f.x()), n);
  if (!(g > 0) || !std::isfinite(g) || !std::isfinite(x)) return first;
  return std::clamp(first, 0x1p-26 * (x > 0 ? x : 1) / g, 0x1p26 * std::max(1.0, x) / g);
}

// From where the objective is, y: to prox(y - a g), with the first a of a, shrink a, .. that keeps f below its model.
struct ProximalStep {
  Advance advance = Advance::stuck;
  double a;
  Tensor y;  // where it was

  ProximalStep(Objective& f, double first, double shrink, Size max_trials, Rounding& rounding) : a(first), y(f.x()) {
    const Objective::Point start = f.here();
    const Tensor g = f.gradient();
    const double smooth = f.smooth(), noise = f.noise();
    const auto slope = [&](double step) {  // of f and h, its square, as a step of that length sees it
      const Tensor d = f.separable().prox(y - step * g, step) - y;
      return dot(d, d).item() / (step * step);
    };
    for (Size trial = 0; trial < max_trials; ++trial, a *= shrink) {
      const Tensor x = f.separable().prox(y - a * g, a), d = x - y;
      const double squares = dot(d, d).item(), promised = squares / (2 * a);
      if (trial == 0 && (squares == 0 || rounding.reached(promised, noise))) {
        advance = rounding.done(slope(std::max(a, rounding.longest)), noise);
        break;
      }
      if (squares == 0) break;
      f.move_to(x);
      // What values are too coarse to tell, slopes do: d^T (g(x) - g(y)) <= |d|^2 / a is the same of a quadratic.
      const bool below = promised > 100 * noise ? f.smooth() <= smooth + dot(g, d).item() + promised
                                                : f.finite() && dot(f.gradient() - g, d).item() <= 2 * promised;
      if (below && (f.finite() || f.value() == -std::numeric_limits<double>::infinity())) {
        advance = Advance::moved;
        rounding.took(a, squares / (a * a));
        return;
      }
    }
    f.move_to(start);
  }
};

}  // namespace

void ProximalGradientRule::check(const Require& require) const {
  check_steps(require, first, shrink, grow, max_trials);
}

Advance ProximalGradientRule::advance(Objective& f, State& state) const {
  const ProximalStep step(f, state.a > 0 ? grow * state.a : first_near(f, first), shrink, max_trials, state.rounding);
  state.a = step.a;
  return step.advance;
}

void FISTARule::check(const Require& require) const { check_steps(require, first, shrink, grow, max_trials); }

Advance FISTARule::advance(Objective& f, State& state) const {
  const Objective::Point before = f.here();
  const Tensor x = f.x();
  if (state.t > 1) {
    f.move_to(state.y);
    if (!f.finite()) {  // the momentum goes too far
      f.move_to(before);
      state.t = 1;
    }
  }
  const ProximalStep step(f, state.a > 0 ? grow * state.a : first_near(f, first), shrink, max_trials, state.rounding);
  if (step.advance != Advance::moved) {
    f.move_to(before);
    if (state.t == 1) return step.advance;
    state.t = 1;  // it was of the point that momentum leads to, and says nothing of this one
    return advance(f, state);
  }
  state.a = step.a;
  const Tensor moved = f.x() - x;
  if (restart && dot(step.y - f.x(), moved).item() > 0) {
    state.t = 1;
    return Advance::moved;
  }
  const double t = (1 + std::sqrt(1 + 4 * state.t * state.t)) / 2;
  state.y = evaluate(f.x() + (state.t - 1) / t * moved);
  state.t = t;
  return Advance::moved;
}

}  // namespace xgrad::optim
