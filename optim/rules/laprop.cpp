#include <xgrad/optim/rules/laprop.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void LaPropRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
}

void LaPropRule::advance(double* average, const Step& step) const {
  *average = beta1 * *average + (1 - beta1) * step.lr;
}

void LaPropRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  v = beta2 * v + (1 - beta2) * square(g);
  m = beta1 * m + (1 - beta1) * step.lr * g / (sqrt(v) / sqrt(1 - pow(beta2, step.t)) + eps);
  p = p - (step.lr > 0 ? step.lr / step.numbers[0] : 1) * m;
}

void GramsRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void GramsRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor length = abs(m) / (1 - pow(beta1, step.t)) / (sqrt(v / (1 - pow(beta2, step.t))) + eps);
  p = (1 - step.lr * weight_decay) * p - step.lr * length * sign(g);
}

}  // namespace xgrad::optim
