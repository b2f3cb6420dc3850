#include <xgrad/optim/methods/projected_newton.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <xgrad/autodiff/ops.hpp>

#include "optim/methods/descending.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {

void ProjectedNewtonRule::check(const Require& require) const {
  require(armijo > 0 && armijo < 0.5, "armijo to be above 0 and below 1/2", armijo);
  require(least > 0 && least < 1, "the least eigenvalue to be above 0 and below 1, the greatest", least);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance ProjectedNewtonRule::advance(Objective& f, State& state) const {
  const Tensor h = f.hessian(), tensor_g = f.gradient(), tensor_x = f.x();
  if (!all(isfinite(h)).item()) return Advance::stuck;
  const Separable& box = f.separable();
  const double *x = numbers(tensor_x), *g = numbers(tensor_g);
  const double near = std::min(1e-3, f.gradient_norm()), value = f.value(), norm = f.gradient_norm(), noise = f.noise();

  std::vector<Size> free;
  std::vector<double> d(g, g + f.size());
  std::vector<bool> active(d.size());
  for (Size i = 0; i < f.size(); ++i) {
    const std::size_t at = static_cast<std::size_t>(i);
    d[at] = -g[i];
    active[at] = box.bounded() && ((g[i] > 0 && x[i] <= numbers(box.lower)[i] + near) ||
                                   (g[i] < 0 && x[i] >= numbers(box.upper)[i] - near));
    if (!active[at]) free.push_back(i);
  }
  if (!free.empty()) {
    const Tensor which = tensor(free);
    const Tensor h_free = index_select(index_select(h, 0, which), 1, which);
    const Tensor step = solve_by_absolute_values(h_free, index_select(tensor_g, 0, which), least);
    const std::vector<double> taken = step.to_vector<double>();
    for (std::size_t k = 0; k < free.size(); ++k) d[static_cast<std::size_t>(free[k])] = -taken[k];
  }
  const Tensor direction = tensor(d);
  double promised = 0;
  for (const Size i : free) promised -= 0.5 * g[i] * d[static_cast<std::size_t>(i)];
  if (free.size() == d.size() && state.rounding.reached(promised, noise)) return Advance::exact;

  const Objective::Point start = f.here();
  double a = 1;
  for (Size trial = 0; trial < max_trials; ++trial, a /= 2) {
    f.move_to(tensor_x + a * direction);
    const double* now = numbers(f.x());
    double decrease = 0;
    for (std::size_t i = 0; i < d.size(); ++i) decrease += g[i] * (active[i] ? now[i] - x[i] : a * d[i]);
    const double change = f.value() - value;
    if (change <= armijo * decrease && decrease < 0 && (std::isinf(change) || f.finite())) return Advance::moved;
    if (std::abs(change) <= noise && f.gradient_norm() < norm) return Advance::moved;
  }
  f.move_to(start);
  return promised <= noise ? Advance::exact : Advance::stuck;
}

}  // namespace xgrad::optim
