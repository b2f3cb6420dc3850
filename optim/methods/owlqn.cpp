#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/optim/methods/owlqn.hpp>

#include "optim/methods/first_step.hpp"
#include "optim/methods/two_loops.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {
double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
}  // namespace

void OWLQNRule::check(const Require& require) const {
  require(history > 0, "a history of 1 pair or more", static_cast<double>(history));
  require(armijo > 0 && armijo < 1, "armijo to be above 0 and below 1", armijo);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance OWLQNRule::advance(Objective& f, State& state) const {
  const Tensor x = f.x(), g = f.gradient(), weights = f.separable().l1;
  const Objective::Point start = f.here();
  const Size n = f.size();
  const double value = f.value(), norm = f.gradient_norm(), noise = f.noise();
  const double* const at = numbers(x);
  std::vector<double> w(static_cast<std::size_t>(n)), v(numbers(g), numbers(g) + n), orthant(w.size());
  if (weights.defined()) std::copy_n(numbers(weights), n, w.begin());
  for (std::size_t i = 0; i < w.size(); ++i) {
    v[i] += at[i] != 0 ? sign(at[i]) * w[i] : -sign(v[i]) * std::min(std::abs(v[i]), w[i]);
    orthant[i] = at[i] != 0 ? sign(at[i]) : -sign(v[i]);
  }
  for (;;) {
    const Direction along(v.data(), n, state.pairs);
    std::vector<double> d(numbers(along.d), numbers(along.d) + n);
    for (std::size_t i = 0; i < w.size(); ++i)
      if (w[i] > 0 && d[i] * v[i] >= 0) d[i] = 0;
    const double promised = -0.5 * dot(d.data(), v.data(), n);
    if (!state.pairs.empty() && state.rounding.reached(promised, noise)) return Advance::exact;
    double a = state.pairs.empty() ? FirstStep(length(d.data(), n), length(at, n)).first : 1;
    for (Size trial = 0; trial < max_trials; ++trial, a /= 2) {
      double slope = 0;  // v^T (x' - x)
      f.move_to(filled({n}, f64, [&](void* to) {
        double* const next = static_cast<double*>(to);
        for (std::size_t i = 0; i < w.size(); ++i) {
          next[i] = at[i] + a * d[i];
          if (w[i] > 0 && next[i] * orthant[i] <= 0) next[i] = 0;
          slope += v[i] * (next[i] - at[i]);
        }
      }));
      const double now = f.value();
      if (now == -std::numeric_limits<double>::infinity()) return Advance::moved;
      const bool lower = now < value && now <= value + armijo * slope;
      if ((lower || std::abs(now - value) <= noise) && f.finite() && (lower || f.gradient_norm() < norm)) {
        remember(f, x, g, -slope, history, state.pairs);
        return Advance::moved;
      }
    }
    f.move_to(start);
    if (promised <= noise) return Advance::exact;
    if (state.pairs.empty()) return Advance::stuck;
    state.pairs.clear();
  }
}

}  // namespace xgrad::optim
