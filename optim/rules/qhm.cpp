#include <xgrad/optim/rules/qhm.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void QHMRule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  require(nu >= 0 && nu <= 1, "nu in [0, 1]", nu);
  require.not_negative("weight_decay", weight_decay);
}

void QHMRule::update(Tensor& p, Tensor g, Tensor& m, const Step& step) const {
  if (weight_decay != 0) g = g + weight_decay * p;
  m = momentum * m + (1 - momentum) * g;
  p = p - step.lr * nu * m - step.lr * (1 - nu) * g;
}

void QHAdamRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require(nu1 >= 0 && nu1 <= 1, "nu1 in [0, 1]", nu1);
  require(nu2 >= 0 && nu2 <= 1, "nu2 in [0, 1]", nu2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void QHAdamRule::update(Tensor& p, Tensor g, Tensor& m, Tensor& v, const Step& step) const {
  if (weight_decay != 0) g = g + weight_decay * p;
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor ahead = (1 - nu1) * g + nu1 / (1 - pow(beta1, step.t)) * m;
  p = p - step.lr * ahead / (sqrt((1 - nu2) * square(g) + nu2 / (1 - pow(beta2, step.t)) * v) + eps);
}

void AggMoRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.fraction("beta3", beta3);
  require.not_negative("weight_decay", weight_decay);
}

void AggMoRule::update(Tensor& p, Tensor g, Tensor& b1, Tensor& b2, Tensor& b3, const Step& step) const {
  if (weight_decay != 0) g = g + weight_decay * p;
  b1 = beta1 * b1 + g;
  b2 = beta2 * b2 + g;
  b3 = beta3 * b3 + g;
  p = p - step.lr / 3 * (b1 + b2 + b3);
}

}  // namespace xgrad::optim
