// Learning rates, as an optimizer and its schedules share them. Private to optim/.
#pragma once

#include <atomic>
#include <vector>

namespace xgrad::optim {

// lr = base, times what every schedule says
struct Rate {
  double lr, base;
  std::vector<double> factors;  // of each schedule; 1 where there is none yet

  double product() const {
    double f = 1;
    for (const double factor : factors) f *= factor;
    return f;
  }
};
struct Rates {
  std::vector<Rate> groups;
  std::size_t schedules = 0;
  bool gone = false;  // the optimizer
  std::atomic<int> refs{1};
};

}  // namespace xgrad::optim
