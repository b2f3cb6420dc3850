#include <xgrad/optim/rules/swats.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor SWATSRule::first(std::size_t slot, const Tensor& p) const { return slot > 2 ? zeros({}, p.dtype()) : Tensor(); }

void SWATSRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require.not_negative("tolerance", tolerance);
}

void SWATSRule::update(Tensor& p, Tensor g, Tensor& m, Tensor& v, Tensor& b, Tensor& lambda, Tensor& rate,
                       const Step& step) const {
  if (weight_decay != 0) g = g + weight_decay * p;
  const double of_v = 1 - pow(beta2, step.t), since = lr > 0 ? step.lr / lr : 0;
  if (rate.item() > 0) {  // SGD from here on
    b = beta1 * b + g;
    p = p - since * (1 - beta1) * rate * b;
    return;
  }
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor d = -step.lr / (1 - pow(beta1, step.t)) * m / (sqrt(v / of_v) + eps), down = -sum(d * g);
  p = p + d;
  const Tensor c = sum(square(d)) / down, now = beta2 * lambda + (1 - beta2) * c, corrected = now / of_v;
  const Tensor found = logical_and(logical_and(abs(corrected - c) < tolerance, corrected > 0), step.t > 1);
  lambda = where(down == 0, lambda, now);
  rate = where(logical_and(found, down != 0), since > 0 ? corrected / since : corrected, 0.0);
}

}  // namespace xgrad::optim
