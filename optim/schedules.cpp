#include <xgrad/optim/schedules.hpp>

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "optim/state.hpp"

namespace xgrad::optim {

Scheduler::Scheduler(const Optimizer& optimizer, Schedule schedule, Source source)
    : Scheduler(optimizer, Attached::lr, std::move(schedule), source) {}

Scheduler::Scheduler(const Optimizer& optimizer, std::ptrdiff_t option, Schedule schedule, Source source) {
  const char* name = schedule.name();
  attach(
      optimizer, name, option, {0},
      [schedule = std::move(schedule)](const Memory& memory, double base, Source at) {
        return schedule(static_cast<Size>(memory[0]), base, at);
      },
      source);
}

Scheduler::Scheduler(const Optimizer& optimizer, const char* name, Memory memory, Factor factor, Source source) {
  attach(optimizer, name, Attached::lr, std::move(memory), std::move(factor), source);
}

void Scheduler::attach(const Optimizer& optimizer, const char* name, std::ptrdiff_t option, Memory memory,
                       Factor factor, Source source) try {
  name_ = name;
  if (!optimizer.state_) fail(source.named(name), "this optimizer was moved from; use the one it was moved to");
  rates_ = optimizer.state_->rates;
  number_ = rates_->schedules++;
  rates_->attached.push_back({number_, name, option, memory, std::move(factor)});
  try {
    remember(std::move(memory), source);
  } catch (...) {
    detach();
    throw;
  }
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name);
}

Scheduler::Scheduler(Scheduler&& other) noexcept = default;
Scheduler& Scheduler::operator=(Scheduler&& other) noexcept {
  if (this == &other) return *this;
  detach();
  name_ = other.name_;
  rates_ = std::move(other.rates_);
  number_ = other.number_;
  return *this;
}
Scheduler::~Scheduler() { detach(); }

void Scheduler::detach() noexcept {
  if (!rates_) return;
  for (Rate& rate : rates_->groups) rate.forget(number_);
  std::erase_if(rates_->attached, [&](const Attached& a) { return a.number == number_; });
  rates_ = {};
}

void Scheduler::check_attached(Source source) const {
  if (!rates_) fail(source.named(name_), "this schedule was moved from; use the one it was moved to");
  if (rates_->gone)
    fail(source.named(name_), "its optimizer is gone; make the schedule anew for the optimizer that replaced it");
}

Size Scheduler::steps() const { return rates_ ? static_cast<Size>(rates_->at(number_).memory[0]) : 0; }

void Scheduler::keep_out_of_state(Source source) {
  check_attached(source);
  rates_->at(number_).saved = false;
}

const Scheduler::Memory& Scheduler::memory(Source source) const {
  check_attached(source);
  return rates_->at(number_).memory;
}

void Scheduler::remember(Memory memory, Source source) {
  Attached& own = rates_->at(number_);
  if (own.option != Attached::lr) {  // looked up at each step of the optimizer
    own.memory = std::move(memory);
    return;
  }
  std::vector<double> factors;  // may fail: before anything changes
  for (const Rate& rate : rates_->groups) factors.push_back(own.factor(memory, rate.base, source));
  own.memory = std::move(memory);
  for (std::size_t g = 0; g < factors.size(); ++g) rates_->groups[g].set(number_, factors[g]);
}

void Scheduler::step(Source source) {
  check_attached(source);
  resume(steps() + 1, source);
}

void Scheduler::resume(Size steps, Source source) {
  if (steps < 0) fail(source.named(name_), "expected a count of 0 or more, got {}", steps);
  Memory changed = memory(source);
  changed[0] = static_cast<double>(steps);
  remember(std::move(changed), source);
}

StepLR::StepLR(const Optimizer& optimizer, StepOptions options, Source source)
    : Scheduler(optimizer, named_step_decay("StepLR", options, source), source) {}
CosineAnnealing::CosineAnnealing(const Optimizer& optimizer, CosineOptions options, Source source)
    : Scheduler(optimizer, named_cosine("CosineAnnealing", options, source), source) {}
LinearWarmup::LinearWarmup(const Optimizer& optimizer, WarmupOptions options, Source source)
    : Scheduler(optimizer, named_warmup("LinearWarmup", options, source), source) {}

MultiplicativeLR::MultiplicativeLR(const Optimizer& optimizer, Callable<double(Size)> f, Source source)
    : Scheduler(
          optimizer, "MultiplicativeLR", {0, 1}, [](const Memory& memory, double, Source) { return memory[1]; },
          source),
      f_(std::move(f)) {}

void MultiplicativeLR::step(Source source) {
  Memory m = memory(source);
  m[1] *= f_(static_cast<Size>(++m[0]));
  Require{"MultiplicativeLR", source}.not_negative("product", m[1]);
  remember(std::move(m), source);
}

// ---- reduce on plateau, as PyTorch has it

namespace {
enum : std::size_t { steps_, reductions_, best_, bad_, cooling_, plateau_size };  // its memory

double worst(const PlateauOptions& o) {
  return o.maximize ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}
}  // namespace

ReduceOnPlateau::ReduceOnPlateau(const Optimizer& optimizer, PlateauOptions o, Source source)
    : Scheduler(
          optimizer, "ReduceOnPlateau", {0, 0, worst(o), 0, 0},
          [o](const Memory& memory, double base, Source) {  // lr <- max(lr factor, min_lr), so often
            const double factor = std::pow(o.factor, memory[reductions_]);
            const double least = base > 0 && memory[reductions_] > 0 ? std::min(1.0, o.min_lr / base) : 0;
            return std::max(factor, least);
          },
          source),
      options_(o) {
  const Require require{"ReduceOnPlateau", source};
  require(o.factor >= 0 && o.factor < 1, "a factor in [0, 1)", o.factor);
  require(o.patience >= 0, "a patience of 0 or more", static_cast<double>(o.patience));
  require.not_negative("threshold", o.threshold);
  require(o.absolute || o.threshold < 1, "a threshold below 1, or an absolute one", o.threshold);
  require(o.cooldown >= 0, "a cooldown of 0 or more", static_cast<double>(o.cooldown));
  require.not_negative("min_lr", o.min_lr);
}

void ReduceOnPlateau::step(double value, Source source) {
  Memory m = memory(source);
  const double sign = options_.maximize ? -1 : 1;
  const double bound =
      options_.absolute ? m[best_] - sign * options_.threshold : m[best_] * (1 - sign * options_.threshold);
  const bool better = sign * value < sign * bound;
  if (better) m[best_] = value;
  m[bad_] = better ? 0 : m[bad_] + 1;
  if (m[cooling_] > 0) {
    --m[cooling_];
    m[bad_] = 0;
  }
  if (m[bad_] > static_cast<double>(options_.patience)) {
    ++m[reductions_];
    m[cooling_] = static_cast<double>(options_.cooldown);
    m[bad_] = 0;
  }
  ++m[steps_];
  remember(std::move(m), source);
}

}  // namespace xgrad::optim
