#include <xgrad/nn/metrics/numbers.hpp>

#include <fmt/core.h>

#include <cmath>
#include <new>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>
#include "nn/metrics/checks.hpp"

namespace xgrad::nn::metrics {
namespace {

// Both in f64, of one shape.
struct Pair {
  Tensor x, y;
};
Pair pair_of(const char* metric, In outputs, In targets) {
  check_both(metric, outputs, targets);
  const Tensor x = outputs, y = targets;
  const bool columns = is_column(x) && is_column(y) && x.size(0) == y.size(0);
  if (!columns && x.shape() != y.shape())
    fail(line_of(outputs, metric), "expected outputs and targets of one shape, got {} and {}", x.shape(), y.shape());
  return {cast(x, f64), reshape(cast(y, f64), x.shape())};
}

}  // namespace

void MeanSquaredError::update(In outputs, In targets) {
  const Located at(outputs, "MeanSquaredError");
  const NoGrad no_grad;
  const auto [x, y] = pair_of("MeanSquaredError", outputs, targets);
  total += sum(square(x - y)).item();
  counted += x.numel();
}
double MeanSquaredError::value() const {
  if (counted == 0) return none;
  const double mean = total / static_cast<double>(counted);
  return root ? std::sqrt(mean) : mean;
}

void MeanAbsoluteError::update(In outputs, In targets) {
  const Located at(outputs, "MeanAbsoluteError");
  const NoGrad no_grad;
  const auto [x, y] = pair_of("MeanAbsoluteError", outputs, targets);
  total += sum(abs(x - y)).item();
  counted += x.numel();
}
double MeanAbsoluteError::value() const { return counted ? total / static_cast<double>(counted) : none; }

void R2::update(In outputs, In targets) try {
  const Located at(outputs, "R2");
  const NoGrad no_grad;
  const auto [x, y] = pair_of("R2", outputs, targets);
  if (x.dim() < 1 || x.dim() > 2) fail(line_of(outputs, "R2"), "expected outputs [n] or [n, k], got {}", x.shape());
  const Size rows = x.size(0), width = x.dim() == 1 ? 1 : x.size(1);
  if (counted != 0 && static_cast<Size>(columns.size()) != width)
    fail(line_of(outputs, "R2"), "expected {} columns, as before, got {}", columns.size(), width);
  if (rows == 0) return;
  const Tensor by_column = reshape(y, {rows, width}), middle = mean(by_column, 0);
  const std::vector<double> residual = sum(square(reshape(x, {rows, width}) - by_column), 0).to_vector<double>(),
                            means = middle.to_vector<double>(),
                            squares = sum(square(by_column - middle), 0).to_vector<double>();
  columns.resize(static_cast<std::size_t>(width));
  const auto n = static_cast<double>(counted), m = static_cast<double>(rows);
  for (std::size_t k = 0; k < columns.size(); ++k) {
    Column& c = columns[k];
    const double step = means[k] - c.mean;
    c.residual += residual[k];
    c.mean += step * m / (n + m);
    c.squares += squares[k] + step * step * n * m / (n + m);
  }
  counted += rows;
} catch (const std::bad_alloc&) {
  fail_no_memory(line_of(outputs), "R2");
}

double R2::value() const {
  if (counted < 2) return none;
  double total = 0;
  for (const Column& c : columns) total += c.squares > 0 ? 1 - c.residual / c.squares : c.residual == 0 ? 1 : 0;
  return total / static_cast<double>(columns.size());
}

}  // namespace xgrad::nn::metrics
