#include <xgrad/nn/init.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <new>
#include <vector>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>

namespace xgrad::nn::init {
namespace {

void check(const char* op, const Parameter& p, Source source) {
  if (!p.defined()) fail(source.named(op), "expected a parameter with a value, got an empty one");
}

// sqrt(6 / (fan_in + fan_out)) uniform, sqrt(2 / (fan_in + fan_out)) normal; both have this deviation
double xavier_deviation(const char* op, const Parameter& p, double gain, Source source) {
  check(op, p, source);
  const Fans fan = fans(p.shape(source), source.named(op));
  return gain * std::sqrt(2.0 / static_cast<double>(fan.in + fan.out));
}

double kaiming_deviation(const char* op, const Parameter& p, const KaimingOptions& options, Source source) {
  check(op, p, source);
  const Fans fan = fans(p.shape(source), source.named(op));
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
    fail(source.named("init::uniform"), "expected low <= high, got {} and {}", low, high);
  for (const double bound : {low, high}) check_option(p.dtype(), "init::uniform", "bound", bound, source);
  check_option(p.dtype(), "init::uniform", "width", high - low, source);
  p.assign(uniform_tensor(p.shape(), p.dtype(), low, high, source), source);
}

void normal(Parameter& p, double mean, double std, Source source) {
  check("init::normal", p, source);
  if (!(std >= 0)) fail(source.named("init::normal"), "expected a deviation of 0 or more, got {}", std);
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

// x = mean + std Phi^-1(u), u uniform in (Phi(a), Phi(b)), a and b the bounds in units of std; Phi^-1(u) = sqrt 2 erf^-1(2 u - 1)
void trunc_normal(Parameter& p, TruncatedNormalOptions options, Source source) try {
  const char* op = "init::trunc_normal";
  check(op, p, source);
  const auto [mean, std, low, high] = options;
  if (!(std > 0) || std::isinf(std)) fail(source.named(op), "expected a deviation above 0, got {}", std);
  if (!(low < high)) fail(source.named(op), "expected low < high, got {} and {}", low, high);
  if (!(low <= mean + 8 * std && high >= mean - 8 * std))
    fail(source.named(op), "{} ... {} is more than 8 deviations of {} from the mean {}", low, high, std, mean);
  for (const double number : {mean, std, low, high}) check_option(p.dtype(), op, "option", number, source);
  const double from = std::erf((low - mean) / (std * std::sqrt(2.0))),
               to = std::erf((high - mean) / (std * std::sqrt(2.0)));
  std::vector<double> numbers = uniform_tensor(p.shape(), f64, from, to, source).to_vector<double>();
  for (double& x : numbers) {
    const double least = std::nextafter(-1.0, 0.0);  // beyond it are infinities
    x = mean + std * std::sqrt(2.0) * boost::math::erf_inv(std::clamp(x, least, -least));
    x = std::clamp(x, low, high);
  }
  p.assign(cast(tensor(numbers, p.shape()), p.dtype()), source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "init::trunc_normal");
}

void lecun_uniform(Parameter& p, Source source) {
  const double bound =
      sqrt3 * kaiming_deviation("init::lecun_uniform", p, {.nonlinearity = Nonlinearity::linear}, source);
  uniform(p, -bound, bound, source);
}
void lecun_normal(Parameter& p, Source source) {
  normal(p, 0, kaiming_deviation("init::lecun_normal", p, {.nonlinearity = Nonlinearity::linear}, source), source);
}

// The Q of a QR factorisation whose R has a positive diagonal, of normal numbers: A (L^T)^-1, where L L^T = A^T A. Shifted at
// first, so that no matrix is too near to a singular one, and then twice more (Fukaya et al. 2020).
void orthogonal(Parameter& p, double gain, Source source) {
  const char* op = "init::orthogonal";
  check(op, p, source);
  const Shape& shape = p.shape(source);
  if (shape.rank() < 2) fail(source.named(op), "expected a weight [out, in, ...], got the shape {}", shape);
  check_option(p.dtype(), op, "gain", gain, source);
  if (shape.numel() == 0) return;
  const Located at(source);
  const NoGrad no_grad;
  const Size rows = shape[0], columns = shape.numel() / rows, few = std::min(rows, columns);
  Tensor q = randn({few, std::max(rows, columns)}, f64, source);  // A^T
  for (const double shift : {1e-14, 0.0, 0.0}) {
    const Tensor products = matmul(q, transpose(q));
    q = evaluate(solve_triangular(cholesky(products + shift * trace(products) * xgrad::eye(few, f64)), q));
  }
  p.assign(cast(reshape(gain * (rows > columns ? transpose(q) : q), shape), p.dtype()), source);
}

void sparse(Parameter& p, SparseOptions options, Source source) {
  const char* op = "init::sparse";
  check(op, p, source);
  if (p.dim() != 2) fail(source.named(op), "expected a matrix, got the shape {}", p.shape());
  if (!(options.sparsity >= 0 && options.sparsity <= 1))
    fail(source.named(op), "expected a sparsity in [0, 1], got {}", options.sparsity);
  if (!(options.std >= 0)) fail(source.named(op), "expected a deviation of 0 or more, got {}", options.std);
  check_option(p.dtype(), op, "deviation", options.std, source);
  const Located at(source);
  const NoGrad no_grad;
  const Size rows = p.size(0), columns = p.size(1);
  const double zeros = std::ceil(options.sparsity * static_cast<double>(rows));
  // the places of random numbers in their order are a permutation: those of the least `zeros` in each column
  const Tensor place = argsort(argsort(rand({rows, columns}, f64, source), 0), 0);
  p.assign(where(place < zeros, 0.0, randn(p.shape(), p.dtype(), source) * options.std), source);
}

void eye(Parameter& p, Source source) {
  check("init::eye", p, source);
  if (p.dim() != 2) fail(source.named("init::eye"), "expected a matrix, got the shape {}", p.shape());
  const Size rows = p.size(0), columns = p.size(1);
  p.assign(cast(reshape(arange(rows), {rows, 1}) == arange(columns), p.dtype()), source);
}

void dirac(Parameter& p, Size groups, Source source) try {
  const char* op = "init::dirac";
  check(op, p, source);
  const Shape& shape = p.shape();
  if (shape.rank() < 3 || shape.rank() > 5)
    fail(source.named(op), "expected a convolution's weight of 3 to 5 axes, got the shape {}", shape);
  if (groups < 1 || shape[0] % groups != 0)
    fail(source.named(op), "expected groups that divide {} channels, got {}", shape[0], groups);
  const Size each = shape[0] / groups, in = shape[1];
  Size taps = 1, middle = 0;  // of the kernel; in row-major order
  for (int i = 2; i < shape.rank(); ++i) {
    taps *= shape[i];
    middle = middle * shape[i] + shape[i] / 2;
  }
  std::vector<double> numbers(static_cast<std::size_t>(shape.numel()));
  for (Size group = 0; group < groups; ++group)
    for (Size d = 0; d < std::min(each, in) && taps > 0; ++d)
      numbers[static_cast<std::size_t>(((group * each + d) * in + d) * taps + middle)] = 1;
  p.assign(cast(tensor(numbers, shape), p.dtype()), source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "init::dirac");
}

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
    case Nonlinearity::sigmoid: return 1;
    case Nonlinearity::tanh: return 5.0 / 3;
    case Nonlinearity::relu: return std::sqrt(2.0);
    case Nonlinearity::leaky_relu: return std::sqrt(2 / (1 + a * a));
    case Nonlinearity::selu: return 0.75;
  }
  return 1;
}

Fans fans(const Shape& weight, Source source) {
  if (weight.rank() < 2)
    fail(source.named("init::fans"),
         "expected a weight [out, in, ...], got the shape {}; use uniform or normal "
         "for vectors",
         weight);
  Size rest = 1;
  for (int i = 2; i < weight.rank(); ++i) rest *= weight[i];
  return {weight[1] * rest, weight[0] * rest};
}

}  // namespace xgrad::nn::init
