#include <xgrad/optim/schedules.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "optim/state.hpp"

namespace xgrad::optim {

Schedule::Schedule(const char* name, const Optimizer& optimizer) : name_(name), rates_(new Rates) {
  rates_->gone = !optimizer.state_;
  if (!optimizer.state_) return;
  rates_ = optimizer.state_->rates;
  number_ = rates_->schedules++;
}

Schedule& Schedule::operator=(Schedule&& other) noexcept {
  if (this == &other) return *this;
  detach();
  name_ = other.name_;
  rates_ = std::move(other.rates_);
  number_ = other.number_;
  t_ = other.t_;
  return *this;
}

Schedule::~Schedule() { detach(); }

void Schedule::detach() noexcept {
  if (!rates_) return;
  for (Rate& rate : rates_->groups) rate.forget(number_);
  rates_ = {};
}

void Schedule::step(Source source) { resume(t_ + 1, source); }

void Schedule::resume(Size steps, Source source) {
  if (steps < 0) fail(source, fmt::format("[{}] expected a count of 0 or more, got {}", name_, steps));
  if (!rates_) fail(source, fmt::format("[{}] this schedule was moved from; use the one it was moved to", name_));
  if (rates_->gone)
    fail(source,
         fmt::format("[{}] its optimizer is gone; make the schedule anew for the optimizer that replaced it", name_));
  for (const Rate& rate : rates_->groups) (void)factor(steps, rate.base, source);  // may fail: before anything changes
  t_ = steps;
  for (Rate& rate : rates_->groups) rate.set(number_, factor(t_, rate.base, source));
}

StepLR::StepLR(const Optimizer& optimizer, StepOptions options, Source source)
    : Schedule("StepLR", optimizer), options_(options) {
  const Require require{"StepLR", source};
  require(options.every > 0, "every to be given, 1 or more", static_cast<double>(options.every));
  require.not_negative("gamma", options.gamma);
  resume(0, source);
}
double StepLR::factor(Size t, double, Source) const {
  return std::pow(options_.gamma, static_cast<double>(t / options_.every));
}

CosineAnnealing::CosineAnnealing(const Optimizer& optimizer, CosineOptions options, Source source)
    : Schedule("CosineAnnealing", optimizer), options_(options) {
  const Require require{"CosineAnnealing", source};
  require(options.steps > 0, "steps to be given, 1 or more", static_cast<double>(options.steps));
  require.not_negative("min_lr", options.min_lr);
  resume(0, source);
}
double CosineAnnealing::factor(Size t, double base, Source source) const {
  const Require require{"CosineAnnealing", source};
  require(base > 0 || options_.min_lr == 0, "an lr above 0, to go from it to min_lr", base);
  const double angle = std::numbers::pi * static_cast<double>(t) / static_cast<double>(options_.steps);
  const double least = base > 0 ? options_.min_lr / base : 0;
  return least + (1 - least) * (1 + std::cos(angle)) / 2;
}

LinearWarmup::LinearWarmup(const Optimizer& optimizer, WarmupOptions options, Source source)
    : Schedule("LinearWarmup", optimizer), options_(options) {
  const Require require{"LinearWarmup", source};
  require(options.steps > 0, "1 step or more", static_cast<double>(options.steps));
  require.not_negative("start", options.start);
  require.not_negative("end", options.end);
  resume(0, source);
}
double LinearWarmup::factor(Size t, double, Source) const {
  const double done = static_cast<double>(std::min(t, options_.steps)) / static_cast<double>(options_.steps);
  return options_.start + (options_.end - options_.start) * done;
}

}  // namespace xgrad::optim
