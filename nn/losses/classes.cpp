#include <xgrad/nn/losses/classes.hpp>

#include <fmt/core.h>

#include <algorithm>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/autodiff/vmap.hpp>
#include <xgrad/nn/fields.hpp>
#include "nn/losses/checks.hpp"

namespace xgrad::nn {
namespace {

// The classes' weights in a shape that broadcasts over the scores.
Tensor along_classes(const Tensor& weight, const Tensor& scores) {
  Shape shape = scores.shape();
  for (Size& extent : shape) extent = 1;
  shape[class_axis(scores)] = weight.numel();
  return reshape(weight, shape);
}

enum class Scores { logits, log_probabilities };

// loss = - w_t log p_t (1 - s) - s / C sum_c w_c log p_c;  the mean divides by sum w_t
Tensor of_classes(const char* op, const Tensor& scores, Scores are, const Tensor& target,
                  const CrossEntropyOptions& options, Source source) {
  const Size axis = class_axis(scores);
  const auto [given, count, ignored] = check_classes(op, scores, target, options.ignore_index, source);
  check_some(op, given.numel() - count, options.reduction, source);
  const bool weighted = options.weight.defined();
  const Tensor kept = ignored ? given != options.ignore_index : Tensor();
  const Tensor index = ignored ? where(kept, given, 0) : given;

  // What is in rows that are left out, NaN too, leads to no gradient.
  const Tensor x = ignored ? where(unsqueeze(kept, axis), scores, 0.0) : scores;
  const bool one_class = are == Scores::logits && options.label_smoothing == 0;  // all else takes all classes
  const Tensor log_p = one_class ? Tensor() : are == Scores::logits ? log_softmax(x, axis) : x;
  const Tensor picked =
      one_class ? log_softmax(x, axis, index) : squeeze(gather(log_p, axis, unsqueeze(index, axis)), axis);
  if (!ignored && !weighted && options.label_smoothing == 0) {
    if (options.reduction == Reduction::none) return -picked;
    const double rows = options.reduction == Reduction::mean ? static_cast<double>(picked.numel()) : 1;
    return sum(picked) / -rows;
  }

  Tensor row_weight;
  if (weighted) row_weight = reshape(index_select(options.weight, 0, flatten(index)), index.shape());
  Tensor loss = -picked;
  if (weighted) loss = times(row_weight, loss);
  if (const double s = options.label_smoothing; s != 0) {
    const Tensor each = weighted ? times(along_classes(options.weight, log_p), log_p, -infinity) : log_p;
    const Tensor uniform = -s / static_cast<double>(log_p.size(axis)) * sum(each, axis);
    loss = s == 1 ? uniform : (1 - s) * loss + uniform;
  }
  if (ignored) loss = where(kept, loss, 0.0);
  if (options.reduction == Reduction::none) return loss;
  if (options.reduction == Reduction::sum) return sum(loss);
  if (!weighted && is_example(given)) return sum(loss) / sum(cast(kept, loss.dtype()));
  if (!weighted) return sum(loss) / static_cast<double>(loss.numel() - count);
  return sum(loss) / sum(ignored ? where(kept, row_weight, 0.0) : row_weight);
}

Tensor of_probabilities(const Tensor& log_p, const Tensor& target, const CrossEntropyOptions& options, Source source) {
  if (target.shape() != log_p.shape())
    fail(source.named("cross_entropy"),
         "expected probabilities of the logits' shape {}, got {}; class indices "
         "are i64",
         log_p.shape(), target.shape());
  const Size axis = class_axis(log_p), classes = log_p.size(axis), rows = log_p.numel() / classes;
  check_some("cross_entropy", rows, options.reduction, source);
  const double s = options.label_smoothing;
  Tensor p = s == 0 ? target : (1 - s) * target + s / static_cast<double>(classes);
  if (options.weight.defined()) p = p * along_classes(options.weight, log_p);
  const Tensor loss = times(p, log_p, -infinity);
  if (options.reduction == Reduction::none) return -sum(loss, axis);
  return options.reduction == Reduction::sum ? -sum(loss) : sum(loss) / static_cast<double>(-rows);
}

}  // namespace

Tensor cross_entropy(In logits, In target, const CrossEntropyOptions& options) {
  const Located at(logits, "cross_entropy");
  const Source source = line_of(logits);
  const Tensor x = logits, t = target;
  check_scores("cross_entropy", x, source);
  check_class_weight("cross_entropy", options.weight, x, source);
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    fail(source.named("cross_entropy"), "expected a label_smoothing in [0, 1], got {}", options.label_smoothing);
  check_option(x, "cross_entropy", "label_smoothing", options.label_smoothing);
  const Size classes = x.size(class_axis(x));
  if (classes == 0) fail(source.named("cross_entropy"), "the logits {} have no classes", x.shape());
  if (classes == 1)
    fail(source.named("cross_entropy"),
         "expected two classes or more, got logits {}: the probability of a single "
         "class is always 1, so nothing is learned; use binary_cross_entropy_with_logits for yes or "
         "no, mse_loss for a number",
         x.shape());
  if (is_float(t.dtype(source))) return of_probabilities(log_softmax(x, class_axis(x)), t, options, source);
  return of_classes("cross_entropy", x, Scores::logits, t, options, source);
}

Tensor nll_loss(In log_probabilities, In target, const NllOptions& options) {
  const Located at(log_probabilities, "nll_loss");
  const Source source = line_of(log_probabilities);
  const Tensor log_p = log_probabilities;
  check_scores("nll_loss", log_p, source);
  check_class_weight("nll_loss", options.weight, log_p, source);
  return of_classes("nll_loss", log_p, Scores::log_probabilities, target,
                    {.reduction = options.reduction, .ignore_index = options.ignore_index, .weight = options.weight},
                    source);
}

namespace {

// max(0, margin - (own - other)) of the pairs that count, 0 of all others, whose difference might be infinity - infinity. That has
// no value in a pair that counts either, and is 0 there (PyTorch).
Tensor short_by(double margin, const Tensor& own, const Tensor& other, const Tensor& counts) {
  const Tensor pairs = logical_and(counts, logical_or(own != other, isfinite(other)));
  return where(pairs, relu(margin - (where(pairs, own, 0.0) - where(pairs, other, 0.0))), 0.0);
}

}  // namespace

Tensor multi_margin_loss(In scores, In target, const MultiMarginOptions& options) {
  constexpr const char* op = "multi_margin_loss";
  const Located at(scores, op);
  const Source source = line_of(scores);
  const Tensor x = scores, t = target;
  check_scores(op, x, source);
  check_class_weight(op, options.weight, x, source);
  if (x.dim() > 2) fail(source.named(op), "expected scores [classes] or [rows, classes], got {}", x.shape());
  if (options.p != 1 && options.p != 2) fail(source.named(op), "expected a p of 1 or 2, got {}", options.p);
  check_option(scores, op, "margin", options.margin);
  const Size axis = class_axis(x), classes = x.size(axis);
  if (classes == 0) fail(source.named(op), "the scores {} have no classes", x.shape());
  const Tensor index = unsqueeze(check_classes(op, x, t, ignores_none, source).index, axis);
  Tensor each = short_by(options.margin, gather(x, axis, index), x, index != arange(classes)), weight;
  if (options.weight.defined()) {
    weight = reshape(index_select(options.weight, 0, flatten(index)), index.shape());
    each = counted(weight, each);
  }
  Tensor loss = sum(options.p == 1 ? each : square(each), axis) / static_cast<double>(classes);
  if (options.weight.defined()) loss = times(squeeze(weight, axis), loss);
  return reduce(op, loss, options.reduction, source);
}

namespace {

// How long the longest list is.
Size check_lists(const char* op, const Tensor& target, Size classes, Source source) {
  if (is_example(target)) return classes;  // nobody knows yet
  const std::vector<Size> at = target.to_vector<Size>();
  std::size_t longest = 0;
  for (std::size_t row = 0; row < at.size(); row += static_cast<std::size_t>(classes))
    for (std::size_t i = row; i < row + static_cast<std::size_t>(classes) && at[i] != -1; ++i) {
      if (at[i] < 0 || at[i] >= classes)
        fail(source.named(op), "expected classes 0 ... {}, and -1 at the end of a list, got {}", classes - 1, at[i]);
      longest = std::max(longest, i - row + 1);
    }
  return static_cast<Size>(longest);
}

}  // namespace

Tensor multilabel_margin_loss(In scores, In target, LossOptions options) {
  constexpr const char* op = "multilabel_margin_loss";
  const Located at(scores, op);
  const Source source = line_of(scores);
  const Tensor x = scores, t = target;
  check_scores(op, x, source);
  if (t.dtype(source) != i64) fail(source.named(op), "expected lists of classes as i64, got {}", name(t.dtype()));
  if (x.dim() > 2 || t.shape() != x.shape())
    fail(source.named(op), "expected scores [classes] or [rows, classes] and lists of one shape, got {} and {}",
         x.shape(), t.shape());
  const Size classes = x.size(-1);
  if (classes == 0) fail(source.named(op), "the scores {} have no classes", x.shape());
  const Size longest = check_lists(op, t, classes, source);
  const Tensor lists = slice(t, -1, 0, longest);
  const Tensor listed = cumprod(cast(lists != -1, i64), -1) == 1;  // up to the first -1
  const Tensor index = where(listed, lists, 0);
  const Tensor among = scatter_add(cast(listed, i64), -1, index, classes) > 0;
  const Tensor pairs = logical_and(unsqueeze(listed, -1), unsqueeze(logical_not(among), -2));  // [..., j, i]
  const Tensor each = short_by(1, unsqueeze(gather(x, -1, index), -1), unsqueeze(x, -2), pairs);
  const Tensor loss = sum(each, {-2, -1}) / static_cast<double>(classes);
  return reduce(op, loss, options.reduction, source);
}

Tensor multilabel_soft_margin_loss(In logits, In target, const WeightOptions& options) {
  constexpr const char* op = "multilabel_soft_margin_loss";
  const Located at(logits, op);
  const Source source = line_of(logits);
  const Tensor t = target_of(op, logits, target), x = logits;
  check_probabilities(op, t, source);
  if (x.dim() == 0 || x.size(-1) == 0)
    fail(source.named(op), "expected logits [..., classes], of one class or more, got {}", x.shape());
  Tensor loss = times(t, softplus(-x)) + times(1 - t, softplus(x));
  if (options.weight.defined()) {
    loss = times(options.weight, loss);
    check_weight_of_each(op, loss, options.weight, "weight", x.shape(), source);
  }
  return reduce(op, mean(loss, -1), options.reduction, source);
}

}  // namespace xgrad::nn
