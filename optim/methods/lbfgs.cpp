#include <algorithm>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/methods/lbfgs.hpp>
#include <xgrad/optim/methods/searches.hpp>

namespace xgrad::optim {
namespace {

// -H g, by the two loops
Tensor direction(const Tensor& g, const std::vector<LBFGSRule::State::Pair>& pairs) {
  Tensor q = g;
  std::vector<double> a(pairs.size());
  for (std::size_t i = pairs.size(); i-- > 0;) {
    a[i] = pairs[i].rho * dot(pairs[i].s, q).item();
    q = q - a[i] * pairs[i].y;
  }
  if (!pairs.empty()) q = q / (pairs.back().rho * dot(pairs.back().y, pairs.back().y).item());
  for (std::size_t i = 0; i < pairs.size(); ++i) q = q + (a[i] - pairs[i].rho * dot(pairs[i].y, q).item()) * pairs[i].s;
  return -q;
}

}  // namespace

void LBFGSRule::check(const Require& require) const {
  require(history > 0, "a history of 1 pair or more", static_cast<double>(history));
  require(armijo > 0 && armijo < curvature, "armijo to be above 0 and below curvature", armijo);
  require(curvature > 0 && curvature < 1, "a curvature between 0 and 1", curvature);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance LBFGSRule::advance(Objective& f, State& state) const {
  const Wolfe wolfe{.armijo = armijo, .curvature = curvature, .max_trials = max_trials};
  const Tensor x = f.x(), g = f.gradient();
  for (;;) {
    const Tensor d = direction(g, state.pairs);
    const double slope = dot(g, d).item();
    const double first = state.pairs.empty() ? std::min(1.0, 1 / norm(d).item()) : 1.0;
    const double promised = -0.5 * slope, noise = f.noise();  // by the model, at its minimum
    if (!state.pairs.empty() && state.rounding.reached(promised, noise)) return Advance::exact;
    const double a = wolfe_search(f, d, first, wolfe);
    if (a > 0) {
      const Tensor s = f.x() - x, y = f.gradient() - g;
      const double sy = dot(s, y).item();
      if (sy > 0x1p-52 * -a * slope) {
        if (state.pairs.size() == static_cast<std::size_t>(history)) state.pairs.erase(state.pairs.begin());
        state.pairs.push_back({s, y, 1 / sy});
      }
      return Advance::moved;
    }
    if (promised <= noise) return Advance::exact;
    if (state.pairs.empty()) return Advance::stuck;
    state.pairs.clear();
  }
}

}  // namespace xgrad::optim
