// Schedules: learning rates that change from epoch to epoch. Formulas as torch.optim.lr_scheduler has them.
#pragma once

#include <xgrad/optim/optimizer.hpp>

namespace xgrad::optim {

// A schedule multiplies each group's lr by a factor of the count of its step() calls; several multiply together. Its
// factor leaves with it: when it is destroyed, the lr is what the others make of it. It follows the optimizer when that
// moves, and says so when it is gone (destroyed, or assigned another). Moves, and does not copy.
class Schedule {
 public:
  virtual ~Schedule();
  void step(Source source = Source::here());                // once an epoch (or a batch: as its options count)
  void resume(Size steps, Source source = Source::here());  // as after so many steps
  Size steps() const { return t_; }

 protected:
  Schedule(const char* name, const Optimizer& optimizer);
  Schedule(Schedule&& other) noexcept = default;
  Schedule& operator=(Schedule&& other) noexcept;
  virtual double factor(Size t, double base, Source source) const = 0;  // lr(t) / base

 private:
  void detach() noexcept;

  const char* name_;
  engine::Ref<Rates> rates_;  // null: moved from
  std::size_t number_ = 0;    // among the optimizer's schedules
  Size t_ = 0;
};

// lr = base gamma^floor(t / every)
struct StepOptions {
  Size every = 0;  // steps between the drops; to be given
  double gamma = 0.1;
};
class StepLR final : public Schedule {
 public:
  StepLR(const Optimizer& optimizer, StepOptions options, Source source = Source::here());

 private:
  double factor(Size t, double base, Source source) const override;
  StepOptions options_;
};

// lr = min + (base - min) (1 + cos(pi t / steps)) / 2   (Loshchilov & Hutter 2017, without restarts; rises again after)
// A base of 0 stays 0, so next to a min above it is an Error.
struct CosineOptions {
  Size steps = 0;  // to the lowest rate; to be given
  double min_lr = 0;
};
class CosineAnnealing final : public Schedule {
 public:
  CosineAnnealing(const Optimizer& optimizer, CosineOptions options, Source source = Source::here());

 private:
  double factor(Size t, double base, Source source) const override;
  CosineOptions options_;
};

// lr = base (start + (end - start) min(t, steps) / steps)
struct WarmupOptions {
  Size steps = 5;
  double start = 1.0 / 3, end = 1;  // factors
};
class LinearWarmup final : public Schedule {
 public:
  LinearWarmup(const Optimizer& optimizer, WarmupOptions options = {}, Source source = Source::here());

 private:
  double factor(Size t, double base, Source source) const override;
  WarmupOptions options_;
};

}  // namespace xgrad::optim
