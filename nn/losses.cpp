#include <xgrad/nn/losses.hpp>

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/autodiff/vmap.hpp>
#include <xgrad/nn/fields.hpp>

namespace xgrad::nn {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The sum of nothing is 0, but its mean has no value.
void check_some(const char* op, Size numbers, Reduction reduction, Source source) {
  if (numbers == 0 && reduction == Reduction::mean)
    fail(source, fmt::format("[{}] the mean of no losses has no value; leave empty batches out, or take the sum: "
                             "{{.reduction = nn::Reduction::sum}}",
                             op));
}

Tensor reduce(const char* op, const Tensor& x, Reduction reduction, Source source) {
  check_some(op, x.numel(), reduction, source);
  return reduction == Reduction::mean ? mean(x) : reduction == Reduction::sum ? sum(x) : x;
}

// weight x loss, but 0 x infinity is 0: what has no weight counts for nothing, however wrong it is.
Tensor times(const Tensor& weight, const Tensor& loss, double infinite = infinity) {
  return weight * where(logical_and(weight == 0, loss == infinite), 0, loss);
}

// A target that broadcasts makes a loss of the wrong pairs: (n, 1) next to (n) gives (n, n). So the shapes must agree.
void check_pair(const char* op, In x, In y) {
  for (const In* operand : {&x, &y})
    if (!operand->is_number() && !operand->node())
      fail(line_of(x), fmt::format("[{}] expected a prediction and a target, got an empty tensor", op));
  if (y.is_number() || x.is_number()) return;
  const Tensor a = x, b = y;
  if (b.dim() != 0 && a.shape() != b.shape())
    fail(line_of(x), fmt::format("[{}] expected prediction and target of one shape, got {} and {}; reshape one of them",
                                 op, a.shape(), b.shape()));
}

// ---- losses of classes

Size class_axis(const Tensor& scores) { return scores.dim() == 1 ? 0 : 1; }

void check_scores(const char* op, const Tensor& scores, Source source) {
  if (scores.dim(source) < 1 || !is_float(scores.dtype()))
    fail(source, fmt::format("[{}] expected floats of shape [classes] or [rows, classes, ...], got {} {}", op,
                             name(scores.dtype()), scores.shape()));
}

void check_weight(const char* op, const Tensor& weight, const Tensor& scores, Source source) {
  const Size classes = scores.size(class_axis(scores));
  if (weight.defined() && weight.shape() != Shape{classes})
    fail(source,
         fmt::format("[{}] expected a weight for each of {} classes, got the shape {}", op, classes, weight.shape()));
}

// The classes' weights in a shape that broadcasts over the scores.
Tensor along_classes(const Tensor& weight, const Tensor& scores) {
  Shape shape = scores.shape();
  for (Size& extent : shape) extent = 1;
  shape[class_axis(scores)] = weight.numel();
  return reshape(weight, shape);
}

// Class indices, checked once, and how many rows are to be left out. Inside of vmap nobody knows yet: `some`, as if there were.
struct Classes {
  Tensor index;
  Size ignored = 0;
  bool some = false;
};

Classes check_classes(const char* op, const Tensor& scores, const Tensor& target, Size ignore_index, Source source) {
  if (target.dtype(source) != i64)
    fail(source, fmt::format("[{}] expected class indices as i64, got {}; use cast", op, name(target.dtype())));
  const Size axis = class_axis(scores), classes = scores.size(axis);
  Shape rows = scores.shape();
  rows.erase(static_cast<int>(axis));
  if (target.shape() != rows)
    fail(source, fmt::format("[{}] expected a class for each row, shape {}, got {}; the scores are {}", op, rows,
                             target.shape(), scores.shape()));
  if (is_example(target)) return {target, 0, true};
  Classes made{contiguous(target, source)};
  const auto* at = static_cast<const Size*>(readable(made.index, source));
  const Size n = made.index.numel();
  bool plain = ignore_index < 0 || ignore_index >= classes;
  for (Size i = 0; i < n; ++i) plain &= static_cast<std::uint64_t>(at[i]) < static_cast<std::uint64_t>(classes);
  for (Size i = 0; !plain && i < n; ++i) {
    if (at[i] == ignore_index)
      ++made.ignored;
    else if (at[i] < 0 || at[i] >= classes)
      fail(source, fmt::format("[{}] expected classes 0 ... {}, got {} at position {} of the target; check the labels, "
                               "or give the scores more classes",
                               op, classes - 1, at[i], i));
  }
  made.some = made.ignored > 0;
  return made;
}

// loss = - w_t log p_t (1 - s) - s / C sum_c w_c log p_c;  the mean divides by sum w_t
Tensor of_classes(const char* op, const Tensor& scores, Tensor (*log_of)(const Tensor&), const Tensor& target,
                  const CrossEntropyOptions& options, Source source) {
  const Size axis = class_axis(scores);
  const auto [given, count, ignored] = check_classes(op, scores, target, options.ignore_index, source);
  check_some(op, given.numel() - count, options.reduction, source);
  const bool weighted = options.weight.defined();
  const Tensor kept = ignored ? given != options.ignore_index : Tensor();
  const Tensor index = ignored ? where(kept, given, 0) : given;

  // What is in rows that are left out, NaN too, leads to no gradient.
  const Tensor log_p = log_of(ignored ? where(unsqueeze(kept, axis), scores, 0.0) : scores);
  const Tensor picked = gather(log_p, axis, unsqueeze(index, axis));
  if (!ignored && !weighted && options.label_smoothing == 0) {
    if (options.reduction == Reduction::none) return -squeeze(picked, axis);
    const double rows = options.reduction == Reduction::mean ? static_cast<double>(picked.numel()) : 1;
    return sum(picked) / -rows;
  }

  Tensor row_weight;
  if (weighted) row_weight = reshape(index_select(options.weight, 0, flatten(index)), index.shape());
  Tensor loss = -squeeze(picked, axis);
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
  return sum(loss) / sum(ignored ? where(kept, row_weight, 0.0) : row_weight).detach();
}

Tensor of_probabilities(const Tensor& log_p, const Tensor& target, const CrossEntropyOptions& options, Source source) {
  if (target.shape() != log_p.shape())
    fail(source, fmt::format("[cross_entropy] expected probabilities of the logits' shape {}, got {}; class indices "
                             "are i64",
                             log_p.shape(), target.shape()));
  const Size axis = class_axis(log_p), classes = log_p.size(axis), rows = log_p.numel() / classes;
  check_some("cross_entropy", rows, options.reduction, source);
  const double s = options.label_smoothing;
  Tensor p = s == 0 ? target : (1 - s) * target + s / static_cast<double>(classes);
  if (options.weight.defined()) p = p * along_classes(options.weight, log_p);
  const Tensor loss = times(p, log_p, -infinity);
  if (options.reduction == Reduction::none) return -sum(loss, axis);
  return options.reduction == Reduction::sum ? -sum(loss) : sum(loss) / static_cast<double>(-rows);
}

Tensor log_softmax_of(const Tensor& logits) { return log_softmax(logits, class_axis(logits)); }
Tensor itself(const Tensor& log_p) { return log_p; }

}  // namespace

