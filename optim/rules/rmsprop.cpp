#include <xgrad/optim/rules/rmsprop.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

std::vector<const char*> RMSpropRule::slot_names() const {
  std::vector<const char*> names{"square_avg"};
  if (centered) names.push_back("grad_avg");
  if (momentum > 0) names.push_back("momentum_buffer");
  return names;
}

void RMSpropRule::check(const Require& require) const {
  require.fraction("alpha", alpha);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require.not_negative("momentum", momentum);
}

void RMSpropRule::update(Tensor& p, Tensor g, Tensors& slots, const Step& step) const {
  if (weight_decay != 0) g = g + weight_decay * p;
  Tensor& v = slots[0];
  v = alpha * v + (1 - alpha) * square(g);
  Tensor spread = v;
  if (centered) {
    Tensor& a = slots[1];
    a = alpha * a + (1 - alpha) * g;
    spread = maximum(v - square(a), 0.0);
  }
  Tensor direction = g / (sqrt(spread) + eps);
  if (momentum > 0) {
    Tensor& b = slots[centered ? 2 : 1];
    direction = b = momentum * b + direction;
  }
  p = p - step.lr * direction;
}

}  // namespace xgrad::optim
