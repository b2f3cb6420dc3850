// What metrics share. Private to nn/metrics/.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include <xgrad/autodiff/tensor.hpp>

namespace xgrad::nn::metrics {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

// Not empty; both.
void check_both(const char* metric, In outputs, In targets);
bool is_column(const Tensor& t);  // [n] or [n, 1]
// Labels 0 or 1 of one column, and its scores: of as many rows, without those of the label that is ignored.
struct Labelled {
  std::vector<double> scores;
  std::vector<bool> labels;
};
Labelled column_of(const char* metric, const Tensor& outputs, const Tensor& targets, std::optional<Size> ignore_index,
                   Source source);
// Outputs [n, classes, ...] and i64 classes [n, ...] of 0 ... classes - 1, or ignore_index.
void check_classes_of(const char* metric, const Tensor& outputs, const Tensor& targets, Size ignore_index,
                      Source source);

}  // namespace xgrad::nn::metrics
