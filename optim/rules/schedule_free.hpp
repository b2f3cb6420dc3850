// Schedule-Free: in place of a rate that falls, an average of the weights; for SGD, AdamW and RAdam. eval() puts the
// average into the parameters: evaluate and save the model there, and call train() before the next step.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// z begins as p; p, which is trained, is y of the paper; t from 1:
//   rate = lr min(1, t / warmup_steps)       w = t^r (the greatest rate so far)^2       c = w / (sum of all w)
//   u = g + weight_decay p
//   p <- (1 - c) p + c z - rate (1 - momentum (1 - c)) u       z <- z - rate u
//   eval():  p + (1 - 1 / momentum) (z - p)
// (Defazio et al. 2024), as the authors' program has it.
struct ScheduleFreeSGDRule {
  double lr = 1;
  double momentum = 0.9;
  double weight_decay = 0;
  double warmup_steps = 0;
  double r = 0;
  bool maximize = false;

  static constexpr const char* name = "ScheduleFreeSGD";
  static constexpr const char* slots[] = {"z"};
  static constexpr const char* numbers[] = {"weight_sum", "lr_max"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void advance(double* numbers, const Step& step) const;
  void update(Tensor& p, const Tensor& g, Tensor& z, const Step& step) const;
  Tensor evaluated(const Tensor& p, const Tensors& slots, const Step& step) const;
};
using ScheduleFreeSGD = Descent<ScheduleFreeSGDRule>;

// The same with beta1 for the momentum and
//   v <- beta2 v + (1 - beta2) g^2       u = g / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p
// as the authors released it: in the paper the rate is corrected, too.
struct ScheduleFreeAdamWRule {
  double lr = 2.5e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double warmup_steps = 0;
  double r = 0;
  bool maximize = false;

  static constexpr const char* name = "ScheduleFreeAdamW";
  static constexpr const char* slots[] = {"z", "exp_avg_sq"};
  static constexpr const char* numbers[] = {"weight_sum", "lr_max"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void advance(double* numbers, const Step& step) const;
  void update(Tensor& p, const Tensor& g, Tensor& z, Tensor& v, const Step& step) const;
  Tensor evaluated(const Tensor& p, const Tensors& slots, const Step& step) const;
};
using ScheduleFreeAdamW = Descent<ScheduleFreeAdamWRule>;

// The same without a warm-up: the rate is lr r of RAdam where its rho > 4, and else 0, or lr and u = g + weight_decay p if
// not silent_sgd_phase.
struct ScheduleFreeRAdamRule {
  double lr = 2.5e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double r = 0;
  bool silent_sgd_phase = true;
  bool maximize = false;

  static constexpr const char* name = "ScheduleFreeRAdam";
  static constexpr const char* slots[] = {"z", "exp_avg_sq"};
  static constexpr const char* numbers[] = {"weight_sum", "lr_max"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void advance(double* numbers, const Step& step) const;
  void update(Tensor& p, const Tensor& g, Tensor& z, Tensor& v, const Step& step) const;
  Tensor evaluated(const Tensor& p, const Tensors& slots, const Step& step) const;
};
using ScheduleFreeRAdam = Descent<ScheduleFreeRAdamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
