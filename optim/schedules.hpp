// Schedulers: what attaches a schedule to an optimizer.
#pragma once

#include <xgrad/optim/descent.hpp>
#include <xgrad/optim/schedule.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Multiplies the lr of each group, or another option of each, by a schedule of the count of its step() calls; several
// multiply together. It leaves when it is destroyed: the option is then what the others make of it. It follows the
// optimizer when that moves, and says so when it is gone (destroyed, or assigned another). Its count is saved and
// loaded with the optimizer's state, so make the schedulers first, in the same order, and then load; a file without
// schedules leaves the counts as they are. Moves, and does not copy.
class Scheduler {
 public:
  Scheduler(const Optimizer& optimizer, Schedule schedule, Source source = Source::here());
  // Any option of f64: Scheduler(adam, &AdamRule::beta1, schedule). What comes out must be a value that the
  // optimizer takes; else its next step is an Error.
  template <class Rule, class Base>
  requires std::is_base_of_v<Base, Rule>  // a rule made of another has its options, too
  Scheduler(const Descent<Rule>& optimizer, double Base::*option, Schedule schedule, Source source = Source::here())
      : Scheduler(optimizer, place<Rule>(option), std::move(schedule), source) {}
  Scheduler(Scheduler&& other) noexcept;
  Scheduler& operator=(Scheduler&& other) noexcept;
  ~Scheduler();

  void step(Source source = Source::here());                // once an epoch (or a batch: as its options count)
  void resume(Size steps, Source source = Source::here());  // as after so many steps
  Size steps() const;
  void keep_out_of_state(
      Source source = Source::here());  // of the optimizer's: for who makes it anew each time, as fit does

 protected:
  // With a memory of its own: numbers that are saved, the count of steps first; and what it makes of them.
  using Memory = std::vector<double>;
  using Factor = Callable<double(const Memory& memory, double base, Source source)>;
  Scheduler(const Optimizer& optimizer, const char* name, Memory memory, Factor factor, Source source);
  const Memory& memory(Source source) const;
  void remember(Memory memory, Source source);  // and acts on it; on an Error nothing has changed

 private:
  Scheduler(const Optimizer& optimizer, std::ptrdiff_t option, Schedule schedule, Source source);
  template <class Options>
  static std::ptrdiff_t place(double Options::*option) {
    static const Options some{};
    const std::ptrdiff_t at = reinterpret_cast<const char*>(&(some.*option)) - reinterpret_cast<const char*>(&some);
    return option == &Options::lr ? -1 : at;
  }
  void attach(const Optimizer& optimizer, const char* name, std::ptrdiff_t option, Memory memory, Factor factor,
              Source source);
  void detach() noexcept;
  void check_attached(Source source) const;

  const char* name_;
  engine::Ref<Rates> rates_;  // null: moved from
  std::size_t number_ = 0;    // among the optimizer's schedules
};

// The schedules of these names, attached to the lr.
class StepLR final : public Scheduler {
 public:
  StepLR(const Optimizer& optimizer, StepOptions options, Source source = Source::here());
};
class CosineAnnealing final : public Scheduler {
 public:
  CosineAnnealing(const Optimizer& optimizer, CosineOptions options, Source source = Source::here());
};
class LinearWarmup final : public Scheduler {
 public:
  LinearWarmup(const Optimizer& optimizer, WarmupOptions options = {}, Source source = Source::here());
};

// lr(t) = lr(t - 1) f(t), t = 1, 2, ..   (PyTorch's MultiplicativeLR.) The product so far is what it remembers, and is saved.
class MultiplicativeLR final : public Scheduler {
 public:
  MultiplicativeLR(const Optimizer& optimizer, Callable<double(Size t)> f, Source source = Source::here());
  void step(Source source = Source::here());

 private:
  using Scheduler::resume;  // it is not the count alone
  Callable<double(Size t)> f_;
};

// One that looks at a value, the loss of an epoch, and not at the count alone: lr *= factor once the value has not
// become better for more than `patience` steps in a row. Better is a value below best (1 - threshold); NaN never is.
struct PlateauOptions {
  double factor = 0.1;
  Size patience = 10;
  double threshold = 1e-4;
  bool maximize = false;  // greater is better: above best (1 + threshold)
  bool absolute = false;  // best - threshold, and best + threshold: for values that may be negative
  Size cooldown = 0;      // steps after a reduction that do not count
  double min_lr = 0;
};
class ReduceOnPlateau final : public Scheduler {
 public:
  ReduceOnPlateau(const Optimizer& optimizer, PlateauOptions options = {}, Source source = Source::here());
  void step(double value, Source source = Source::here());

 private:
  using Scheduler::resume;  // it is not the count alone
  PlateauOptions options_;
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
