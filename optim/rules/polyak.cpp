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

}  // namespace xgrad::optim
