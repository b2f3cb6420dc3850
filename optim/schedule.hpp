// Schedules: what an option of an optimizer is multiplied by, as a function of the step. They are values: they compose,
// and are attached by a Scheduler (scheduler.hpp). Formulas as torch.optim.lr_scheduler has them.
#pragma once

#include <type_traits>
#include <utility>
#include <vector>

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/dtype.hpp>
#include <xgrad/autodiff/error.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// A factor for each step t = 0, 1, ..: a function of your own of t, or one of those below. One that goes to a value
// that is not a multiple of the option's own (min_lr) is told that, as `base`.
class Schedule {
 public:
  using Function = Callable<double(Size t, double base, Source source)>;

  template <class F,
            class = std::enable_if_t<!std::is_same_v<F, Schedule> && std::is_invocable_r_v<double, const F&, Size>>>
  Schedule(F factor) : function_([factor = std::move(factor)](Size t, double, Source) { return double(factor(t)); }) {}
  Schedule(const char* name, Function factor) : name_(name), function_(std::move(factor)) {}

  // At step t; an Error where that is not a finite number of 0 or more.
  double operator()(Size t, double base = 1, Source source = Source::here()) const;
  const char* name() const { return name_; }

 private:
  const char* name_ = "Schedule";
  Function function_;
};

// gamma^floor(t / every)
struct StepOptions {
  Size every = 0;  // steps between the drops; to be given
  double gamma = 0.1;
};
Schedule step_decay(StepOptions options, Source source = Source::here());

// least + (1 - least) (1 + cos(pi t / steps)) / 2, least = min_lr / base (Loshchilov & Hutter 2017, without restarts;
// rises again after). A base of 0 stays 0, so next to a min_lr above it is an Error.
struct CosineOptions {
  Size steps = 0;  // to the lowest rate; to be given
  double min_lr = 0;
};
Schedule cosine(CosineOptions options, Source source = Source::here());

// start + (end - start) min(t, steps) / steps
struct WarmupOptions {
  Size steps = 5;
  double start = 1.0 / 3, end = 1;  // factors
};
Schedule warmup(WarmupOptions options = {}, Source source = Source::here());

// One after the other, each from its own t = 0: sequence({{warmup({.steps = 5}), 5}, {cosine({.steps = 20}), 20}}). The
// last goes on after its steps, which need not be given.
struct Part {
  Schedule schedule;
  Size steps = 0;
};
Schedule sequence(std::vector<Part> parts, Source source = Source::here());

// All at once, multiplied.
Schedule product(std::vector<Schedule> factors, Source source = Source::here());

}  // namespace xgrad::optim

#pragma GCC visibility pop
