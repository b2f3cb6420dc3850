#include <xgrad/optim/rules/adan.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void AdanRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.fraction("beta3", beta3);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void AdanRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& n, Tensor& previous,
                      const Step& step) const {
  const double of_m = 1 - pow(beta1, step.t), of_v = 1 - pow(beta2, step.t), of_n = sqrt(1 - pow(beta3, step.t));
  if (step.t == 1) previous = g;
  const Tensor d = g - previous;
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * d;
  n = beta3 * n + (1 - beta3) * square(g + beta2 * d);
  const Tensor change = (step.lr / of_m * m + step.lr * beta2 / of_v * v) / (sqrt(n) / of_n + eps);
  if (no_prox) p = (1 - step.lr * weight_decay) * p - change;
  else p = (p - change) / (1 + step.lr * weight_decay);
  previous = g;
}

}  // namespace xgrad::optim
