// LAMB: Adam whose step is as long as the parameter's own length says.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// t from 1, lengths |.| of whole tensors:
//   m <- beta1 m + (1 - beta1) g     v <- beta2 v + (1 - beta2) g^2
//   r = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p
//   p <- p - lr |p| / |r| r, and p - lr r where one of the lengths is 0
// (You et al. 2020, algorithm 2), as optax has it. Others clip the gradients' common length to 1 first.
struct LAMBRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-6;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "LAMB";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using LAMB = Descent<LAMBRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
