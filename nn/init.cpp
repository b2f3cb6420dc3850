#include <xgrad/nn/init.hpp>

#include <fmt/core.h>

#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>

namespace xgrad::nn::init {
namespace {

void check(const char* op, const Parameter& p, Source source) {
  if (!p.defined()) fail(source, fmt::format("[{}] expected a parameter with a value, got an empty one", op));
}

// sqrt(6 / (fan_in + fan_out)) uniform, sqrt(2 / (fan_in + fan_out)) normal; both have this deviation
double xavier_deviation(const char* op, const Parameter& p, double gain, Source source) {
  check(op, p, source);
  const Fans fan = fans(p.shape(source), source);
  return gain * std::sqrt(2.0 / static_cast<double>(fan.in + fan.out));
}

double kaiming_deviation(const char* op, const Parameter& p, const KaimingOptions& options, Source source) {
  check(op, p, source);
  const Fans fan = fans(p.shape(source), source);
  const Size n = options.mode == FanMode::in ? fan.in : fan.out;
  return gain(options.nonlinearity, options.a) / std::sqrt(static_cast<double>(n));
}

const double sqrt3 = std::sqrt(3.0);  // a uniform number in +-b has the deviation b / sqrt(3)

}  // namespace

Tensor uniform_tensor(const Shape& shape, DType dtype, double low, double high, Source source) {
  const Located at(source);
  const NoGrad no_grad;
  return rand(shape, dtype, source) * (high - low) + low;
}

void uniform(Parameter& p, double low, double high, Source source) {
  check("init::uniform", p, source);
  if (!(low <= high) || std::isinf(high - low))
    fail(source, fmt::format("[init::uniform] expected low <= high, got {} and {}", low, high));
  for (const double bound : {low, high}) check_option(p.dtype(), "init::uniform", "bound", bound, source);
  check_option(p.dtype(), "init::uniform", "width", high - low, source);
  p.assign(uniform_tensor(p.shape(), p.dtype(), low, high, source), source);
}

void normal(Parameter& p, double mean, double std, Source source) {
  check("init::normal", p, source);
  if (!(std >= 0)) fail(source, fmt::format("[init::normal] expected a deviation of 0 or more, got {}", std));
  check_option(p.dtype(), "init::normal", "mean", mean, source);
  check_option(p.dtype(), "init::normal", "deviation", std, source);
  const Located at(source, "init::normal");
  const NoGrad no_grad;
  p.assign(randn(p.shape(), p.dtype(), source) * std + mean, source);
}

void constant(Parameter& p, double number, Source source) {
  check("init::constant", p, source);
  check_option(p.dtype(), "init::constant", "number", number, source);
  p.assign(full(p.shape(), number, p.dtype(), source), source);
}
void zeros(Parameter& p, Source source) { constant(p, 0, source); }
void ones(Parameter& p, Source source) { constant(p, 1, source); }

void xavier_uniform(Parameter& p, double gain, Source source) {
  const double bound = sqrt3 * xavier_deviation("init::xavier_uniform", p, gain, source);
  uniform(p, -bound, bound, source);
}
void xavier_normal(Parameter& p, double gain, Source source) {
  normal(p, 0, xavier_deviation("init::xavier_normal", p, gain, source), source);
}
void kaiming_uniform(Parameter& p, KaimingOptions options, Source source) {
  const double bound = sqrt3 * kaiming_deviation("init::kaiming_uniform", p, options, source);
  uniform(p, -bound, bound, source);
}
void kaiming_normal(Parameter& p, KaimingOptions options, Source source) {
  normal(p, 0, kaiming_deviation("init::kaiming_normal", p, options, source), source);
}

double gain(Nonlinearity nonlinearity, double a) {
  switch (nonlinearity) {
    case Nonlinearity::linear:
    case Nonlinearity::sigmoid:
      return 1;
    case Nonlinearity::tanh:
      return 5.0 / 3;
    case Nonlinearity::relu:
      return std::sqrt(2.0);
    case Nonlinearity::leaky_relu:
      return std::sqrt(2 / (1 + a * a));
    case Nonlinearity::selu:
      return 0.75;
  }
  return 1;
}

Fans fans(const Shape& weight, Source source) {
  if (weight.rank() < 2)
    fail(source, fmt::format("[init::fans] expected a weight [out, in, ...], got the shape {}; use uniform or normal "
                             "for vectors",
                             weight));
  Size rest = 1;
  for (int i = 2; i < weight.rank(); ++i) rest *= weight[i];
  return {weight[1] * rest, weight[0] * rest};
}

}  // namespace xgrad::nn::init
