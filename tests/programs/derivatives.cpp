#include "derivatives.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dice.hpp"

namespace programs {

namespace {

constexpr double step = 1e-5;

std::vector<Tensor> random_direction(const Program& p, std::uint64_t seed) {
  Dice dice(seed);
  std::vector<Tensor> direction;
  for (const Tensor& value : p.parameters) {
    std::vector<double> v(static_cast<std::size_t>(value.numel()));
    for (double& x : v) x = dice.normal();
    direction.push_back(tensor(v, value.shape()));
  }
  return direction;
}

double product(const std::vector<Tensor>& x, const std::vector<Tensor>& y) {
  double s = 0;
  for (std::size_t i = 0; i < x.size(); ++i) s += sum(x[i] * y[i]).item();
  return s;
}

struct Numeric {
  double value, error;
};

// (f(h) - f(-h)) / 2 h at h and 2 h, the first error term taken out (Richardson 1911); their difference estimates the
// rest.
template <class F>
Numeric difference_of(const F& f) {
  const double near = (f(step) - f(-step)) / (2 * step), far = (f(2 * step) - f(-2 * step)) / (4 * step);
  return {near + (near - far) / 3, std::abs(near - far)};
}

// `scale`: how large the numbers are that rounding acts on.
Verdict judge(const char* what, double exact, const Numeric& numeric, double scale) {
  const double size = std::max({1.0, std::abs(exact), scale});
  if (!std::isfinite(exact) || !std::isfinite(numeric.value)) return {};
  if (numeric.error > 1e-4 * size) return {};
  if (std::abs(exact - numeric.value) <= 1e-6 * size + 3 * numeric.error) return {{}, true};
  return {fmt::format("{}: {} is exact, differences give {} (+- {})", what, exact, numeric.value, numeric.error), true};
}

}  // namespace

Verdict check_gradient(const Program& p, const Trace& base) {
  const std::vector<Tensor> v = random_direction(p, p.seed);
  const auto f = [&](double h) {
    return run(p, {.threads = 2, .nudge = h, .direction = &v, .still = &base, .gradients = false}).total;
  };
  const double exact = product(base.grads, v);
  Verdict verdict = judge("gradient", exact, difference_of(f), std::abs(base.total));
  if (!verdict.wrong.empty() || p.has(Step::Role::assign) || p.has(Step::Role::backward)) return verdict;
  // Forward: the same number, parameter by parameter.
  double forward = 0;
  const TransformOptions cut{.allow_unused = true};  // a program may detach
  for (std::size_t i = 0; i < v.size(); ++i)
    forward += jvp([&](const Tensor& x) { return loss_at(p, static_cast<int>(i), x); }, p.parameters[i], v[i], cut)
                   .tangent.item();
  double size = std::max(1.0, std::abs(exact));
  for (std::size_t i = 0; i < v.size(); ++i) size = std::max(size, sum(abs(base.grads[i] * v[i])).item());
  if (std::isfinite(exact) && !(std::abs(forward - exact) <= 1e-9 * size))
    verdict.wrong = fmt::format("jvp: {}, but the gradient gives {}", forward, exact);
  return verdict;
}

Verdict check_second(const Program& p, const Trace& base) {
  const std::vector<Tensor> v = random_direction(p, p.seed), u = random_direction(p, p.seed + 1);
  const auto slope = [&](double h) {
    return product(run(p, {.threads = 2, .nudge = h, .direction = &v, .still = &base}).grads, u);
  };
  const Tensors second = second_gradients(p, v);
  const double exact = product({second.begin(), second.end()}, u);
  Verdict verdict = judge("second derivative", exact, difference_of(slope), std::abs(product(base.grads, u)));
  if (!verdict.wrong.empty()) return verdict;
  // Forward over reverse, for the first parameter alone.
  std::vector<Tensor> one = v;
  for (std::size_t i = 1; i < one.size(); ++i) one[i] = zeros(v[i].shape(), f64);
  const Tensor h =
      hvp([&](const Tensor& x) { return loss_at(p, 0, x); }, p.parameters[0], v[0], {.allow_unused = true});
  const Tensors again = second_gradients(p, one);
  const double reverse = sum(again[0] * u[0]).item(), forward = sum(h * u[0]).item();
  const double size = std::max({1.0, sum(abs(again[0] * u[0])).item(), std::abs(reverse)});
  if (std::isfinite(reverse) && !(std::abs(forward - reverse) <= 1e-8 * size))
    verdict.wrong = fmt::format("hvp: {}, but reverse over reverse gives {}", forward, reverse);
  return verdict;
}

}  // namespace programs
