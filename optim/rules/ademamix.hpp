// AdEMAMix: Adam with a second momentum that remembers thousands of steps. And the simplified one, with one momentum.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// t from 1:
//   m1 <- beta1 m1 + (1 - beta1) g       m2 <- b m2 + (1 - b) g       v <- beta2 v + (1 - beta2) g^2
//   p <- p - lr ((m1 / (1 - beta1^t) + a m2) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p)
// a and b are alpha and beta3; before step alpha_warmup:  a = alpha t / alpha_warmup;  before step beta3_warmup the memory of b,
// h(b) = ln(1/2) / ln(b) - 1, goes from beta1's to beta3's in a straight line
// (Pagliardini, Ablin & Grangier 2024), as the authors' program has it: m2 is not corrected, alpha is 2 (in the paper 5).
struct AdEMAMixRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double beta3 = 0.9999;
  double alpha = 2;
  double eps = 1e-8;
  double weight_decay = 0;
  double alpha_warmup = 0;  // steps; 0: none
  double beta3_warmup = 0;
  bool maximize = false;

  static constexpr const char* name = "AdEMAMix";
  static constexpr const char* slots[] = {"exp_avg_fast", "exp_avg_slow", "exp_avg_sq"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& fast, Tensor& slow, Tensor& v, const Step& step) const;
};
using AdEMAMix = Descent<AdEMAMixRule>;

// m <- beta1 m + g       v <- beta2 v + (1 - beta2) g^2
// p <- p - lr (m + alpha g) / (sqrt(v / (1 - beta2^t)) + eps)
// (Morwani et al. 2025), as optax has it. m is a sum: a good lr is 1 - beta1 times that of Adam.
struct SimplifiedAdEMAMixRule {
  double lr = 1e-5;
  double beta1 = 0.99;
  double beta2 = 0.95;
  double alpha = 0;
  double eps = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "SimplifiedAdEMAMix";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using SimplifiedAdEMAMix = Descent<SimplifiedAdEMAMixRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
