#include <xgrad/optim/rules/mars.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

std::vector<const char*> MARSRule::slot_names() const {
  std::vector<const char*> names{"exp_avg", "last_grad"};
  if (!lion) names.push_back("exp_avg_sq");
  return names;
}

void MARSRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.not_negative("gamma", gamma);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void MARSRule::update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const {
  const Tensor all = g + gamma * beta1 / (1 - beta1) * (g - slots[1]), c = all / maximum(norm(all), 1.0);
  Tensor& m = slots[0];
  m = beta1 * m + (1 - beta1) * c;
  slots[1] = g;
  Tensor u;
  if (lion) {
    u = sign(m);
  } else {
    slots[2] = beta2 * slots[2] + (1 - beta2) * square(c);
    u = m / (1 - pow(beta1, step.t)) / (sqrt(slots[2] / (1 - pow(beta2, step.t))) + eps);
  }
  p = p - step.lr * (u + weight_decay * p);
}

}  // namespace xgrad::optim
