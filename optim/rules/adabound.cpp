#include <xgrad/optim/rules/adabound.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

std::vector<const char*> AdaBoundRule::slot_names() const {
  std::vector<const char*> names{"exp_avg", "exp_avg_sq"};
  if (amsbound) names.push_back("max_exp_avg_sq");
  return names;
}

void AdaBoundRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.not_negative("final_lr", final_lr);
  require.positive("gamma", gamma);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void AdaBoundRule::update(Tensor& p, Tensor g, Tensors& slots, const Step& step) const {
  const auto t = static_cast<double>(step.t);
  if (weight_decay != 0) g = g + weight_decay * p;
  Tensor &m = slots[0], &v = slots[1];
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  if (amsbound) slots[2] = maximum(slots[2], v);
  const double rate = step.lr * sqrt(1 - pow(beta2, t)) / (1 - pow(beta1, t)),
               end = lr > 0 ? final_lr * step.lr / lr : final_lr;
  const Tensor rates = rate / (sqrt(amsbound ? slots[2] : v) + eps);
  p = p - clamp(rates, end * (1 - 1 / (gamma * t + 1)), end * (1 + 1 / (gamma * t))) * m;
}

void PadamRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require(partial >= 0 && partial <= 0.5, "partial in [0, 1/2]", partial);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void PadamRule::update(Tensor& p, Tensor g, Tensor& m, Tensor& v, Tensor& most, const Step& step) const {
  if (weight_decay != 0) g = g + weight_decay * p;
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  most = maximum(most, v);
  const double rate = step.lr * sqrt(1 - pow(beta2, step.t)) / (1 - pow(beta1, step.t));
  const Tensor root = sqrt(most) + eps;
  p = p - rate * m / (partial == 0.25 ? sqrt(root) : pow(root, 2 * partial));
}

}  // namespace xgrad::optim
