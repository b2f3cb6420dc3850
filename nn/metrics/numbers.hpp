// Metrics of numbers: outputs and targets of one shape; [n] beside [n, 1] will do.
#pragma once

#include <vector>

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn::metrics {

// The mean of (x - y)^2, or the root of that.
struct MeanSquaredError {
  bool root = false;

  double total = 0;
  Size counted = 0;
  static constexpr bool greater_is_better = false;
  void update(In outputs, In targets);
  double value() const;
  void reset() { total = 0, counted = 0; }
};

// The mean of |x - y|.
struct MeanAbsoluteError {
  double total = 0;
  Size counted = 0;
  static constexpr bool greater_is_better = false;
  void update(In outputs, In targets);
  double value() const;
  void reset() { total = 0, counted = 0; }
};

// 1 - sum (x - y)^2 / sum (y - mean y)^2; of [n, k] the mean of the columns'. A constant target: 1 where all is right, else 0
// (scikit-learn). Fewer than two rows: NaN.
struct R2 {
  struct Column {
    double residual = 0, mean = 0, squares = 0;  // of y about its mean, put together as Chan, Golub, LeVeque 1979 do
  };
  std::vector<Column> columns;
  Size counted = 0;
  static constexpr bool greater_is_better = true;
  void update(In outputs, In targets);
  double value() const;
  void reset() { columns.clear(), counted = 0; }
};

}  // namespace xgrad::nn::metrics

#pragma GCC visibility pop
