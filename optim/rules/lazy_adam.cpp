#include <xgrad/optim/rules/lazy_adam.hpp>

#include <cmath>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void LazyAdamRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require(!(lr * weight_decay >= 1), "lr weight_decay below 1", lr * weight_decay);
}

void LazyAdamRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& last, const Step& step) const {
  const auto t = static_cast<double>(step.t);
  const double rate = step.lr / (1 - std::pow(beta1, t)), root = 1 / std::sqrt(1 - std::pow(beta2, t));
  const Tensor missed = t - last;
  m = pow(beta1, missed) * m + (1 - beta1) * g;
  v = pow(beta2, missed) * v + (1 - beta2) * square(g);
  if (weight_decay != 0) p = p * pow(1 - step.lr * weight_decay, missed);
  p = p - rate * m / (sqrt(v) * root + eps);
  last = where(missed == missed, t, last);
}

}  // namespace xgrad::optim
