// MADGRAD: dual averaging with momentum, by cube roots of the sums of squares.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g, x the weights it began with, t from 1:
//   l = (lr + eps) sqrt(t)       s <- s + l g       v <- v + l g^2
//   p <- momentum p + (1 - momentum) (x - s / (cbrt(v) + eps))
// (Defazio & Jelassi 2022), as the authors' program has it; they advise against weight_decay.
struct MADGRADRule {
  double lr = 1e-2;
  double momentum = 0.9;
  double eps = 1e-6;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "MADGRAD";
  static constexpr const char* slots[] = {"s", "grad_sum_sq", "x0"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& s, Tensor& v, Tensor& x, const Step& step) const;
};
using MADGRAD = Descent<MADGRADRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
