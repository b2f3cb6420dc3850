#include <xgrad/optim/rules/madgrad.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor MADGRADRule::first(std::size_t slot, const Tensor& p) const { return slot == 2 ? p : Tensor(); }

void MADGRADRule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  require.positive("eps", eps);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void MADGRADRule::update(Tensor& p, Tensor g, Tensor& s, Tensor& v, Tensor& x, const Step& step) const {
  const double l = (step.lr + eps) * sqrt(static_cast<double>(step.t));
  if (weight_decay != 0) g = g + weight_decay * p;
  s = s + l * g;
  v = v + l * square(g);
  p = momentum * p + (1 - momentum) * (x - s / (cbrt(v) + eps));
}

}  // namespace xgrad::optim
