#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/autodiff/gradcheck.hpp>
#include "autodiff/engine/record.hpp"
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad {

namespace {

double weighted_sum(const Tensor& y, const std::vector<double>& weights) {
  const std::vector<double> values = y.to_vector<double>();
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
  return sum;
}

// Weights that tell the elements of a result apart: one gradient checks them all.
std::vector<double> weights_of(Size n) {
  std::vector<double> weights;
  for (Size i = 0; i < n; ++i) weights.push_back(0.5 + std::abs(std::sin(1.0 + 2.0 * static_cast<double>(i))));
  return weights;
}

// (w . f)'(x) exactly, against (w . f(x + h) - w . f(x - h)) / 2h for each element of x
void compare(const Function& f, const Tensor& x, const GradCheckOptions& o, const char* what, GradCheck& check) {
  const Vjp here = vjp(f, x, {.allow_unused = true});  // what was lost is seen in the numbers
  const std::vector<double> weights = weights_of(here.value.numel());
  const std::vector<double> exact = here.pullback(tensor(weights, here.value.shape())).to_vector<double>();
  std::vector<double> at = x.to_vector<double>();
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double middle = at[i];
    at[i] = middle + o.step;
    const double above = weighted_sum(f(tensor(at, x.shape())), weights);
    at[i] = middle - o.step;
    const double below = weighted_sum(f(tensor(at, x.shape())), weights);
    at[i] = middle;
    const double numeric = (above - below) / (2 * o.step);
    const double off = std::abs(exact[i] - numeric) / std::max(1.0, std::abs(exact[i]));
    if (off <= check.worst) continue;
    check.worst = std::isnan(off) ? std::numeric_limits<double>::infinity() : off;
    check.message =
        fmt::format("{}: element {} of {}: exact {:.10g}, differences {:.10g}", what, i, x.shape(), exact[i], numeric);
  }
}

}  // namespace

GradCheck gradcheck(const Function& users, const In& x_in, GradCheckOptions options) {
  const Source source = engine::source_of(x_in, "gradcheck");
  const Located at(source);
  const Function f = [&](const Tensor& x) {  // recorded whatever the scope: it may take derivatives itself
    const engine::UsersOwn scope(engine::current());
    return users(x);
  };
  if (!users) fail(source, "expected a function, got an empty one");
  if (options.order != 1 && options.order != 2) fail(source, "expected order 1 or 2, got {}", options.order);
  const Tensor x = engine::operand(x_in, "gradcheck", f64);
  if (x.dtype() != f64) fail(source, "expected f64, got {}; cast it: cast(x, f64)", name(x.dtype()));
  const Tensor value = f(x);
  if (!value.defined() || value.dtype() != f64) fail(source, "expected a function that gives f64");
  GradCheck check;
  compare(f, x, options, "gradient", check);
  if (options.order == 2) {
    const Tensor w = tensor(weights_of(value.numel()), value.shape());
    const Function gradient = [&](const Tensor& v) { return vjp(f, v).pullback(w); };
    compare(gradient, x, options, "second derivative", check);
  }
  check.passed = check.worst <= options.tolerance;
  return check;
}

std::string to_string(const GradCheck& check) {
  return fmt::format("{}: worst {:.3g}{}{}", check.passed ? "passed" : "FAILED", check.worst,
                     check.message.empty() ? "" : "; ", check.message);
}

}  // namespace xgrad

fmt::appender fmt::formatter<xgrad::GradCheck>::format(const xgrad::GradCheck& check,
                                                       fmt::format_context& context) const {
  return fmt::format_to(context.out(), "{}", xgrad::to_string(check));
}
