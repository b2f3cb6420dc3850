// Adam, rearranged: LaProp (momentum of normalised gradients), Grams (the gradient's sign, Adam's length).
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// v <- beta2 v + (1 - beta2) g^2, t from 1:
//   m <- beta1 m + (1 - beta1) lr g / (sqrt(v / (1 - beta2^t)) + eps)       c <- beta1 c + (1 - beta1) lr
//   p <- p - lr / c m       (at one rate lr / c is 1 / (1 - beta1^t))
// (Ziyin, Wang & Ueda 2020), as timm has it.
struct LaPropRule {
  double lr = 4e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-15;
  bool maximize = false;

  static constexpr const char* name = "LaProp";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr const char* numbers[] = {"exp_avg_lr"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void advance(double* average, const Step& step) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using LaProp = Descent<LaPropRule>;

// p (1 - lr weight_decay) first, m and v of Adam, t from 1:
//   p <- p - lr |m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)| sign(g)
// (Cao, Li & Song 2024).
struct GramsRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "Grams";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using Grams = Descent<GramsRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
