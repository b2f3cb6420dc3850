// Learning rates, as an optimizer and its schedules share them. Private to optim/.
#pragma once

#include <atomic>
#include <vector>

namespace xgrad::optim {

// lr = base, times what every schedule says
struct Rate {
  struct Factor {
    std::size_t schedule;  // its number
    double value;
  };
  double lr, base;
  std::vector<Factor> factors = {};  // of the schedules that have taken a step since the group was added

  double product() const {
    double f = 1;
    for (const Factor& factor : factors) f *= factor.value;
    return f;
  }
  void set(std::size_t schedule, double value) {
    for (Factor& factor : factors)
      if (factor.schedule == schedule) {
        factor.value = value;
        lr = base * product();
        return;
      }
    factors.push_back({schedule, value});
    lr = base * product();
  }
  void forget(std::size_t schedule) {
    if (std::erase_if(factors, [&](const Factor& factor) { return factor.schedule == schedule; })) lr = base * product();
  }
};
struct Rates {
  std::vector<Rate> groups;
  std::size_t schedules = 0;  // that there have been: the next one's number
  bool gone = false;          // the optimizer
  std::atomic<int> refs{1};
};

}  // namespace xgrad::optim
