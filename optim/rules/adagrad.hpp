// Adagrad: each number's gradient over the root of the sum of its squares so far.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g, t from 1:
//   s <- s + g^2       p <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)
// (Duchi, Hazan & Singer 2011), as PyTorch has it: s begins at 0, eps outside of the root.
struct AdagradRule {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;  // what s begins at
  double eps = 1e-10;
  bool maximize = false;

  static constexpr const char* name = "Adagrad";
  static constexpr const char* slots[] = {"sum"};
  static constexpr bool elementwise = true;

  bool by_rows() const { return weight_decay == 0 && eps > 0; }  // with eps = 0 a zero gradient is 0 / 0
  Tensor first(std::size_t, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& s, const Step& step) const;
};
using Adagrad = Descent<AdagradRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
