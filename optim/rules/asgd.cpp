#include <xgrad/optim/rules/asgd.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void ASGDRule::check(const Require& require) const {
  require.not_negative("lambd", lambd);
  require.not_negative("alpha", alpha);
  require.not_negative("t0", t0);
  require.not_negative("weight_decay", weight_decay);
}

void ASGDRule::update(Tensor& p, Tensor g, Tensor& average, const Step& step) const {
  const auto before = static_cast<double>(step.t - 1);
  const double eta = step.lr / pow(1 + lambd * step.lr * before, alpha);
  if (weight_decay != 0) g = g + weight_decay * p;
  p = (1 - lambd * eta) * p - eta * g;
  if (const double steps = before - t0; steps > 1) average = average + (p - average) / steps;
  else average = p;
}

}  // namespace xgrad::optim
