// LAMB: Adam whose step is as long as the parameter's own length says.
#pragma once

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/descent.hpp>

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

  static constexpr const char* name = "LAMB";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};

  void check(const Require& require) const {
    require(beta1 >= 0 && beta1 < 1, "beta1 in [0, 1)", beta1);
    require(beta2 >= 0 && beta2 < 1, "beta2 in [0, 1)", beta2);
    require.divisor("eps", eps);
    require.not_negative("weight_decay", weight_decay);
  }
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * square(g);
    const Tensor r = m / (1 - pow(beta1, step.t)) / (sqrt(v / (1 - pow(beta2, step.t))) + eps) + weight_decay * p;
    const Tensor of_p = norm(p), of_r = norm(r);
    const Tensor ratio = where(logical_and(of_p > 0, of_r > 0), of_p / of_r, 1.0);
    p = p - step.lr * ratio * r;
  }
};
using LAMB = Descent<LAMBRule>;

}  // namespace xgrad::optim
