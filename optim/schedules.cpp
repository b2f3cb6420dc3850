#include "optim/schedules.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "optim/rates.hpp"

namespace xgrad::optim {

Schedule::Schedule(const char* name, const Optimizer& optimizer) : name_(name), rates_(optimizer.rates_) {
  if (const auto rates = rates_.lock()) index_ = rates->schedules++;
}

void Schedule::step(Source source) { resume(t_ + 1, source); }

void Schedule::resume(Size steps, Source source) {
  if (steps < 0) fail(source, fmt::format("[{}] expected a count of 0 or more, got {}", name_, steps));
  const auto rates = rates_.lock();
  if (!rates)
    fail(source,
         fmt::format("[{}] its optimizer is gone; make the schedule anew for the optimizer that replaced it", name_));
  t_ = steps;
  for (Rate& rate : rates->groups) {
    if (rate.factors.size() <= index_) rate.factors.resize(index_ + 1, 1.0);
    rate.factors[index_] = factor(t_, rate.base);
    rate.lr = rate.base * rate.product();
  }
}

StepLR::StepLR(const Optimizer& optimizer, StepOptions options, Source source)
    : Schedule("StepLR", optimizer), options_(options) {
  const Require require{"StepLR", source};
  require(options.every > 0, "every to be given, 1 or more", static_cast<double>(options.every));
  require(options.gamma >= 0 && std::isfinite(options.gamma), "a finite gamma of 0 or more", options.gamma);
  resume(0, source);
}
double StepLR::factor(Size t, double) const {
  return std::pow(options_.gamma, static_cast<double>(t / options_.every));
}

CosineAnnealing::CosineAnnealing(const Optimizer& optimizer, CosineOptions options, Source source)
    : Schedule("CosineAnnealing", optimizer), options_(options) {
  const Require require{"CosineAnnealing", source};
  require(options.steps > 0, "steps to be given, 1 or more", static_cast<double>(options.steps));
  require(options.min_lr >= 0 && std::isfinite(options.min_lr), "a finite min_lr of 0 or more", options.min_lr);
  resume(0, source);
}
double CosineAnnealing::factor(Size t, double base) const {
  const double angle = std::numbers::pi * static_cast<double>(t) / static_cast<double>(options_.steps);
  const double least = base > 0 ? options_.min_lr / base : 0;
  return least + (1 - least) * (1 + std::cos(angle)) / 2;
}

LinearWarmup::LinearWarmup(const Optimizer& optimizer, WarmupOptions options, Source source)
    : Schedule("LinearWarmup", optimizer), options_(options) {
  const Require require{"LinearWarmup", source};
  require(options.steps > 0, "1 step or more", static_cast<double>(options.steps));
  require(options.start >= 0 && std::isfinite(options.start), "a finite start of 0 or more", options.start);
  require(options.end >= 0 && std::isfinite(options.end), "a finite end of 0 or more", options.end);
  resume(0, source);
}
double LinearWarmup::factor(Size t, double) const {
  const double done = static_cast<double>(std::min(t, options_.steps)) / static_cast<double>(options_.steps);
  return options_.start + (options_.end - options_.start) * done;
}

}  // namespace xgrad::optim
