#include <xgrad/optim/rules/adagrad.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void AdagradRule::check(const Require& require) const {
  require.not_negative("lr_decay", lr_decay);
  require.not_negative("weight_decay", weight_decay);
  require.not_negative("initial_accumulator_value", initial_accumulator_value);
  require.divisor("eps", eps);
}

void AdagradRule::update(Tensor& p, Tensor g, Tensor& s, const Step& step) const {
  if (weight_decay != 0) g = g + weight_decay * p;
  const double rate = step.lr / (1 + static_cast<double>(step.t - 1) * lr_decay);
  s = s + square(g);
  p = p - rate * g / (sqrt(s) + eps);
}

Tensor AdagradRule::first(std::size_t, const Tensor& p) const { return full_like(p, initial_accumulator_value); }

}  // namespace xgrad::optim
