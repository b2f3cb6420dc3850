#include <xgrad/optim/rules/adopt.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void ADOPTRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void ADOPTRule::update(Tensor& p, Tensor g, Tensor& m, Tensor& v, const Step& step) const {
  if (weight_decay != 0 && !decoupled_weight_decay) g = g + weight_decay * p;
  if (step.t == 1) {
    v = square(g);
    return;
  }
  if (decoupled_weight_decay) p = (1 - step.lr * weight_decay) * p;
  Tensor u = g / maximum(sqrt(v), eps);
  if (const double most = pow(step.t - 1, 0.25); clip) u = clamp(u, -most, most);
  m = beta1 * m + (1 - beta1) * u;
  p = p - step.lr * m;
  v = beta2 * v + (1 - beta2) * square(g);
}

}  // namespace xgrad::optim
