// Schedules that come back. As in decays.hpp: factors of the option's own value, the base; least = min_lr / base.
#pragma once

#include <xgrad/optim/schedule.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// least + (1 - least) decay^i (1 + cos(pi c / T)) / 2, where c steps of the i-th cycle (from 0) of T = steps factor^i are over
// (SGDR; Loshchilov & Hutter 2017, as PyTorch's CosineAnnealingWarmRestarts; `decay` as in Keras). Steps are counted in integers.
struct RestartsOptions {
  Size steps = 0;   // of the first cycle; to be given
  Size factor = 1;  // each cycle is so many times as long as the one before
  double min_lr = 0;
  double decay = 1;
};
Schedule cosine_restarts(RestartsOptions options, Source source = Source::here());

// With p = t / steps: hard: least + (1 - least) (1 + cos(pi ((cycles p) mod 1))) / 2, and least from p = 1 on; else
// least + (1 - least) max(0, (1 + cos(2 pi cycles p)) / 2)   (Hugging Face)
struct CosineCyclesOptions {
  Size steps = 0;  // to be given
  double cycles = 1;
  bool hard = true;
  double min_lr = 0;
};
Schedule cosine_cycles(CosineCyclesOptions options, Source source = Source::here());

// base + (peak - base) s k: s goes from 0 to 1 in `up` steps and back in `down`; in the c-th cycle (from 1) k is 1, or for
// triangular2 1 / 2^(c - 1), for exp_range gamma^t   (CyclicLR; Smith 2017). Attached to a momentum of 0.9, with a peak of 0.8,
// it is what PyTorch does with that.
struct CyclicOptions {
  double peak = 0;           // a value, as the base is; to be given
  Size up = 2000, down = 0;  // steps; down 0: as many as up
  enum class Form { triangular, triangular2, exp_range } form = Form::triangular;
  double gamma = 1;
};
Schedule cyclic(CyclicOptions options, Source source = Source::here());

// 1 / div_factor -> 1 -> 1 / (div_factor final_div_factor): up until step pct_start steps - 1, then down until step steps - 1;
// three_phase: up, as long back to 1 / div_factor, then down. Each phase by half a cosine, or linear. Phases may end between
// two steps. Afterwards it stays at the end   (OneCycleLR; Smith & Topin 2019, as PyTorch has it; the base is its max_lr)
struct OneCycleOptions {
  Size steps = 0;  // in all; to be given, 2 or more
  double pct_start = 0.3;
  double div_factor = 25, final_div_factor = 1e4;
  bool linear = false;
  bool three_phase = false;
  double base_momentum = 0.85;  // for one_cycle_momentum
};
Schedule one_cycle(OneCycleOptions options, Source source = Source::here());
// Of the momentum (or beta1) beside it, whose own value is the greatest: base -> base_momentum -> base
Schedule one_cycle_momentum(OneCycleOptions options, Source source = Source::here());

}  // namespace xgrad::optim

#pragma GCC visibility pop
