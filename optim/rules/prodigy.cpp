#include <xgrad/optim/rules/prodigy.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {

void check_d0(const Require& require, double d0) { require.positive("d0", d0); }

}  // namespace

Tensor ProdigyRule::first(std::size_t slot, const Tensor& p) const { return slot == 3 ? p : Tensor(); }
Tensor ProdigyRule::first_shared(std::size_t slot) const { return full({}, slot == 0 ? d0 : 0.0, f64); }

void ProdigyRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.fraction("beta3", beta3);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  check_d0(require, d0);
  require.not_negative("d_coef", d_coef);
}

void ProdigyRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const double b = beta3 > 0 ? beta3 : sqrt(beta2);
  const double corrected = use_bias_correction ? sqrt(1 - pow(beta2, step.t)) / (1 - pow(beta1, step.t)) : 1;
  const Tensor d = shared[0], rate = step.lr * corrected * d;
  Tensor numerator = b * shared[1], size = 0.0;
  for (Member& x : all) {
    numerator = numerator + d / d0 * rate * sum(x.g * (x.slots[3] - x.p));
    x.slots[0] = beta1 * x.slots[0] + d * (1 - beta1) * x.g;
    x.slots[1] = beta2 * x.slots[1] + d * d * (1 - beta2) * square(x.g);
    x.slots[2] = b * x.slots[2] + d / d0 * (safeguard_warmup ? d : rate) * x.g;
    size = size + sum(abs(x.slots[2]));
  }
  Tensor now = d;
  if (step.lr > 0) now = where(size > 0, maximum(d, d_coef * numerator / size), d);
  for (Member& x : all) x.p = (1 - weight_decay * rate) * x.p - rate * x.slots[0] / (sqrt(x.slots[1]) + eps * now);
  shared = {now, numerator};
}

Tensor DAdaptSGDRule::first(std::size_t slot, const Tensor& p) const { return slot == 1 ? p : Tensor(); }
Tensor DAdaptSGDRule::first_shared(std::size_t slot) const { return full({}, slot == 0 ? d0 : 0.0, f64); }

void DAdaptSGDRule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  require.not_negative("weight_decay", weight_decay);
  check_d0(require, d0);
}

void DAdaptSGDRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const Tensor d = shared[0];
  Tensor numerator = shared[1], size = 0.0, squares = 0.0;
  for (Member& x : all) {
    if (weight_decay != 0) x.g = x.g + weight_decay * x.p;
    squares = squares + sum(square(x.g));
  }
  const Tensor length = where(shared[2] > 0, shared[2], sqrt(squares));
  const Tensor l = where(length > 0, step.lr * d / length, 0.0);
  for (Member& x : all) {
    Tensor& s = x.slots[0];
    numerator = numerator + l * sum(x.g * s);
    s = s + l * x.g;
    size = size + sum(square(s));
    x.p = momentum * x.p + (1 - momentum) * (x.slots[1] - s);
  }
  Tensor now = d;
  if (step.lr > 0) now = where(size > 0, maximum(d, 2 * numerator / sqrt(size)), d);
  shared = {now, numerator, length};
}

Tensor DAdaptAdamRule::first_shared(std::size_t slot) const { return full({}, slot == 0 ? d0 : 0.0, f64); }

void DAdaptAdamRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.positive("eps", eps);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  check_d0(require, d0);
}

void DAdaptAdamRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const double b = sqrt(beta2);
  const Tensor d = shared[0], l = step.lr * d;
  Tensor numerator = b * shared[1], size = 0.0;
  for (Member& x : all) {
    Tensor &m = x.slots[0], &v = x.slots[1], &s = x.slots[2];
    numerator = numerator + (1 - b) * l * sum(x.g * s / (sqrt(v) + eps));
    m = beta1 * m + (1 - beta1) * l * x.g;
    v = beta2 * v + (1 - beta2) * square(x.g);
    s = b * s + (1 - b) * l * x.g;
    size = size + sum(abs(s));
    x.p = (1 - weight_decay * l) * x.p - m / (sqrt(v) + eps);
  }
  Tensor now = d;
  if (step.lr > 0) now = where(size > 0, maximum(d, numerator / ((1 - b) * size)), d);
  shared = {now, numerator};
}

}  // namespace xgrad::optim
