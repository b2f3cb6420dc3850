// Rates that are found while it goes, from how far gradients say that the start was away: Prodigy, D-Adaptation. What they
// know of that, d, belongs to a group. Leave lr at 1; a schedule may drive it.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// x the weights it began with, sums over the whole group, d begins at d0, t from 1, beta3 = 0 stands for sqrt(beta2):
//   rate = d lr, with use_bias_correction times sqrt(1 - beta2^t) / (1 - beta1^t)
//   n <- beta3 n + d / d0 rate <g, x - p>       s <- beta3 s + d / d0 rate g   (safeguard_warmup: d for the rate)
//   m <- beta1 m + (1 - beta1) d g       v <- beta2 v + (1 - beta2) d^2 g^2
//   D = max(d, d_coef n / |s|_1)
//   p <- p (1 - weight_decay rate) - rate m / (sqrt(v) + D eps)       d <- D
// (Mishchenko & Defazio 2024), as the author's program has it.
struct ProdigyRule {
  double lr = 1;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double beta3 = 0;
  double eps = 1e-8;
  double weight_decay = 0;
  double d0 = 1e-6;
  double d_coef = 1;
  bool use_bias_correction = false;
  bool safeguard_warmup = false;
  bool maximize = false;

  static constexpr const char* name = "Prodigy";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq", "s", "p0"};
  static constexpr const char* shared[] = {"d", "d_numerator"};

  Tensor first(std::size_t slot, const Tensor& p) const;
  Tensor first_shared(std::size_t slot) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using Prodigy = Descent<ProdigyRule>;

// With g + weight_decay p for g, x the weights it began with, |g1| the length of the group's first gradient:
//   l = d lr / |g1|       a <- a + l <g, s>       s <- s + l g       d <- max(d, 2 a / |s|)
//   p <- momentum p + (1 - momentum) (x - s)
// (Defazio & Mishchenko 2023), as the authors' program has it.
struct DAdaptSGDRule {
  double lr = 1;
  double momentum = 0;
  double weight_decay = 0;
  double d0 = 1e-6;
  bool maximize = false;

  static constexpr const char* name = "DAdaptSGD";
  static constexpr const char* slots[] = {"s", "x0"};
  static constexpr const char* shared[] = {"d", "numerator", "g0_norm"};

  Tensor first(std::size_t slot, const Tensor& p) const;
  Tensor first_shared(std::size_t slot) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using DAdaptSGD = Descent<DAdaptSGDRule>;

// l = d lr, b = sqrt(beta2):
//   a <- b a + (1 - b) l <g, s / (sqrt(v) + eps)>
//   m <- beta1 m + (1 - beta1) l g       v <- beta2 v + (1 - beta2) g^2       s <- b s + (1 - b) l g
//   p <- p (1 - weight_decay l) - m / (sqrt(v) + eps)       d <- max(d, a / ((1 - b) |s|_1))
// (Defazio & Mishchenko 2023), as the authors' program has it: nothing is corrected, weight_decay is decoupled.
struct DAdaptAdamRule {
  double lr = 1;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double d0 = 1e-6;
  bool maximize = false;

  static constexpr const char* name = "DAdaptAdam";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq", "s"};
  static constexpr const char* shared[] = {"d", "numerator"};

  Tensor first_shared(std::size_t slot) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using DAdaptAdam = Descent<DAdaptAdamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
