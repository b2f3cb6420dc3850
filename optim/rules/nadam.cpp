#include <xgrad/optim/rules/nadam.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {

double mu(const NAdamRule& r, Size t) {
  return r.beta1 * (1 - 0.5 * pow(0.96, static_cast<double>(t) * r.momentum_decay));
}

}  // namespace

void NAdamRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require.not_negative("momentum_decay", momentum_decay);
}

void NAdamRule::advance(double* product, const Step& step) const {
  *product = (step.t == 1 ? 1 : *product) * mu(*this, step.t);
}

void NAdamRule::update(Tensor& p, Tensor g, Tensor& m, Tensor& v, const Step& step) const {
  const double now = mu(*this, step.t), next = mu(*this, step.t + 1), product = step.numbers[0];
  if (decoupled_weight_decay) p = (1 - step.lr * weight_decay) * p;
  else if (weight_decay != 0) g = g + weight_decay * p;
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor ahead = step.lr * (1 - now) / (1 - product) * g + step.lr * next / (1 - product * next) * m;
  p = p - ahead / (sqrt(v) / sqrt(1 - pow(beta2, step.t)) + eps);
}

}  // namespace xgrad::optim
