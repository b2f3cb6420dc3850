// Learning rates and schedules, as an optimizer and its schedulers share them. Private to optim/.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/optim/schedule.hpp>

namespace xgrad::optim {

// lr = base, times what every schedule says
struct Rate {
  struct Factor {
    std::size_t schedule;  // its number
    double value;
  };
  double lr, base;
  std::vector<Factor> factors = {};  // of the schedules

  double product() const {
    double f = 1;
    for (const Factor& factor : factors) f *= factor.value;
    return f;
  }
  void set(std::size_t schedule, double value) {
    keep(schedule, value);
    lr = base * product();
  }
  // Without a change of the lr, which was loaded.
  void keep(std::size_t schedule, double value) {
    for (Factor& factor : factors)
      if (factor.schedule == schedule) {
        factor.value = value;
        return;
      }
    factors.push_back({schedule, value});
  }
  void forget(std::size_t schedule) {
    if (std::erase_if(factors, [&](const Factor& factor) { return factor.schedule == schedule; }))
      lr = base * product();
  }
};

// A schedule that drives an option: the lr of the groups, or a double in the options of the rule.
struct Attached {
  static constexpr std::ptrdiff_t lr = -1;
  std::size_t number;
  const char* name;
  std::ptrdiff_t option;       // where it lies in the options, in bytes
  std::vector<double> memory;  // what is saved; the steps come first
  Callable<double(const std::vector<double>& memory, double base, Source source)> factor;
  bool saved = true;  // with the optimizer

  double operator()(double base, Source source) const { return factor(memory, base, source); }
};

struct Place;  // of what stands around

struct Rates {
  std::vector<Rate> groups;
  std::vector<Attached> attached;          // in the order in which they came
  std::size_t schedules = 0;               // that there have been: the next one's number
  std::vector<engine::Own<Place>> around;  // in the order in which they came
  std::size_t places = 0;                  // that there have been
  bool gone = false;                       // the optimizer
  std::atomic<int> refs{1};

  Attached& at(std::size_t number) {
    std::size_t i = 0;
    while (attached[i].number != number) ++i;
    return attached[i];
  }

  // A group's, without what schedules that are not saved make of it.
  double saved_lr(const Rate& rate) const {
    bool all = true;
    double product = 1;
    for (const Rate::Factor& factor : rate.factors)
      for (const Attached& a : attached)
        if (a.number == factor.schedule) {
          all &= a.saved;
          if (a.saved) product *= factor.value;
        }
    return all ? rate.lr : rate.base * product;
  }

  // Multiplies the options that schedules drive; were there any?
  bool drive(void* options, Source source) const {
    bool any = false;
    for (const Attached& a : attached)
      if (a.option != Attached::lr) {
        double& option = *reinterpret_cast<double*>(static_cast<char*>(options) + a.option);
        option *= a(option, source);
        any = true;
      }
    return any;
  }
};

// min_lr / base; 0 for a base of 0, next to which a min_lr above it is an Error.
double least_of(const char* name, double min_lr, double base, Source at);

// schedule.hpp's, with the name that Errors speak of.
Schedule named_step_decay(const char* name, StepOptions options, Source source);
Schedule named_cosine(const char* name, CosineOptions options, Source source);
Schedule named_warmup(const char* name, WarmupOptions options, Source source);

}  // namespace xgrad::optim
