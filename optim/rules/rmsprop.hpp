// RMSprop: each number's gradient over the root of its own mean square.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g:
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

  std::vector<const char*> slot_names() const;
  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensors& slots, const Step& step) const;
};
using RMSprop = Descent<RMSpropRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
