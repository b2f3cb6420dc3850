// Between Adam and SGD: AdaBound (bounds on each number's rate), Padam (a lesser root of the mean square).
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g, m and v of Adam (amsbound: the greatest v so far for v), t from 1:
//   f = final_lr lr / (the lr that it began with)
//   e = lr sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v) + eps), kept in [f (1 - 1 / (gamma t + 1)), f (1 + 1 / (gamma t))]
//   p <- p - e m
// (Luo et al. 2019), as the authors' program has it.
struct AdaBoundRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double final_lr = 0.1;
  double gamma = 1e-3;
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsbound = false;
  bool maximize = false;

  static constexpr const char* name = "AdaBound";
  static constexpr bool elementwise = true;

  std::vector<const char*> slot_names() const;
  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensors& slots, const Step& step) const;
};
using AdaBound = Descent<AdaBoundRule>;

// With g + weight_decay p for g, m and v of Adam, V the greatest v so far, t from 1:
//   p <- p - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(V) + eps)^(2 partial)
// (Chen et al. 2018), as the authors' program has it. partial = 1/2: AMSGrad; 0: momentum.
struct PadamRule {
  double lr = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double partial = 0.25;
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "Padam";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& m, Tensor& v, Tensor& most, const Step& step) const;
};
using Padam = Descent<PadamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
