#include <xgrad/optim/rules/signs.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void SignumRule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  require.not_negative("weight_decay", weight_decay);
}

void SignumRule::update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const {
  m = momentum * m + (1 - momentum) * g;
  p = (1 - step.lr * weight_decay) * p - step.lr * sign(m);
}

void LionRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.not_negative("weight_decay", weight_decay);
}

void LionRule::update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const {
  p = (1 - step.lr * weight_decay) * p - step.lr * sign(beta1 * m + (1 - beta1) * g);
  m = beta2 * m + (1 - beta2) * g;
}

void TigerRule::check(const Require& require) const {
  require.fraction("beta", beta);
  require.not_negative("weight_decay", weight_decay);
}

void TigerRule::update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const {
  m = beta * m + (1 - beta) * g;
  p = p - step.lr * (sign(m) + weight_decay * p);
}

}  // namespace xgrad::optim
