// RMSprop: each number's gradient over the root of its own mean square.
#pragma once

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/descent.hpp>

namespace xgrad::optim {

// With g + weight_decay p for g (to maximize: its negative first):
//   v <- alpha v + (1 - alpha) g^2       centered: a <- alpha a + (1 - alpha) g, and max(v - a^2, 0) is taken for v
//   b <- momentum b + g / (sqrt(v) + eps)
//   p <- p - lr b
// (Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013), as PyTorch has it: eps outside of the root. PyTorch does
// not stop v - a^2 at 0, and is NaN where rounding brings it below.
struct RMSpropRule {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  bool maximize = false;

  static constexpr const char* name = "RMSprop";
  static constexpr bool elementwise = true;

  std::vector<const char*> slot_names() const {
    std::vector<const char*> names{"square_avg"};
    if (centered) names.push_back("grad_avg");
    if (momentum > 0) names.push_back("momentum_buffer");
    return names;
  }
  void check(const Require& require) const {
    require(alpha >= 0 && alpha < 1, "alpha in [0, 1)", alpha);
    require.divisor("eps", eps);
    require.not_negative("weight_decay", weight_decay);
    require.not_negative("momentum", momentum);
  }
  void update(Tensor& p, Tensor g, Tensors& slots, const Step& step) const {
    if (maximize) g = -g;
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
};
using RMSprop = Descent<RMSpropRule>;

}  // namespace xgrad::optim