Tensor cross_entropy(In logits, In target, const CrossEntropyOptions& options) {
  const Located at(logits, "cross_entropy");
  const Source source = line_of(logits);
  const Tensor x = logits, t = target;
  check_scores("cross_entropy", x, source);
  check_weight("cross_entropy", options.weight, x, source);
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    fail(source, fmt::format("[cross_entropy] expected a label_smoothing in [0, 1], got {}", options.label_smoothing));
  check_option(x, "cross_entropy", "label_smoothing", options.label_smoothing);
  const Size classes = x.size(class_axis(x));
  if (classes == 0) fail(source, fmt::format("[cross_entropy] the logits {} have no classes", x.shape()));
  if (classes == 1)
    fail(source, fmt::format("[cross_entropy] expected two classes or more, got logits {}: the probability of a single "
                             "class is always 1, so nothing is learned; use binary_cross_entropy_with_logits for yes or "
                             "no, mse_loss for a number",
                             x.shape()));
  if (is_float(t.dtype(source))) return of_probabilities(log_softmax_of(x), t, options, source);
  return of_classes("cross_entropy", x, log_softmax_of, t, options, source);
}

Tensor nll_loss(In log_probabilities, In target, const NllOptions& options) {
  const Located at(log_probabilities, "nll_loss");
  const Source source = line_of(log_probabilities);
  const Tensor log_p = log_probabilities;
  check_scores("nll_loss", log_p, source);
  check_weight("nll_loss", options.weight, log_p, source);
  return of_classes("nll_loss", log_p, itself, target,
                    {.reduction = options.reduction, .ignore_index = options.ignore_index, .weight = options.weight},
                    source);
}

