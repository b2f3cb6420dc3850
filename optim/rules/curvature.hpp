// Steps by the curvature of each number, estimated by products with the Hessian: SophiaH, AdaHessian. step(loss) finds them.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// z H z of the loss at random signs z every `every` steps, at 1, 1 + every ...; t from 1:
//   m <- beta1 m + (1 - beta1) g
//   p <- p - lr (m / (1 - beta1^t) / max(gamma h, eps), kept within +-1, + weight_decay p)
//   then h <- beta2 h + (1 - beta2) z H z, in such a step
// (Liu et al. 2023, with Hutchinson's estimate), as optax has it: h is 0 at first, so that the first step goes by signs.
// lr has no default there.
struct SophiaHRule {
  double lr = 1e-3;
  double beta1 = 0.965;
  double beta2 = 0.99;
  double gamma = 0.01;
  double eps = 1e-8;
  double weight_decay = 1e-4;
  int every = 10;
  bool maximize = false;

  static constexpr const char* name = "SophiaH";
  static constexpr const char* slots[] = {"exp_avg", "hessian"};
  static constexpr bool of_loss = true;

  void check(const Require& require) const;
  bool wants_curvature(const Step& step) const { return (step.t - 1) % every == 0; }
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& h, const Step& step) const;
};
using SophiaH = Descent<SophiaHRule>;

// p (1 - lr weight_decay) first; z H z as above in each step, t from 1:
//   m <- beta1 m + (1 - beta1) g       v <- beta2 v + (1 - beta2) (z H z)^2
//   p <- p - lr m / (1 - beta1^t) / ((v / (1 - beta2^t))^(hessian_power / 2) + eps)
// (Yao et al. 2021), as timm has it, without the mean over kernels of convolutions.
struct AdaHessianRule {
  double lr = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double hessian_power = 1;
  bool maximize = false;

  static constexpr const char* name = "AdaHessian";
  static constexpr const char* slots[] = {"exp_avg", "exp_hessian_diag_sq"};
  static constexpr bool of_loss = true;

  void check(const Require& require) const;
  bool wants_curvature(const Step&) const { return true; }
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using AdaHessian = Descent<AdaHessianRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
