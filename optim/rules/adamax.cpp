#include <xgrad/optim/rules/adamax.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void AdamaxRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void AdamaxRule::update(Tensor& p, Tensor g, Tensor& m, Tensor& u, const Step& step) const {
  if (decoupled_weight_decay) p = (1 - step.lr * weight_decay) * p;
  else if (weight_decay != 0) g = g + weight_decay * p;
  m = beta1 * m + (1 - beta1) * g;
  u = maximum(beta2 * u, abs(g) + eps);
  p = p - step.lr / (1 - pow(beta1, step.t)) * m / u;
}

}  // namespace xgrad::optim
