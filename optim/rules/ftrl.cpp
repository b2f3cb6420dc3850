#include <xgrad/optim/rules/ftrl.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor FTRLRule::first(std::size_t slot, const Tensor& p) const {
  if (slot == 0) return full_like(p, initial_accumulator_value);
  if (!keep_weights) return {};
  const double curvature = (beta + pow(initial_accumulator_value, -lr_power)) / lr + l2;
  return where(p == 0, 0.0, -curvature * p - sign(p) * l1);
}

void FTRLRule::check(const Require& require) const {
  require.positive("lr", lr);
  require(lr_power < 0 && lr_power - lr_power == 0, "a finite lr_power below 0", lr_power);
  require.not_negative("beta", beta);
  require.not_negative("l1", l1);
  require.not_negative("l2", l2);
  require.not_negative("initial_accumulator_value", initial_accumulator_value);
}

void FTRLRule::update(Tensor& p, const Tensor& g, Tensor& n, Tensor& z, const Step& step) const {
  const auto power = [&](const Tensor& x) { return lr_power == -0.5 ? sqrt(x) : pow(x, -lr_power); };
  const Tensor more = n + square(g), of_more = power(more);
  z = z + g - 1 / step.lr * (of_more - power(n)) * p;
  n = more;
  const Tensor divisor = 1 / step.lr * of_more + (beta / step.lr + l2);  // 0 where all squares so far are lost to 0
  p = where(logical_or(abs(z) <= l1, divisor == 0), 0.0, (sign(z) * l1 - z) / divisor);
}

void FTMLRule::check(const Require& require) const {
  require.positive("lr", lr);
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.positive("eps", eps);
  require.divisor("eps", eps);
}

void FTMLRule::update(Tensor& p, const Tensor& g, Tensor& v, Tensor& d, Tensor& z, const Step& step) const {
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor before = d;
  d = (1 - pow(beta1, step.t)) / step.lr * (sqrt(v / (1 - pow(beta2, step.t))) + eps);
  z = beta1 * z + (1 - beta1) * g - (d - beta1 * before) * p;
  p = -z / d;
}

}  // namespace xgrad::optim
