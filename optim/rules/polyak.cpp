#include <xgrad/optim/rules/polyak.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor PolyakRule::first_shared(std::size_t) const { return ones({}, f64); }

void PolyakRule::check(const Require& require) const {
  require.positive("c", c);
  require(f_min - f_min == 0, "a finite f_min", f_min);
  require.not_negative("eps", eps);
  require.not_negative("batches_per_epoch", batches_per_epoch);
}

void PolyakRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  Tensor squares = zeros({}, f64);
  for (const Member& x : all) squares = squares + sum(square(x.g));
  const double above = step.loss > f_min ? step.loss - f_min : 0;
  Tensor rate = where(squares > 0x1p-52, minimum(above / (c * squares + eps), step.lr), 0.0);
  if (batches_per_epoch > 0) rate = minimum(rate, pow(2.0, 1 / batches_per_epoch) * shared[0]);
  for (Member& x : all) x.p = x.p - rate * x.g;
  shared[0] = rate;
}

void EveRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.fraction("beta3", beta3);
  require(clip >= 1 && clip - clip == 0, "a finite clip of 1 or more", clip);
  require.divisor("eps", eps);
  require(f_min - f_min == 0, "a finite f_min", f_min);
}

void EveRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const double now = step.loss - f_min, before = shared[1].item(), less = now < before ? now : before;
  double d = 1;  // 0 in the state: the first step
  if (const double so_far = shared[0].item(); so_far > 0) {
    const double q = abs(now - before) / (less + eps);
    d = beta3 * so_far + (1 - beta3) * (q < 1 / clip ? 1 / clip : q > clip ? clip : q);
  }
  for (Member& x : all) {
    Tensor &m = x.slots[0], &v = x.slots[1];
    m = beta1 * m + (1 - beta1) * x.g;
    v = beta2 * v + (1 - beta2) * square(x.g);
    x.p = x.p - step.lr / d / (1 - pow(beta1, x.t)) * m / (sqrt(v / (1 - pow(beta2, x.t))) + eps);
  }
  shared = {full({}, d, f64), full({}, now, f64)};
}

}  // namespace xgrad::optim
