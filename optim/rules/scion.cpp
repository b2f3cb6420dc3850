#include <xgrad/optim/rules/scion.hpp>

#include "optim/rules/orthogonal.hpp"

namespace xgrad::optim {
namespace {

Tensor of_size_1(const Tensor& m, ScionNorm by) {
  const auto number = [](Size n) { return static_cast<double>(n); };
  const Size outputs = m.dim() == 0 ? 1 : m.size(0), all = m.dim() < 2 ? 1 : m.numel() / outputs;
  if (by == ScionNorm::sign) return sign(m) / number(all);
  if (m.dim() < 2) return m / (sqrt(mean(square(m))) + 1e-8);
  const Size inputs = m.size(1), window = all / inputs;
  const Tensor turned = nearly_orthogonal(reshape(m, {outputs, all}), 5, 3.4445, -4.775, 2.0315, 1e-7);
  return sqrt(number(outputs) / number(inputs)) / number(window) * reshape(turned, m.shape());
}

}  // namespace

void ScionRule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  require.positive("radius", radius);
}

void ScionRule::update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const {
  m = momentum * m + (1 - momentum) * g;
  p = (unconstrained ? 1 : 1 - step.lr) * p - step.lr * radius * of_size_1(m, norm);
}

}  // namespace xgrad::optim
