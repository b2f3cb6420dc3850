#include <xgrad/optim/rules/yogi.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor YogiRule::first(std::size_t, const Tensor& p) const { return full_like(p, initial_accumulator_value); }

void YogiRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("initial_accumulator_value", initial_accumulator_value);
}

void YogiRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  v = v - (1 - beta2) * sign(v - square(g)) * square(g);
  p = p - step.lr / (1 - pow(beta1, step.t)) * m / (sqrt(v / (1 - pow(beta2, step.t))) + eps);
}

}  // namespace xgrad::optim
