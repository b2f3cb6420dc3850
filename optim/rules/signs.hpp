// Steps of one length for all numbers, by signs alone: Signum (signSGD with momentum), Lion, Tiger.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// m <- momentum m + (1 - momentum) g       p <- p (1 - lr weight_decay) - lr sign(m)
// (Bernstein et al. 2018). momentum = 0 is signSGD. The sign of 0 is 0.
struct SignumRule {
  double lr = 1e-3;
  double momentum = 0.9;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "Signum";
  static constexpr const char* slots[] = {"exp_avg"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const;
};
using Signum = Descent<SignumRule>;

// p <- p (1 - lr weight_decay) - lr sign(beta1 m + (1 - beta1) g)       m <- beta2 m + (1 - beta2) g
// (Chen et al. 2023), as the authors have it. A third to a tenth of AdamW's rate, and as much more decay.
struct LionRule {
  double lr = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "Lion";
  static constexpr const char* slots[] = {"exp_avg"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const;
};
using Lion = Descent<LionRule>;

// m <- beta m + (1 - beta) g       p <- p - lr (sign(m) + weight_decay p)
// (Su 2023): Lion with one beta, which is a Signum that forgets slowly.
struct TigerRule {
  double lr = 1e-3;
  double beta = 0.965;
  double weight_decay = 0.01;
  bool maximize = false;

  static constexpr const char* name = "Tiger";
  static constexpr const char* slots[] = {"exp_avg"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const;
};
using Tiger = Descent<TigerRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
