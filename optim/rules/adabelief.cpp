#include <xgrad/optim/rules/adabelief.hpp>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/rules/radam.hpp>

namespace xgrad::optim {

void AdaBeliefRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void AdaBeliefRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& s, const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  s = beta2 * s + (1 - beta2) * square(g - m) + eps;
  p = (1 - step.lr * weight_decay) * p;
  const double rate = step.lr / (1 - pow(beta1, step.t)), of_s = sqrt(1 - pow(beta2, step.t));
  const auto [rho, r] = Rectification(beta2, step.t);
  if (!rectify) p = p - rate * m / (sqrt(s) / of_s + eps);
  else if (rho >= 5) p = p - rate * r * of_s * m / (sqrt(s) + eps);
  else p = p - rate * m;
}

}  // namespace xgrad::optim
