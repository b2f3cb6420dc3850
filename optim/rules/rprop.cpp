#include <xgrad/optim/rules/rprop.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor RpropRule::first(std::size_t slot, const Tensor& p) const { return full_like(p, slot == 0 ? 0.0 : lr); }

void RpropRule::check(const Require& require) const {
  require(eta_minus > 0 && eta_minus < 1, "eta_minus in (0, 1)", eta_minus);
  require(eta_plus > 1 && eta_plus - eta_plus == 0, "a finite eta_plus above 1", eta_plus);
  require.not_negative("step_min", step_min);
  require(step_max >= step_min && step_max - step_max == 0, "a finite step_max of step_min or more", step_max);
}

void RpropRule::update(Tensor& p, const Tensor& g, Tensor& before, Tensor& s, const Step&) const {
  const Tensor turn = g * before;
  s = clamp(where(turn > 0, eta_plus * s, where(turn < 0, eta_minus * s, s)), step_min, step_max);
  before = where(turn < 0, 0.0, g);
  p = p - s * sign(before);
}

}  // namespace xgrad::optim
