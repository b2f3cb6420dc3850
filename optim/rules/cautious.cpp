#include <xgrad/optim/rules/cautious.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void CautiousAdamWRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void CautiousAdamWRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor k = where(m * g > 0, ones_like(g), 0.0);
  const double rate = step.lr * sqrt(1 - pow(beta2, step.t)) / (1 - pow(beta1, step.t));
  p = (1 - step.lr * weight_decay) * p - rate / maximum(mean(k), 1e-3) * k * m / (sqrt(v) + eps);
}

void CautiousLionRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.not_negative("weight_decay", weight_decay);
}

void CautiousLionRule::update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const {
  const Tensor u = sign(beta1 * m + (1 - beta1) * g), k = where(u * g > 0, ones_like(g), 0.0);
  m = beta2 * m + (1 - beta2) * g;
  p = (1 - step.lr * weight_decay) * p - step.lr * static_cast<double>(p.numel()) / (sum(k) + 1) * k * u;
}

}  // namespace xgrad::optim
