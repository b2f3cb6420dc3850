// NovoGrad: momentum of gradients that are divided by the lengths that they have of late, one number a tensor.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// v <- |g|^2 at the first step, else beta2 v + (1 - beta2) |g|^2
// m <- beta1 m + g / (sqrt(v) + eps) + weight_decay p,  all but beta1 m times 1 - beta1 with grad_averaging
// p <- p - lr m
// (Ginsburg et al. 2019), as the authors' program has it.
struct NovoGradRule {
  double lr = 1e-3;
  double beta1 = 0.95;
  double beta2 = 0.98;
  double eps = 1e-8;
  double weight_decay = 0;
  bool grad_averaging = false;
  bool maximize = false;

  static constexpr const char* name = "NovoGrad";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using NovoGrad = Descent<NovoGradRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
