#include <xgrad/optim/rules/adam_mini.hpp>

#include <fmt/core.h>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {

// As many rows as there are blocks of a v each.
Shape blocks(const Tensor& p, Size rows) {
  const Size count = p.dim() == 0 ? 1 : p.size(0) / rows;
  return {count, count == 0 ? 0 : p.numel() / count};
}

}  // namespace

Tensor AdamMiniRule::first(std::size_t slot, const Tensor& p) const {
  return slot == 1 ? zeros({blocks(p, rows)[0], 1}, p.dtype()) : Tensor();
}

void AdamMiniRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require(rows > 0, "1 row or more", rows);
}

void AdamMiniRule::check_parameter(const Require& require, const Parameters::Entry& p) const {
  const Shape& shape = p.value().shape();
  if (rows > 1 && (shape.size() == 0 || shape[0] % rows != 0))
    fail(require.source.named(name), "expected a first axis of a multiple of {} rows, got {} for {}", rows, shape,
         p.name);
}

void AdamMiniRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  const Shape by_block = blocks(p, rows);
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * mean(square(reshape(g, by_block)), 1, true);
  const Tensor u = reshape(m, by_block) / (sqrt(v / (1 - pow(beta2, step.t))) + eps);
  p = (1 - step.lr * weight_decay) * p - step.lr / (1 - pow(beta1, step.t)) * reshape(u, p.shape());
}

}  // namespace xgrad::optim
