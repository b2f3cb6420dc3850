#include <xgrad/optim/methods/newton.hpp>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/methods/searches.hpp>

#include "optim/methods/descending.hpp"

namespace xgrad::optim {

void NewtonRule::check(const Require& require) const {
  require(armijo > 0 && armijo < 0.5, "armijo to be above 0 and below 1/2", armijo);
  require(least > 0 && least < 1, "the least eigenvalue to be above 0 and below 1, the greatest", least);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance NewtonRule::advance(Objective& f, State& state) const {
  const Tensor h = f.hessian(), g = f.gradient();
  if (!all(isfinite(h)).item()) return Advance::stuck;
  const Tensor step = indefinite == Indefinite::absolute ? solve_by_absolute_values(h, g, least) : solve_by_shift(h, g);
  if (!step.defined()) return Advance::stuck;
  const Tensor d = -step;
  const double promised = -0.5 * dot(g, d).item(), noise = f.noise();  // by the model, at its minimum
  if (state.rounding.reached(promised, noise)) return Advance::exact;
  const double a = armijo_search(f, d, 1, {.armijo = armijo, .max_trials = max_trials});
  return a > 0 ? Advance::moved : promised <= noise ? Advance::exact : Advance::stuck;
}

}  // namespace xgrad::optim