// ---- losses of numbers

Tensor mse_loss(In prediction, In target, LossOptions options) {
  const Located at(prediction, "mse_loss");
  check_pair("mse_loss", prediction, target);
  return reduce("mse_loss", square(prediction - target), options.reduction, line_of(prediction));
}

Tensor l1_loss(In prediction, In target, LossOptions options) {
  const Located at(prediction, "l1_loss");
  check_pair("l1_loss", prediction, target);
  return reduce("l1_loss", abs(prediction - target), options.reduction, line_of(prediction));
}

// e^2 / 2 where |e| <= d, else d (|e| - d / 2)   (Huber 1964). As c^2 / 2 + d max(|e| - d, 0), with c = e clamped to -d ... d:
// no side is left out, whose derivative might be 0 x infinity.
Tensor huber_loss(In prediction, In target, HuberOptions options) {
  const Located at(prediction, "huber_loss");
  check_pair("huber_loss", prediction, target);
  const double d = options.delta;
  if (!(d > 0)) fail(line_of(prediction), fmt::format("[huber_loss] expected a delta above 0, got {}", d));
  check_option(prediction, "huber_loss", "delta", d);
  const Tensor e = prediction - target;
  const Tensor loss = d == infinity ? 0.5 * square(e) : 0.5 * square(clamp(e, -d, d)) + d * relu(abs(e) - d);
  return reduce("huber_loss", loss, options.reduction, line_of(prediction));
}

// huber_loss(delta = b) / b = c (c / b) / 2 + max(|e| - b, 0), c = e clamped to -b ... b; b = 0 is the l1 loss
Tensor smooth_l1_loss(In prediction, In target, SmoothL1Options options) {
  const Located at(prediction, "smooth_l1_loss");
  check_pair("smooth_l1_loss", prediction, target);
  const double b = options.beta;
  if (!(b >= 0 && b < infinity))
    fail(line_of(prediction), fmt::format("[smooth_l1_loss] expected a beta of 0 or more, and finite, got {}", b));
  check_option(prediction, "smooth_l1_loss", "beta", b);
  const Tensor e = prediction - target, size = abs(e);
  if (b == 0) return reduce("smooth_l1_loss", size, options.reduction, line_of(prediction));
  const Tensor c = clamp(e, -b, b);
  return reduce("smooth_l1_loss", 0.5 * c * (c / b) + relu(size - b), options.reduction, line_of(prediction));
}

namespace {

void check_weight_of_each(const Tensor& weighted, const Tensor& weight, const char* which, const Shape& shape,
                          Source source) {
  if (weighted.shape() != shape)
    fail(source, fmt::format("[binary_cross_entropy_with_logits] expected a {} that broadcasts to the shape {}, got {}",
                             which, shape, weight.shape()));
}

}  // namespace

// - q y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)) = q y softplus(-x) + (1 - y) softplus(x), where both terms keep
// their digits however sure the logits are
Tensor binary_cross_entropy_with_logits(In logits, In target, const BinaryCrossEntropyOptions& options) {
  constexpr const char* op = "binary_cross_entropy_with_logits";
  const Located at(logits, op);
  const Source source = line_of(logits);
  check_pair(op, logits, target);
  const Tensor x = logits;
  const Tensor y = target.is_number() || !is_float(Tensor(target).dtype()) ? cast(target, x.dtype()) : Tensor(target);
  const Tensor q_y = options.pos_weight.defined() ? y * options.pos_weight : y;
  const Tensor positive = times(q_y, softplus(-x));
  check_weight_of_each(positive, options.pos_weight, "pos_weight", x.shape(), source);
  Tensor loss = positive + times(1 - y, softplus(x));
  if (options.weight.defined()) {
    loss = times(options.weight, loss);
    check_weight_of_each(loss, options.weight, "weight", x.shape(), source);
  }
  return reduce(op, loss, options.reduction, source);
}

}  // namespace xgrad::nn
