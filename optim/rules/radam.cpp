#include <xgrad/optim/rules/radam.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Rectification::Rectification(double beta2, Size t) {
  const double decayed = pow(beta2, t), most = 2 / (1 - beta2) - 1;
  rho = most - 2 * static_cast<double>(t) * decayed / (1 - decayed);
  r = rho > 4 ? sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)) : 1;
}

void RAdamRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void RAdamRule::update(Tensor& p, Tensor g, Tensor& m, Tensor& v, const Step& step) const {
  if (decoupled_weight_decay) p = (1 - step.lr * weight_decay) * p;
  else if (weight_decay != 0) g = g + weight_decay * p;
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const double rate = step.lr / (1 - pow(beta1, step.t));
  const auto [rho, r] = Rectification(beta2, step.t);
  if (rho > 5) p = p - rate * r * sqrt(1 - pow(beta2, step.t)) * m / (sqrt(v) + eps);
  else p = p - rate * m;
}

}  // namespace xgrad::optim
