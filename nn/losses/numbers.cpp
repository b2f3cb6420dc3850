#include <xgrad/nn/losses/numbers.hpp>

#include <fmt/core.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>
#include "nn/losses/checks.hpp"

namespace xgrad::nn {

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
  if (!(d > 0)) fail(line_of(prediction, "huber_loss"), "expected a delta above 0, got {}", d);
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
    fail(line_of(prediction, "smooth_l1_loss"), "expected a beta of 0 or more, and finite, got {}", b);
  check_option(prediction, "smooth_l1_loss", "beta", b);
  const Tensor e = prediction - target, size = abs(e);
  if (b == 0) return reduce("smooth_l1_loss", size, options.reduction, line_of(prediction));
  const Tensor c = clamp(e, -b, b);
  return reduce("smooth_l1_loss", 0.5 * c * (c / b) + relu(size - b), options.reduction, line_of(prediction));
}

Tensor quantile_loss(In prediction, In target, QuantileOptions options) {
  constexpr const char* op = "quantile_loss";
  const Located at(prediction, op);
  check_pair(op, prediction, target);
  const double q = options.quantile;
  if (!(q > 0 && q < 1)) fail(line_of(prediction, op), "expected a quantile between 0 and 1, got {}", q);
  check_option(prediction, op, "quantile", q);
  const Tensor e = target - prediction;
  return reduce(op, maximum(q * e, (q - 1) * e), options.reduction, line_of(prediction));
}

}  // namespace xgrad::nn
