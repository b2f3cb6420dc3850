#include <xgrad/optim/methods/gradient_descent.hpp>

#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/methods/searches.hpp>

#include "optim/methods/first_step.hpp"

namespace xgrad::optim {

void GradientDescentRule::check(const Require& require) const {
  require.not_negative("first", first);
  require(armijo > 0 && armijo < 1, "armijo to be above 0 and below 1", armijo);
  require(shrink > 0 && shrink < 1, "shrink to be above 0 and below 1", shrink);
  require(grow >= 1 && std::isfinite(grow), "grow to be 1 or more", grow);
  require(longest > 0, "a longest step above 0", longest);
  require(memory > 0, "a memory of 1 value or more", static_cast<double>(memory));
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance GradientDescentRule::advance(Objective& f, State& state) const {
  const Tensor x = f.x(), g = f.gradient();
  const double gg = dot(g, g).item();
  double a = state.a > 0 ? state.a * grow : first > 0 ? first : FirstStep(std::sqrt(gg), norm(x).item()).first;
  if (barzilai_borwein && state.a > 0) {
    const Tensor s = x - state.x, y = g - state.g;
    const double sy = dot(s, y).item();
    if (sy > 0) a = std::clamp(dot(s, s).item() / sy, 1e-10 * state.a, 1e10 * state.a);
  }
  a = std::min(a, longest);
  if (state.values.size() == static_cast<std::size_t>(memory)) state.values.erase(state.values.begin());
  state.values.push_back(f.value());
  const double above = *std::max_element(state.values.begin(), state.values.end()) - f.value();

  const double promised = 0.5 * a * gg, noise = f.noise();
  if (state.a > 0 && state.rounding.reached(promised, noise)) return state.rounding.done(gg, noise);
  const Armijo search{.armijo = armijo, .max_trials = max_trials, .shrink = shrink, .above = above};
  const double taken = armijo_search(f, -g, a, search);
  if (taken == 0) return promised <= noise ? state.rounding.done(gg, noise) : Advance::stuck;
  state.rounding.took(taken, gg);
  state.a = taken;
  state.x = x;
  state.g = g;
  return Advance::moved;
}

}  // namespace xgrad::optim
