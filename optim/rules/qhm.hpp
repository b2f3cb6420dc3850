// Momentum in other mixtures: QHM and QHAdam (quasi-hyperbolic), AggMo (several at once).
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g:  m <- momentum m + (1 - momentum) g       p <- p - lr (nu m + (1 - nu) g)
// (Ma & Yarats 2019). nu = 1: momentum; nu = momentum: Nesterov's. lr has no default there.
struct QHMRule {
  double lr = 1e-3;
  double momentum = 0.999;
  double nu = 0.7;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "QHM";
  static constexpr const char* slots[] = {"momentum_buffer"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& m, const Step& step) const;
};
using QHM = Descent<QHMRule>;

// With g + weight_decay p for g, m and v of Adam, t from 1:
//   p <- p - lr ((1 - nu1) g + nu1 m / (1 - beta1^t)) / (sqrt((1 - nu2) g^2 + nu2 v / (1 - beta2^t)) + eps)
// (Ma & Yarats 2019). As it comes it is Adam; they advise nu1 = 0.7 with beta1 = 0.995.
struct QHAdamRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double nu1 = 1;
  double nu2 = 1;
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "QHAdam";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& m, Tensor& v, const Step& step) const;
};
using QHAdam = Descent<QHAdamRule>;

// With g + weight_decay p for g:  b[i] <- beta[i] b[i] + g       p <- p - lr (b[1] + b[2] + b[3]) / 3
// (Lucas et al. 2019). lr has no default there.
struct AggMoRule {
  double lr = 1e-3;
  double beta1 = 0, beta2 = 0.9, beta3 = 0.99;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "AggMo";
  static constexpr const char* slots[] = {"momentum_buffer1", "momentum_buffer2", "momentum_buffer3"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& b1, Tensor& b2, Tensor& b3, const Step& step) const;
};
using AggMo = Descent<AggMoRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
