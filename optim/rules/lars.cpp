#include <xgrad/optim/rules/lars.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void LARSRule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  require.not_negative("weight_decay", weight_decay);
  require.not_negative("trust_coefficient", trust_coefficient);
  require.divisor("eps", eps);
}

void LARSRule::update(Tensor& p, const Tensor& g, Tensor& b, const Step& step) const {
  const Tensor decayed = g + weight_decay * p, of_p = norm(p), of_g = norm(decayed);
  // The gradient is made short before it is multiplied: the ratio of the lengths may leave the range.
  const Tensor trusted = trust_coefficient * of_p * (decayed / (of_g + eps));
  const Tensor u = step.lr * where(logical_and(of_p > 0, of_g > 0), trusted, decayed);
  b = momentum * b + u;
  p = p - (nesterov ? u + momentum * b : b);
}

void FromageRule::check(const Require& require) const { require.positive("min_norm", min_norm); }

void FromageRule::update(Tensor& p, const Tensor& g, const Step& step) const {
  const Tensor ratio = maximum(norm(p), min_norm) / maximum(norm(g), min_norm);
  p = (p - step.lr * ratio * g) / sqrt(1 + step.lr * step.lr);
}

}  // namespace xgrad::optim
