#include <xgrad/optim/methods/lbfgs.hpp>

#include <algorithm>
#include <utility>

#include <xgrad/optim/methods/searches.hpp>

#include "optim/methods/first_step.hpp"
#include "optim/methods/two_loops.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {

Direction::Direction(const double* g, Size n, const std::vector<LBFGSRule::State::Pair>& pairs) {
  std::vector<double> q(g, g + n), a(pairs.size());
  double scale = 1, product = 0;  // of q with what comes next
  if (!pairs.empty()) {
    scale = pairs.back().scale;
    product = dot(pairs.back().s.data(), q.data(), n);
  }
  for (std::size_t i = pairs.size(); i-- > 0;) {
    a[i] = pairs[i].rho * product;
    product = add_and_dot(q.data(), -a[i], pairs[i].y.data(), (i > 0 ? pairs[i - 1].s : pairs[0].y).data(), n);
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const double b = pairs[i].rho * scale * product;
    product = add_and_dot(q.data(), (a[i] - b) / scale, pairs[i].s.data(),
                          i + 1 < pairs.size() ? pairs[i + 1].y.data() : g, n);
  }
  if (pairs.empty()) product = dot(g, g, n);
  slope = -scale * product;
  d = filled({n}, f64, [&](void* memory) {
    double* to = static_cast<double*>(memory);
    for (Size i = 0; i < n; ++i) to[i] = -scale * q[static_cast<std::size_t>(i)];
  });
}

void remember(Objective& f, const Tensor& x, const Tensor& g, double fell, Size history, LBFGSRule::State& state) {
  LBFGSRule::State::Pair& pair = state.next;
  const Size n = f.size();
  pair.s.resize(static_cast<std::size_t>(n));
  pair.y.resize(static_cast<std::size_t>(n));
  combine(pair.s.data(), numbers(f.x()), -1, numbers(x), n);
  combine(pair.y.data(), numbers(f.gradient()), -1, numbers(g), n);
  const double sy = dot(pair.s.data(), pair.y.data(), n);
  if (!(sy > 0x1p-52 * fell)) return;
  pair.rho = 1 / sy;
  pair.scale = sy / dot(pair.y.data(), pair.y.data(), n);
  state.pairs.push_back(std::exchange(pair, {}));
  if (state.pairs.size() <= static_cast<std::size_t>(history)) return;
  pair = std::move(state.pairs.front());
  state.pairs.erase(state.pairs.begin());
}

void LBFGSRule::check(const Require& require) const {
  require(history > 0, "a history of 1 pair or more", static_cast<double>(history));
  require(armijo > 0 && armijo < curvature, "armijo to be above 0 and below curvature", armijo);
  require(curvature > 0 && curvature < 1, "a curvature between 0 and 1", curvature);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance LBFGSRule::advance(Objective& f, State& state) const {
  Wolfe wolfe{.armijo = armijo, .curvature = curvature, .max_trials = max_trials};
  const Tensor x = f.x(), g = f.gradient();
  const Size n = f.size();
  for (;;) {
    const Direction along(numbers(g), n, state.pairs);
    double first = 1;
    if (state.pairs.empty()) {
      const FirstStep step(length(numbers(along.d), n), length(numbers(x), n));
      first = step.first;
      wolfe.longest = step.longest;
    }
    const double promised = -0.5 * std::max(1.0, first) * along.slope,
                 noise = f.noise();  // by the model, at its minimum
    if (!state.pairs.empty() && state.rounding.reached(promised, noise)) return Advance::exact;
    const double a = wolfe_search(f, along.d, first, wolfe);
    if (a >= wolfe.longest && went_far(a * length(numbers(along.d), n), length(numbers(x), n)))
      return Advance::unbounded;
    if (a > 0) {
      remember(f, x, g, -a * along.slope, history, state);
      return Advance::moved;
    }
    if (promised <= noise) return Advance::exact;
    if (state.pairs.empty()) return Advance::stuck;
    state.pairs.clear();
  }
}

}  // namespace xgrad::optim
