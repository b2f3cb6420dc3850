// Optimistic descent: a step by what the gradient is expected to be next. For games, where plain descent goes in circles.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// p <- p - lr ((alpha + beta) g - beta g_before),  g_before = g at the first step
// (Rakhlin & Sridharan 2013; Mokhtari et al. 2020), as optax has it. lr has no default there.
struct OptimisticSGDRule {
  double lr = 1e-3;
  double alpha = 1;
  double beta = 1;
  bool maximize = false;

  static constexpr const char* name = "OptimisticSGD";
  static constexpr const char* slots[] = {"previous"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& previous, const Step& step) const;
};
using OptimisticSGD = Descent<OptimisticSGDRule>;

// The same with Adam's step for g  (Daskalakis et al. 2018)
struct OptimisticAdamRule {
  double lr = 1e-3;
  double alpha = 1;
  double beta = 1;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "OptimisticAdam";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq", "previous"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& previous, const Step& step) const;
};
using OptimisticAdam = Descent<OptimisticAdamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
