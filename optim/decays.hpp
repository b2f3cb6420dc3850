// Schedules that fall, or rise, once. Each is a factor of the option's own value, the base, at step t = 0, 1, ..; where a
// formula goes to a value that is not a multiple of it (min_lr), least = min_lr / base. Options that make no sense are an
// Error. What begins with a warm-up is a sequence: sequence({{warmup({.steps = 5}), 5}, {polynomial_decay({.steps = 95})}}).
#pragma once

#include <xgrad/optim/schedule.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// gamma^(number of milestones <= t)   (PyTorch's MultiStepLR; one that is there twice counts twice)
struct MultiStepOptions {
  std::vector<Size> milestones = {};
  double gamma = 0.1;
};
Schedule multistep_decay(MultiStepOptions options, Source source = Source::here());

// factor while t < steps, then 1   (PyTorch's ConstantLR)
struct ConstantOptions {
  double factor = 1.0 / 3;
  Size steps = 5;
};
Schedule constant(ConstantOptions options = {}, Source source = Source::here());

// gamma^(t / every); with stairs gamma^floor(t / every)   (PyTorch's ExponentialLR; `every` as in optax and Keras)
struct ExponentialOptions {
  double gamma = 0;  // to be given
  Size every = 1;
  bool stairs = false;
};
Schedule exponential_decay(ExponentialOptions options, Source source = Source::here());

// least + (1 - least) (1 - min(t, T) / T)^power, T = steps   (PyTorch's PolynomialLR; power 1: linear to 0)
// cycle: T = steps ceil(t / steps), so that it rises again where it would have ended (Keras)
struct PolynomialOptions {
  Size steps = 5;
  double power = 1;
  double min_lr = 0;
  bool cycle = false;
};
Schedule polynomial_decay(PolynomialOptions options = {}, Source source = Source::here());

// 1 / (1 + rate t / every); with stairs floor(t / every)   (Keras)
struct InverseTimeOptions {
  double rate = 0;  // to be given
  Size every = 1;
  bool stairs = false;
};
Schedule inverse_time_decay(InverseTimeOptions options, Source source = Source::here());

// 1 / sqrt((t + timescale) / timescale)   (Hugging Face; after a warm-up its steps are the timescale)
struct InverseSqrtOptions {
  Size timescale = 10000;
};
Schedule inverse_sqrt_decay(InverseSqrtOptions options = {}, Source source = Source::here());

// (1 + t / offset)^-power   (Robbins & Monro 1951: 1/2 < power <= 1; SGLD's a (b + t)^-gamma, Welling & Teh 2011)
struct PowerOptions {
  double power = 0.75;
  double offset = 1;
};
Schedule power_decay(PowerOptions options = {}, Source source = Source::here());

// least + (1 - least) (1 - p) / (1 - p / 2), p = min(t, steps) / steps   (REX; Chen, Wolfe, Kyrillidis 2022)
struct RexOptions {
  Size steps = 0;  // to be given
  double min_lr = 0;
};
Schedule rex_decay(RexOptions options, Source source = Source::here());

// width^(-1/2) min(s^(-1/2), s warmup^(-3/2)), s = t + 1   (Noam; Vaswani et al. 2017, for a base of 1)
struct NoamOptions {
  Size width = 0;  // of the model; to be given
  Size warmup = 4000;
};
Schedule noam(NoamOptions options, Source source = Source::here());

// (1 - p) / ((1 - base) + base (1 - p)), p = min(t, steps) / steps: of a momentum, or beta1   (Demon; Chen et al. 2019)
struct DemonOptions {
  Size steps = 0;  // to be given
};
Schedule demon(DemonOptions options, Source source = Source::here());

// How a ramp gets from one factor to another: u(p) for p in 0 .. 1.
enum class Ramp {
  linear,  // p
  cosine,  // (1 - cos(pi p)) / 2
  sqrt,    // sqrt(p): a decay of 1 - sqrt(p)
  square,  // p^2: a decay of 1 - p^2
  late,    // 1 - sqrt(1 - p)
};
// from + (to - from) u(min(t, steps) / steps)
struct RampOptions {
  Size steps = 0;           // to be given
  double from = 1, to = 0;  // factors
  Ramp form = Ramp::linear;
};
Schedule ramp(RampOptions options, Source source = Source::here());

// Up over `warmup` steps, 1 for `stable`, down over `decay`   (WSD; Hägele et al. 2024: down by 1 - sqrt, 10 to 20 % of all)
struct WarmupStableDecayOptions {
  Size warmup = 0, stable = 0, decay = 0;  // steps; decay to be given
  Ramp up = Ramp::linear, down = Ramp::sqrt;
  double least = 0;  // factor at the begin of the warm-up, and at the end
};
Schedule warmup_stable_decay(WarmupStableDecayOptions options, Source source = Source::here());

// From the base to lr in `steps`, and then lr: lr a + base (1 - a), a = (1 - cos(pi min(t, steps) / steps)) / 2, or with
// linear min(t, steps) / steps   (PyTorch's SWALR)
struct AnnealOptions {
  double lr = 0;  // to be given
  Size steps = 10;
  bool linear = false;
};
Schedule anneal(AnnealOptions options, Source source = Source::here());

// Between the corners, which are in order of t, what `between` says; before the first its factor, after the last its.
enum class Between { constant, linear, cosine };  // constant: the factor of the corner before
struct Corner {
  Size t;
  double factor;
};
Schedule piecewise(std::vector<Corner> corners, Between between = Between::constant, Source source = Source::here());

}  // namespace xgrad::optim

#pragma GCC visibility pop
