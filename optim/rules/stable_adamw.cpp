#include <xgrad/optim/rules/stable_adamw.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void StableAdamWRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.positive("eps", eps);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void StableAdamWRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  const auto corrected = [&](double beta) { return (pow(beta, step.t) - beta) / (pow(beta, step.t) - 1); };
  const double b1 = corrected(beta1), b2 = corrected(beta2);
  m = b1 * m + (1 - b1) * g;
  v = b2 * v + (1 - b2) * square(g);
  const Tensor rate = step.lr / maximum(sqrt(mean(square(g) / maximum(v, eps * eps))), 1.0);
  p = (1 - rate * weight_decay) * p - rate * m / (sqrt(v) + eps);
}

}  // namespace xgrad::optim
