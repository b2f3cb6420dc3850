#include <xgrad/optim/rules/curvature.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void SophiaHRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.not_negative("gamma", gamma);
  require.positive("eps", eps);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require(every > 0, "every of 1 or more", every);
}

void SophiaHRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& h, const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  const Tensor u = clamp(m / (1 - pow(beta1, step.t)) / maximum(gamma * h, eps), -1, 1);
  p = p - step.lr * (u + weight_decay * p);
  if (step.curvature.defined()) h = beta2 * h + (1 - beta2) * step.curvature;
}

void AdaHessianRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require(hessian_power > 0 && hessian_power <= 1, "hessian_power in (0, 1]", hessian_power);
}

void AdaHessianRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(step.curvature);
  const Tensor corrected = v / (1 - pow(beta2, step.t));
  const Tensor root = hessian_power == 1 ? sqrt(corrected) : pow(corrected, hessian_power / 2);
  p = (1 - step.lr * weight_decay) * p - step.lr / (1 - pow(beta1, step.t)) * m / (root + eps);
}

}  // namespace xgrad::optim
