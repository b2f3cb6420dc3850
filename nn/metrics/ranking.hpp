// Metrics of an order.
#pragma once

#include <vector>

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn::metrics {

// The area under the receiver operating characteristic: the probability that an example of class 1 has the greater score than
// one of class 0, where equal scores are a half (Mann & Whitney 1947). One column of scores, any of one order, beside labels 0
// or 1. Keeps all scores. Of one class alone: NaN.
struct RocAuc {
  std::vector<double> scores[2];  // of class 0 and of class 1
  static constexpr bool greater_is_better = true;
  void update(In outputs, In targets);
  double value() const;
  void reset() { scores[0].clear(), scores[1].clear(); }
};

}  // namespace xgrad::nn::metrics

#pragma GCC visibility pop
