#include <xgrad/nn/losses.hpp>

#include <fmt/core.h>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>

namespace xgrad::nn {
namespace {

Tensor reduce(In x, Reduction reduction) {
  return reduction == Reduction::mean ? mean(x) : reduction == Reduction::sum ? sum(x) : Tensor(x);
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
  if (is_float(a.dtype()) && is_float(b.dtype()) && a.dtype() != b.dtype())
    fail(line_of(x), fmt::format("[{}] expected prediction and target of one dtype, got {} and {}; use cast(x, {})", op,
                                 name(a.dtype()), name(b.dtype()), name(a.dtype())));
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

// Class indices, checked once; `ignored` says whether any row is to be left out.
struct Classes {
  Tensor index;
  bool ignored = false;
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
  Classes made{contiguous(target, source)};
  const auto* at = static_cast<const Size*>(readable(made.index, source));
  const Size n = made.index.numel();
  bool plain = ignore_index < 0 || ignore_index >= classes;
  for (Size i = 0; i < n; ++i) plain &= static_cast<std::uint64_t>(at[i]) < static_cast<std::uint64_t>(classes);
  for (Size i = 0; !plain && i < n; ++i) {
    if (at[i] == ignore_index)
      made.ignored = true;
    else if (at[i] < 0 || at[i] >= classes)
      fail(source, fmt::format("[{}] expected classes 0 ... {}, got {} at position {} of the target; check the labels, "
                               "or give the scores more classes",
                               op, classes - 1, at[i], i));
  }
  return made;
}

// loss = - w_t log p_t (1 - s) - s / C sum_c w_c log p_c;  the mean divides by sum w_t
Tensor of_classes(const char* op, const Tensor& log_p, const Tensor& target, const CrossEntropyOptions& options,
                  Source source) {
  const Size axis = class_axis(log_p);
  const auto [given, ignored] = check_classes(op, log_p, target, options.ignore_index, source);
  const bool weighted = options.weight.defined();
  const Tensor kept = ignored ? given != options.ignore_index : Tensor();
  const Tensor index = ignored ? where(kept, given, 0) : given;

  const Tensor picked = gather(log_p, axis, unsqueeze(index, axis));
  if (!ignored && !weighted && options.label_smoothing == 0) {
    if (options.reduction == Reduction::none) return -squeeze(picked, axis);
    const double rows = options.reduction == Reduction::mean ? static_cast<double>(picked.numel()) : 1;
    return sum(picked) / -rows;
  }

  Tensor row_weight;
  if (weighted) row_weight = reshape(index_select(options.weight, 0, flatten(index)), index.shape());
  Tensor loss = -squeeze(picked, axis);
  if (weighted) loss = loss * row_weight;
  if (const double s = options.label_smoothing; s != 0) {
    const Tensor each = weighted ? log_p * along_classes(options.weight, log_p) : log_p;
    loss = (1 - s) * loss - s / static_cast<double>(log_p.size(axis)) * sum(each, axis);
  }
  if (ignored) loss = where(kept, loss, 0.0);
  if (options.reduction != Reduction::mean) return reduce(loss, options.reduction);
  if (!ignored && !weighted) return mean(loss);
  Tensor total = weighted ? row_weight : ones_like(loss);
  if (ignored) total = where(kept, total, 0.0);
  return sum(loss) / sum(total.detach());
}

Tensor of_probabilities(const Tensor& log_p, const Tensor& target, const CrossEntropyOptions& options, Source source) {
  if (target.shape() != log_p.shape())
    fail(source, fmt::format("[cross_entropy] expected probabilities of the logits' shape {}, got {}; class indices "
                             "are i64",
                             log_p.shape(), target.shape()));
  const Size axis = class_axis(log_p), classes = log_p.size(axis);
  const double s = options.label_smoothing;
  Tensor p = s == 0 ? target : (1 - s) * target + s / static_cast<double>(classes);
  if (options.weight.defined()) p = p * along_classes(options.weight, log_p);
  if (options.reduction == Reduction::none) return -sum(log_p * p, axis);
  const Tensor total = sum(log_p * p);
  return options.reduction == Reduction::sum ? -total : total / static_cast<double>(-(log_p.numel() / classes));
}

}  // namespace

Tensor cross_entropy(In logits, In target, const CrossEntropyOptions& options) {
  const Located at(logits);
  const Source source = line_of(logits);
  const Tensor x = logits, t = target;
  check_scores("cross_entropy", x, source);
  check_weight("cross_entropy", options.weight, x, source);
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    fail(source, fmt::format("[cross_entropy] expected a label_smoothing in [0, 1], got {}", options.label_smoothing));
  if (x.size(class_axis(x)) == 0) fail(source, fmt::format("[cross_entropy] the logits {} have no classes", x.shape()));
  if (is_float(t.dtype(source))) return of_probabilities(log_softmax(x, class_axis(x)), t, options, source);
  return of_classes("cross_entropy", log_softmax(x, class_axis(x)), t, options, source);
}

Tensor nll_loss(In log_probabilities, In target, const NllOptions& options) {
  const Located at(log_probabilities);
  const Source source = line_of(log_probabilities);
  const Tensor log_p = log_probabilities;
  check_scores("nll_loss", log_p, source);
  check_weight("nll_loss", options.weight, log_p, source);
  return of_classes("nll_loss", log_p, target,
                    {.reduction = options.reduction, .ignore_index = options.ignore_index, .weight = options.weight},
                    source);
}

// ---- losses of numbers

Tensor mse_loss(In prediction, In target, LossOptions options) {
  const Located at(prediction);
  check_pair("mse_loss", prediction, target);
  return reduce(square(prediction - target), options.reduction);
}

Tensor l1_loss(In prediction, In target, LossOptions options) {
  const Located at(prediction);
  check_pair("l1_loss", prediction, target);
  return reduce(abs(prediction - target), options.reduction);
}

// e^2 / 2 where |e| <= d, else d (|e| - d / 2)   (Huber 1964)
Tensor huber_loss(In prediction, In target, HuberOptions options) {
  const Located at(prediction);
  check_pair("huber_loss", prediction, target);
  if (!(options.delta > 0))
    fail(line_of(prediction), fmt::format("[huber_loss] expected a delta above 0, got {}", options.delta));
  const Tensor e = prediction - target, size = abs(e);
  const Tensor loss = where(size <= options.delta, 0.5 * square(e), options.delta * (size - 0.5 * options.delta));
  return reduce(loss, options.reduction);
}

// beta 0 is the l1 loss
Tensor smooth_l1_loss(In prediction, In target, SmoothL1Options options) {
  const Located at(prediction);
  check_pair("smooth_l1_loss", prediction, target);
  if (!(options.beta >= 0))
    fail(line_of(prediction), fmt::format("[smooth_l1_loss] expected a beta of 0 or more, got {}", options.beta));
  if (options.beta == 0) return l1_loss(prediction, target, {options.reduction});
  return huber_loss(prediction, target, {options.reduction, options.beta}) / options.beta;
}

namespace {

Tensor weighted(const Tensor& loss, const Tensor& weight, const char* which, Source source) {
  if (!weight.defined()) return loss;
  Tensor made = loss * weight;
  if (made.shape() != loss.shape())
    fail(source, fmt::format("[binary_cross_entropy_with_logits] expected a {} that broadcasts to the shape {}, got {}",
                             which, loss.shape(), weight.shape()));
  return made;
}

}  // namespace

// - q y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)) = q y softplus(-x) + (1 - y) softplus(x), where both terms keep
// their digits however sure the logits are; y may be integers, so 1 - y is not formed
Tensor binary_cross_entropy_with_logits(In logits, In target, const BinaryCrossEntropyOptions& options) {
  const Located at(logits);
  const Source source = line_of(logits);
  check_pair("binary_cross_entropy_with_logits", logits, target);
  const Tensor negative = softplus(logits);
  const Tensor positive = weighted(target * softplus(-logits), options.pos_weight, "pos_weight", source);
  const Tensor loss = positive + (negative - target * negative);
  return reduce(weighted(loss, options.weight, "weight", source), options.reduction);
}

}  // namespace xgrad::nn
