#include <xgrad/optim/rules/adafactor.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor AdafactorRule::first(std::size_t slot, const Tensor& p) const {
  Shape shape = p.shape();
  const bool matrix = shape.size() > 1;
  if (matrix == (slot == 2)) return zeros({0}, p.dtype());
  if (matrix) shape[slot == 0 ? shape.size() - 1 : shape.size() - 2] = 1;
  return zeros(shape, p.dtype());
}

void AdafactorRule::check(const Require& require) const {
  require(beta2_decay < 0 && beta2_decay - beta2_decay == 0, "a finite beta2_decay below 0", beta2_decay);
  require.divisor("eps1", eps1);
  require.not_negative("eps2", eps2);
  require(d >= 1 && d - d == 0, "a finite d of 1 or more", d);
  require.not_negative("weight_decay", weight_decay);
}

void AdafactorRule::update(Tensor& p, const Tensor& g, Tensor& rows, Tensor& columns, Tensor& variance,
                           const Step& step) const {
  const double least = eps1 > 0 ? eps1 : p.dtype() == f64 ? 0x1p-52 : 0x1p-23;
  const double fresh = pow(step.t, beta2_decay), root = sqrt(static_cast<double>(p.numel()));
  Tensor v;
  if (p.dim() > 1) {
    rows = (1 - fresh) * rows + fresh * mean(square(g), -1, true);
    columns = (1 - fresh) * columns + fresh * mean(square(g), -2, true);
    v = rows * columns / maximum(mean(rows, -2, true), least);
  } else {
    v = variance = (1 - fresh) * variance + fresh * square(g);
  }
  const Tensor u = g / maximum(sqrt(v), least);
  const double most = 1 / sqrt(static_cast<double>(step.t));
  const Tensor rate = maximum(norm(p) / root, eps2) * (step.lr < most ? step.lr : most);
  p = (1 - step.lr * weight_decay) * p - rate / maximum(norm(u) / (root * d), 1.0) * u;
}

}  // namespace xgrad::optim
