#include "nn/losses/checks.hpp"

#include <fmt/core.h>

#include <cmath>
#include <optional>
#include <utility>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/vmap.hpp>
#include <xgrad/nn/fields.hpp>

namespace xgrad::nn {

void check_some(const char* op, Size numbers, Reduction reduction, Source source) {
  if (numbers == 0 && reduction == Reduction::mean)
    fail(source.named(op),
         "the mean of no losses has no value; leave empty batches out, or take the sum: "
         "{.reduction = nn::Reduction::sum}");
}

Tensor reduce(const char* op, const Tensor& x, Reduction reduction, Source source) {
  check_some(op, x.numel(), reduction, source);
  return reduction == Reduction::mean ? mean(x) : reduction == Reduction::sum ? sum(x) : x;
}

Tensor counted(const Tensor& weight, const Tensor& loss, double infinite) {
  return where(logical_and(weight == 0, loss == infinite), 0, loss);
}

Tensor times(const Tensor& weight, const Tensor& loss, double infinite) {
  return weight * counted(weight, loss, infinite);
}

void check_pair(const char* op, In x, In y, const char* names) {
  for (const In* operand : {&x, &y})
    if (!operand->is_number() && !operand->node()) fail(line_of(x, op), "expected {}, got an empty tensor", names);
  if (y.is_number() || x.is_number()) return;
  const Tensor a = x, b = y;
  if (b.dim() != 0 && a.shape() != b.shape())
    fail(line_of(x, op), "expected {} of one shape, got {} and {}; reshape one of them", names, a.shape(), b.shape());
}

void check_floats(const char* op, const Tensor& x, Source source) {
  if (!x.defined()) fail(source.named(op), "expected numbers, got an empty tensor; give it a value first");
  if (!is_float(x.dtype()))
    fail(source.named(op), "expected floats, got {}; cast them first: cast(x, f32)", name(x.dtype()));
}

Tensor target_of(const char* op, In x, In y) {
  check_pair(op, x, y);
  const Tensor prediction = x;
  check_floats(op, prediction, line_of(x));
  return y.is_number() || !is_float(Tensor(y).dtype()) ? cast(y, prediction.dtype()) : Tensor(y);
}

namespace {

constexpr double slack = 1e-3;

// The first that is not `good`, and where it stands.
template <class T>
std::optional<std::pair<double, Size>> first_bad(const T* y, Size n, auto good) {
  bool all = true;
  for (Size i = 0; i < n; ++i) all &= good(y[i]);
  for (Size i = 0; !all && i < n; ++i)
    if (!good(y[i])) return std::pair{static_cast<double>(y[i]), i};
  return {};
}

void check_each(const char* op, const Tensor& y, const char* expected, Source source, auto good) {
  if (is_example(y)) return;
  const Tensor dense = contiguous(y.detach(), source);
  const void* at = readable(dense, source);
  const auto bad = y.dtype() == f32 ? first_bad(static_cast<const float*>(at), y.numel(), good)
                                    : first_bad(static_cast<const double*>(at), y.numel(), good);
  if (bad)
    fail(source.named(op), "expected targets {}, got {} at position {}; check the labels", expected, bad->first,
         bad->second);
}

}  // namespace

void check_probabilities(const char* op, const Tensor& y, Source source) {
  check_each(op, y, "of 0 and 1, or between", source, [](auto t) { return !(t < -slack) && !(t > 1 + slack); });
}

void check_signs(const char* op, const Tensor& y, Source source) {
  check_each(op, y, "of -1 and 1 (of labels 0 and 1: 2 * labels - 1)", source,
             [](auto t) { return !(std::abs(std::abs(t) - 1) > slack); });
}

void check_weight_of_each(const char* op, const Tensor& weighted, const Tensor& weight, const char* which,
                          const Shape& shape, Source source) {
  if (weighted.shape() != shape)
    fail(source.named(op), "expected a {} that broadcasts to the shape {}, got {}", which, shape, weight.shape());
}

void check_least(const char* op, const char* option, double value, double least, const In& x) {
  if (!(value >= least) || std::isinf(value))
    fail(line_of(x, op), "expected a {} of {} or more, and finite, got {}", option, least, value);
  check_option(x, op, option, value);
}

Size class_axis(const Tensor& scores) { return scores.dim() == 1 ? 0 : 1; }

void check_scores(const char* op, const Tensor& scores, Source source) {
  if (scores.dim(source) < 1 || !is_float(scores.dtype()))
    fail(source.named(op), "expected floats of shape [classes] or [rows, classes, ...], got {} {}",
         name(scores.dtype()), scores.shape());
}

void check_class_weight(const char* op, const Tensor& weight, const Tensor& scores, Source source) {
  const Size classes = scores.size(class_axis(scores));
  if (weight.defined() && weight.shape() != Shape{classes})
    fail(source.named(op), "expected a weight for each of {} classes, got the shape {}", classes, weight.shape());
}

Classes check_classes(const char* op, const Tensor& scores, const Tensor& target, Size ignore_index, Source source) {
  if (target.dtype(source) != i64)
    fail(source.named(op), "expected class indices as i64, got {}; use cast", name(target.dtype()));
  const Size axis = class_axis(scores), classes = scores.size(axis);
  Shape rows = scores.shape();
  rows.erase(static_cast<int>(axis));
  if (target.shape() != rows)
    fail(source.named(op), "expected a class for each row, shape {}, got {}; the scores are {}", rows, target.shape(),
         scores.shape());
  if (is_example(target)) return {target, 0, true};
  Classes made{contiguous(target, source)};
  const auto* at = static_cast<const Size*>(readable(made.index, source));
  const Size n = made.index.numel();
  bool plain = ignore_index < 0 || ignore_index >= classes;
  for (Size i = 0; i < n; ++i) plain &= static_cast<std::uint64_t>(at[i]) < static_cast<std::uint64_t>(classes);
  for (Size i = 0; !plain && i < n; ++i) {
    if (at[i] == ignore_index) ++made.ignored;
    else if (at[i] < 0 || at[i] >= classes)
      fail(source.named(op),
           "expected classes 0 ... {}, got {} at position {} of the target; check the labels, "
           "or give the scores more classes",
           classes - 1, at[i], i);
  }
  made.some = made.ignored > 0;
  return made;
}

}  // namespace xgrad::nn
