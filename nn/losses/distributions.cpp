#include <xgrad/nn/losses/distributions.hpp>

#include <fmt/core.h>

#include <cmath>
#include <numbers>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>
#include "nn/losses/checks.hpp"

namespace xgrad::nn {

Tensor kl_div(In log_prediction, In target, KlDivOptions options) {
  constexpr const char* op = "kl_div";
  const Located at(log_prediction, op);
  const Source source = line_of(log_prediction);
  const Tensor q = target_of(op, log_prediction, target), x = log_prediction;
  Tensor loss;
  if (options.log_target) {
    const Tensor p = exp(q), none = p == 0.0;
    loss = p * (where(none, 0.0, q) - where(none, 0.0, x));
  } else {
    loss = q * log_or_0(q) - times(q, x, -infinity);
  }
  if (options.reduction != Reduction::mean || !options.batchmean) return reduce(op, loss, options.reduction, source);
  if (x.dim() == 0) fail(source.named(op), "expected rows to divide by, got a 0-d tensor; leave batchmean out");
  check_some(op, x.size(0), options.reduction, source);
  return sum(loss) / static_cast<double>(x.size(0));
}

Tensor poisson_nll_loss(In prediction, In target, PoissonNllOptions options) {
  constexpr const char* op = "poisson_nll_loss";
  const Located at(prediction, op);
  const Source source = line_of(prediction);
  const Tensor y = target_of(op, prediction, target), x = prediction;
  check_least(op, "eps", options.eps, 0, prediction);
  const Tensor rate = x + options.eps, given = where(logical_and(y == 0.0, rate == 0.0), 1.0, rate);  // 0 log 0 = 0
  Tensor loss = options.log_input ? exp(x) - times(y, x, -infinity) : x - y * log(given);
  if (options.full) {  // y log y - y + log(2 pi y) / 2
    const Tensor many = where(y > 1.0, y, 1.0), log_y = log(many);
    loss = loss + where(y > 1.0, many * log_y - many + 0.5 * (std::log(2 * std::numbers::pi) + log_y), 0.0);
  }
  return reduce(op, loss, options.reduction, source);
}

Tensor gaussian_nll_loss(In prediction, In target, In variance, GaussianNllOptions options) {
  constexpr const char* op = "gaussian_nll_loss";
  const Located at(prediction, op);
  const Source source = line_of(prediction);
  const Tensor y = target_of(op, prediction, target), x = prediction;
  if (!variance.is_number() && !variance.node()) fail(source.named(op), "expected a variance, got an empty tensor");
  if (!(options.eps > 0)) fail(source.named(op), "expected an eps above 0, got {}", options.eps);
  check_option(prediction, op, "eps", options.eps);
  Tensor v = variance;
  if (v.dim() > 0 && v.shape() != x.shape()) {
    Shape rows = x.shape(), column = x.shape();
    if (x.dim() > 0) {
      rows.erase(x.dim() - 1);
      column[-1] = 1;
    }
    if (v.shape() == rows) v = unsqueeze(v, -1);
    if (v.shape() != column)
      fail(source.named(op), "expected a variance of shape {}, {} or {}, got {}", x.shape(), column, rows, v.shape());
  }
  const Tensor small = logical_and(v >= 0.0, v < options.eps);
  v = where(small, options.eps + (v - v.detach()), v);  // as a constant in value, and not in slope: PyTorch's
  Tensor loss = 0.5 * (log(v) + square(x - y) / v);
  if (options.full) loss = loss + 0.5 * std::log(2 * std::numbers::pi);
  return reduce(op, loss, options.reduction, source);
}

}  // namespace xgrad::nn
