#include <xgrad/optim/rules/came.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor CAMERule::first(std::size_t slot, const Tensor& p) const {
  Shape shape = p.shape();
  const bool matrix = shape.size() > 1;
  if (slot == 0) return {};
  if (matrix == (slot == 5)) return zeros({0}, p.dtype());
  if (matrix) shape[slot % 2 == 1 ? shape.size() - 1 : shape.size() - 2] = 1;
  return zeros(shape, p.dtype());
}

void CAMERule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.fraction("beta3", beta3);
  require.not_negative("eps1", eps1);
  require.not_negative("eps2", eps2);
  require.positive("d", d);
  require.not_negative("weight_decay", weight_decay);
}

namespace {

// Of the means of x by row and by column: 1 / sqrt of what they say of x.
Tensor factored(Tensor& rows, Tensor& columns, const Tensor& x, double beta) {
  rows = beta * rows + (1 - beta) * mean(x, -1, true);
  columns = beta * columns + (1 - beta) * mean(x, -2, true);
  return rsqrt(rows / mean(rows, -2, true)) * rsqrt(columns);
}

}  // namespace

void CAMERule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& rows, Tensor& columns, Tensor& of_rows,
                      Tensor& of_columns, Tensor& v, const Step& step) const {
  const bool matrix = p.dim() > 1;
  const Tensor squares = square(g) + eps1;
  Tensor u;
  if (matrix) u = factored(rows, columns, squares, beta2) * g;
  else v = beta2 * v + (1 - beta2) * squares, u = rsqrt(v) * g;
  u = u / maximum(norm(u) / (d * sqrt(static_cast<double>(p.numel()))), 1.0);
  m = beta1 * m + (1 - beta1) * u;
  const Tensor trusted = matrix ? factored(of_rows, of_columns, square(u - m) + eps2, beta3) * m : m;
  p = (1 - step.lr * weight_decay) * p - step.lr * trusted;
}

}  // namespace xgrad::optim
