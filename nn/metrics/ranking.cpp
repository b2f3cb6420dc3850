#include <xgrad/nn/metrics/ranking.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <new>

#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>
#include "nn/metrics/checks.hpp"

namespace xgrad::nn::metrics {

void RocAuc::update(In outputs, In targets) {
  const Located at(outputs, "RocAuc");
  const Source source = line_of(outputs);
  check_both("RocAuc", outputs, targets);
  const Labelled column = column_of("RocAuc", outputs, targets, {}, source);
  for (const double score : column.scores)
    if (std::isnan(score)) fail(source.named("RocAuc"), "expected scores that have an order, got NaN");
  const std::size_t before[2] = {scores[0].size(), scores[1].size()};
  try {
    for (std::size_t i = 0; i < column.scores.size(); ++i) scores[column.labels[i]].push_back(column.scores[i]);
  } catch (const std::bad_alloc&) {
    for (const int c : {0, 1}) scores[c].resize(before[c]);
    fail_no_memory(source, "RocAuc");
  }
}

// Of each score of class 1, how many of class 0 are below it, and half of those that are equal.
double RocAuc::value() const try {
  if (scores[0].empty() || scores[1].empty()) return none;
  std::vector<double> others = scores[0];
  std::sort(others.begin(), others.end());
  double pairs = 0;
  for (const double score : scores[1]) {
    const auto [from, to] = std::equal_range(others.begin(), others.end(), score);
    pairs += static_cast<double>(from - others.begin()) + 0.5 * static_cast<double>(to - from);
  }
  return pairs / (static_cast<double>(others.size()) * static_cast<double>(scores[1].size()));
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "RocAuc");
}

}  // namespace xgrad::nn::metrics
