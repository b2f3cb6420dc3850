#include <xgrad/optim/rules/novograd.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor NovoGradRule::first(std::size_t slot, const Tensor& p) const {
  return slot == 1 ? zeros({}, p.dtype()) : Tensor();
}

void NovoGradRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void NovoGradRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  const Tensor now = sum(square(g));
  v = step.t == 1 ? now : beta2 * v + (1 - beta2) * now;
  m = beta1 * m + (grad_averaging ? 1 - beta1 : 1) * (g / (sqrt(v) + eps) + weight_decay * p);
  p = p - step.lr * m;
}

}  // namespace xgrad::optim
