#include <xgrad/optim/methods/owlqn.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/methods/first_step.hpp"
#include "optim/methods/two_loops.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

// Where an iteration begins: v there, and the orthant that it keeps to.
struct Start {
  Tensor x, g;
  Size n;
  std::vector<double> w, v, orthant;

  explicit Start(Objective& f) : x(f.x()), g(f.gradient()), n(f.size()), w(static_cast<std::size_t>(n)) {
    const double *at = numbers(x), *slopes = numbers(g);
    if (f.separable().l1.defined()) std::copy_n(numbers(f.separable().l1), n, w.begin());
    for (std::size_t i = 0; i < w.size(); ++i) {
      v.push_back(slopes[i] +
                  (at[i] != 0 ? sign(at[i]) * w[i] : -sign(slopes[i]) * std::min(std::abs(slopes[i]), w[i])));
      orthant.push_back(at[i] != 0 ? sign(at[i]) : -sign(v[i]));
    }
  }

  std::vector<double> direction(const std::vector<LBFGSRule::State::Pair>& pairs) const {
    const Direction along(v.data(), n, pairs);
    std::vector<double> d(numbers(along.d), numbers(along.d) + n);
    for (std::size_t i = 0; i < w.size(); ++i)
      if (w[i] > 0 && d[i] * v[i] >= 0) d[i] = 0;
    return d;
  }
};

struct Trial {
  double value, slope;  // f + h at x', v^T (x' - x)
};

// To x' = x + a d, 0 where that would leave the orthant.
Trial go(Objective& f, const Start& from, const std::vector<double>& d, double a) {
  const double* const at = numbers(from.x);
  double slope = 0;
  f.move_to(filled({from.n}, f64, [&](void* to) {
    double* const next = static_cast<double*>(to);
    for (std::size_t i = 0; i < d.size(); ++i) {
      next[i] = at[i] + a * d[i];
      if (from.w[i] > 0 && next[i] * from.orthant[i] <= 0) next[i] = 0;
      slope += from.v[i] * (next[i] - at[i]);
    }
  }));
  return {f.value(), slope};
}

// s^T y > 0 by more than rounding, as `remember` asks for
bool rises(Objective& f, const Start& from, const Trial& at) {
  const double *x = numbers(f.x()), *g = numbers(f.gradient()), *x0 = numbers(from.x), *g0 = numbers(from.g);
  double sy = 0;
  for (Size i = 0; i < from.n; ++i) sy += (x[i] - x0[i]) * (g[i] - g0[i]);
  return sy > 0x1p-52 * -at.slope;
}

}  // namespace

void OWLQNRule::check(const Require& require) const {
  require(history > 0, "a history of 1 pair or more", static_cast<double>(history));
  require(armijo > 0 && armijo < 1, "armijo to be above 0 and below 1", armijo);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance OWLQNRule::advance(Objective& f, State& state) const {
  const Start from(f);
  const Objective::Point start = f.here();
  const Size n = from.n;
  const double value = f.value(), norm = f.gradient_norm(), noise = f.noise();
  const auto lower = [&](const Trial& to) { return to.value < value && to.value <= value + armijo * to.slope; };
  for (;;) {
    const std::vector<double> d = from.direction(state.pairs);
    const double promised = -0.5 * dot(d.data(), from.v.data(), n);
    if (!state.pairs.empty() && state.rounding.reached(promised, noise)) return Advance::exact;
    const FirstStep step(length(d.data(), n), length(numbers(from.x), n));
    double a = state.pairs.empty() ? step.first : 1;
    for (Size trial = 0; trial < max_trials; ++trial, a /= 2) {
      Trial to = go(f, from, d, a);
      if (to.value == -infinity) return Advance::moved;
      const bool even = std::abs(to.value - value) <= noise;
      if (!(lower(to) || even) || !f.finite() || !(lower(to) || f.gradient_norm() < norm)) continue;
      // Without a pair the next step would be as short again.
      for (Size i = 0; trial == 0 && lower(to) && i < max_trials && !rises(f, from, to); ++i) {
        if (a >= step.longest) return Advance::unbounded;
        const Objective::Point before = f.here();
        const Trial longer = go(f, from, d, a *= 2);
        if (longer.value == -infinity) return Advance::moved;
        if (longer.value < to.value && lower(longer) && f.finite()) {
          to = longer;
          continue;
        }
        f.move_to(before);
        break;
      }
      remember(f, from.x, from.g, -to.slope, history, state);
      return Advance::moved;
    }
    f.move_to(start);
    if (promised <= noise) return Advance::exact;
    if (state.pairs.empty()) return Advance::stuck;
    state.pairs.clear();
  }
}

}  // namespace xgrad::optim
