// Averages of the weights, to be judged by: optimizer.eval() puts them into the parameters, train() takes them out again. What
// layers keep of their own (running statistics) is not averaged: go over the data once, in training mode, after eval().
#pragma once

#include <xgrad/optim/around.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Exponential: a <- d a + (1 - d) p, the first time a <- p. d is the decay; with power > 0 it grows to that:
//   d = min(decay, 1 - t^-power)   (2/3 for a million steps, 3/4 for fewer, as timm has it)
// debias: a is 0 at first, and a / (1 - d^t) is judged by   (optax's ema)
struct EMARule {
  double decay = 0.999;
  double power = 0;
  bool debias = false;

  static constexpr const char* name = "EMA";
  static constexpr const char* slots[] = {"average"};
  static constexpr bool sees_all = true;
  void check(const Require& require) const;
  Tensor first(std::size_t slot, const Tensor& p) const;
  void after(Tensor& p, Tensor& a, Size t) const;
  Tensor evaluated(const Tensor& p, const Tensors& slots, Size t) const;
};
using EMA = Around<EMARule>;

// Equal weights: a <- a + (p - a) / n, n-th of the steps start + every, start + 2 every, ..   (SWA; Izmailov et al. 2018: from
// three quarters of the training on, with a constant or cyclic rate. Polyak & Juditsky 1992: every step.)
// gamma > 0: a <- a + (p - a) (gamma + 1) / (gamma + n), which forgets what is old   (Shamir & Zhang 2013; 8 in DoG)
struct SWARule {
  Size start = 0, every = 1;
  double gamma = 0;

  static constexpr const char* name = "SWA";
  static constexpr const char* slots[] = {"average"};
  static constexpr bool sees_all = true;
  void check(const Require& require) const;
  Tensor first(std::size_t slot, const Tensor& p) const;
  bool acts(Size t) const;
  void after(Tensor& p, Tensor& a, Size t) const;
  Tensor evaluated(const Tensor& p, const Tensors& slots, Size t) const;
};
using SWA = Around<SWARule>;

// Every `steps` steps: slow <- slow + alpha (p - slow), p <- slow; slow is p at first, and the weights to be judged by
// (Zhang, Lucas, Hinton, Ba 2019). The optimizer keeps its own state, momentum too. A parameter without a gradient in such a step
// stays where it is.
struct LookaheadRule {
  Size steps = 5;
  double alpha = 0.5;

  static constexpr const char* name = "Lookahead";
  static constexpr const char* slots[] = {"slow"};
  void check(const Require& require) const;
  Tensor first(std::size_t slot, const Tensor& p) const;
  bool acts(Size t) const;
  void after(Tensor& p, Tensor& slow, Size t) const;
  Tensor evaluated(const Tensor& p, const Tensors& slots, Size t) const;
};
using Lookahead = Around<LookaheadRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
