#include <xgrad/optim/rules/adadelta.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void AdadeltaRule::check(const Require& require) const {
  require.fraction("rho", rho);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void AdadeltaRule::update(Tensor& p, Tensor g, Tensor& v, Tensor& u, const Step& step) const {
  if (weight_decay != 0) g = g + weight_decay * p;
  v = rho * v + (1 - rho) * square(g);
  const Tensor d = g * sqrt((u + eps) / (v + eps));
  u = rho * u + (1 - rho) * square(d);
  p = p - step.lr * d;
}

}  // namespace xgrad::optim
