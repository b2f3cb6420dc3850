#include <xgrad/optim/rules/lamb.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void LAMBRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void LAMBRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor r = m / (1 - pow(beta1, step.t)) / (sqrt(v / (1 - pow(beta2, step.t))) + eps) + weight_decay * p;
  const Tensor of_p = norm(p), of_r = norm(r);
  p = p -
      step.lr * where(logical_and(of_p > 0, of_r > 0), of_p * (r / of_r), r);  // the lengths' ratio may leave the range
}

}  // namespace xgrad::optim
