#include <xgrad/nn/losses/binary.hpp>

#include <fmt/core.h>

#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>
#include "nn/losses/checks.hpp"

namespace xgrad::nn {

// - q y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)) = q y softplus(-x) + (1 - y) softplus(x), where both terms keep
// their digits however sure the logits are
Tensor binary_cross_entropy_with_logits(In logits, In target, const BinaryCrossEntropyOptions& options) {
  constexpr const char* op = "binary_cross_entropy_with_logits";
  const Located at(logits, op);
  const Source source = line_of(logits);
  const Tensor y = target_of(op, logits, target), x = logits;
  check_probabilities(op, y, line_of(logits));
  const Tensor q_y = options.pos_weight.defined() ? y * options.pos_weight : y;
  const Tensor positive = times(q_y, softplus(-x));
  check_weight_of_each(op, positive, options.pos_weight, "pos_weight", x.shape(), source);
  Tensor loss = positive + times(1 - y, softplus(x));
  if (options.weight.defined()) {
    loss = times(options.weight, loss);
    check_weight_of_each(op, loss, options.weight, "weight", x.shape(), source);
  }
  return reduce(op, loss, options.reduction, source);
}

namespace {

// log p, -100 at least. Below e^-100 the slope is 1e12, PyTorch's: what is surely wrong can still be learned.
Tensor bounded_log(const Tensor& p) {
  static const double least = std::exp(-100);
  const Tensor tiny = logical_and(p >= 0.0, p < least);
  return where(tiny, 1e12 * (p - p.detach()) - 100, log(where(tiny, 1.0, p)));
}

}  // namespace

Tensor binary_cross_entropy(In probabilities, In target, const WeightOptions& options) {
  constexpr const char* op = "binary_cross_entropy";
  const Located at(probabilities, op);
  const Source source = line_of(probabilities);
  const Tensor y = target_of(op, probabilities, target), p = probabilities;
  check_probabilities(op, y, source);
  Tensor loss = -(y * bounded_log(p) + (1 - y) * bounded_log(1 - p));
  if (options.weight.defined()) {
    loss = options.weight * loss;
    check_weight_of_each(op, loss, options.weight, "weight", p.shape(), source);
  }
  return reduce(op, loss, options.reduction, source);
}

// With 1 - sigmoid(x) = e^-softplus(x) no power has a base that is rounded to 0.
Tensor sigmoid_focal_loss(In logits, In target, FocalOptions options) {
  constexpr const char* op = "sigmoid_focal_loss";
  const Located at(logits, op);
  const Tensor y = target_of(op, logits, target), x = logits;
  check_probabilities(op, y, line_of(logits));
  const auto [reduction, a, gamma] = options;
  if (!(a <= 1)) fail(line_of(logits, op), "expected an alpha in [0, 1], or below 0, got {}", a);
  check_least(op, "gamma", gamma, 0, logits);
  const Tensor yes = softplus(x), no = softplus(-x);  // - log(1 - p), - log p
  const auto part = [gamma = gamma](const Tensor& weight, const Tensor& loss, const Tensor& other) {
    return gamma == 0 ? times(weight, loss) : times(weight, loss) * exp(-gamma * other);  // 0 x infinity has no value
  };
  const Tensor loss = part(a < 0 ? y : a * y, no, yes) + part(a < 0 ? 1 - y : (1 - a) * (1 - y), yes, no);
  return reduce(op, loss, reduction, line_of(logits));
}

Tensor dice_loss(In probabilities, In target, DiceOptions options) {
  constexpr const char* op = "dice_loss";
  const Located at(probabilities, op);
  const Source source = line_of(probabilities);
  const Tensor y = target_of(op, probabilities, target), p = probabilities;
  check_probabilities(op, y, source);
  check_least(op, "smooth", options.smooth, 0, probabilities);
  if (p.dim() == 0) fail(source.named(op), "expected numbers [examples, ...], got a 0-d tensor");
  const auto rows = [](const Tensor& x) {
    if (x.dim() == 1) return sum(x);
    Shape axes;
    for (Size axis = 1; axis < x.dim(); ++axis) axes.push_back(axis);
    return sum(x, axes);
  };
  const Tensor loss = 1 - (2 * rows(p * y) + options.smooth) / (rows(p + y) + options.smooth);
  return reduce(op, loss, options.reduction, source);
}

namespace {

Tensor hinge(const char* op, In scores, In target, const MarginOptions& options) {
  const Tensor y = target_of(op, scores, target);
  check_signs(op, y, line_of(scores));
  check_option(scores, op, "margin", options.margin);
  return relu(options.margin - scores * y);
}

}  // namespace

Tensor hinge_loss(In scores, In target, MarginOptions options) {
  const Located at(scores, "hinge_loss");
  return reduce("hinge_loss", hinge("hinge_loss", scores, target, options), options.reduction, line_of(scores));
}

Tensor squared_hinge_loss(In scores, In target, MarginOptions options) {
  const Located at(scores, "squared_hinge_loss");
  return reduce("squared_hinge_loss", square(hinge("squared_hinge_loss", scores, target, options)), options.reduction,
                line_of(scores));
}

Tensor soft_margin_loss(In scores, In target, LossOptions options) {
  constexpr const char* op = "soft_margin_loss";
  const Located at(scores, op);
  const Tensor y = target_of(op, scores, target);
  check_signs(op, y, line_of(scores));
  return reduce(op, softplus(-(scores * y)), options.reduction, line_of(scores));
}

}  // namespace xgrad::nn
