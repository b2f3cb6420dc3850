#include <xgrad/nn/layers/activations.hpp>

#include <fmt/core.h>

#include <cmath>
#include <xgrad/autodiff/scope.hpp>

#include "nn/layers/made.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {

// Hendrycks & Gimpel 2016.   exact: x (1 + erf(x / sqrt 2)) / 2, which is x ndtr(x)
//                            tanh:  x (1 + tanh u) / 2, which is x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)
// 1 + erf and 1 + tanh would lose their digits where x is far below 0.
Tensor gelu(In x, GeluForm form) {
  const Located at(x, "gelu");
  return form == GeluForm::exact ? times_ndtr(x) : times_sigmoid_cubic(x);
}

// x sigmoid(x)
Tensor silu(In x) {
  const Located at(x, "silu");
  return times_sigmoid(x);
}

Tensor leaky_relu(In x, double negative_slope) {
  const Located at(x, "leaky_relu");
  check_option(x, "leaky_relu", "negative_slope", negative_slope);
  return xgrad::leaky_relu(x, negative_slope);
}

// The inner `where` keeps e^x finite where it is not chosen: its derivative is 0 there, not 0 times infinity.
Tensor elu(In x, double alpha) {
  const Located at(x, "elu");
  check_option(x, "elu", "alpha", alpha);
  const Tensor positive = x > 0.0;
  return where(positive, x, alpha * expm1(where(positive, 0.0, x)));
}

Tensor softplus(In x, double beta) {
  if (beta == 1) return xgrad::softplus(x);
  if (beta == 0 || !std::isfinite(beta))
    fail(line_of(x).named("softplus"), "expected a beta other than 0, and finite, got {}", beta);
  const Located at(x, "softplus");
  check_option(x, "softplus", "beta", beta);
  return xgrad::softplus(beta * x) / beta;
}

// Constants, not x, where it is cut off: the slope there is 0, and NaN stays NaN.
Tensor hardtanh(In x, double min_val, double max_val) {
  const Located at(x, "hardtanh");
  if (!(min_val < max_val))
    fail(line_of(x).named("hardtanh"), "expected min_val < max_val, got {} and {}", min_val, max_val);
  check_option(x, "hardtanh", "min_val", min_val);
  check_option(x, "hardtanh", "max_val", max_val);
  return where(x <= min_val, min_val, where(x >= max_val, max_val, x));
}
Tensor relu6(In x) {
  const Located at(x, "relu6");
  return hardtanh(x, 0, 6);
}
Tensor hardsigmoid(In x) {
  const Located at(x, "hardsigmoid");
  return where(x <= -3, 0.0, where(x >= 3, 1.0, x / 6.0 + 0.5));
}
// The product is taken of numbers between, so that infinities stay out of it.
Tensor hardswish(In x) {
  const Located at(x, "hardswish");
  const Tensor c = clamp(x, -3.0, 3.0);
  return where(x < -3, 0.0, where(x > 3, x, c * (c + 3.0) / 6.0));
}

// Where x is above 0 the exponential is that of 0, as in elu.
Tensor selu(In x) {
  constexpr double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
  const Located at(x, "selu");
  const Tensor positive = x > 0.0;
  return where(positive, scale * x, scale * alpha * expm1(where(positive, 0.0, x)));
}
Tensor celu(In x, double alpha) {
  const Located at(x, "celu");
  if (alpha == 0 || !std::isfinite(alpha))
    fail(line_of(x).named("celu"), "expected an alpha other than 0, and finite, got {}", alpha);
  check_option(x, "celu", "alpha", alpha);
  const Tensor positive = x > 0.0;
  return where(positive, x, alpha * expm1(where(positive, 0.0, x) / alpha));
}

// The second factor is 0, or 1, long before x is -1e4, or 1e4; an infinity would make products NaN.
Tensor mish(In x) {
  const Located at(x, "mish");
  const Tensor c = clamp(x, -1e4, 1e4);
  return where(x > 1e4, x, c * tanh(softplus(c)));
}

// Where |x| is 1 or more it is written 1 - 1 / (1 + |x|), whose slope 1 / (1 + |x|)^2 is no difference.
Tensor softsign(In x) {
  const Located at(x, "softsign");
  const Tensor size = abs(x), far = size >= 1, near = where(far, 0.0, x);
  return where(far, sign(x) * (1 - 1 / (1 + size)), near / (1 + abs(near)));
}
Tensor logsigmoid(In x) {
  const Located at(x, "logsigmoid");
  return -softplus(-x);
}
Tensor tanhshrink(In x) {
  const Located at(x, "tanhshrink");
  return x - tanh(x);
}

namespace {
void check_lambda(const In& x, const char* op, double lambda) {
  if (!(lambda >= 0)) fail(line_of(x).named(op), "expected a lambda of 0 or more, got {}", lambda);
  check_option(x, op, "lambda", lambda);
}
}  // namespace

Tensor softshrink(In x, double lambda) {
  const Located at(x, "softshrink");
  check_lambda(x, "softshrink", lambda);
  return where(x > lambda, x - lambda, where(x < -lambda, x + lambda, x * 0.0));
}
Tensor hardshrink(In x, double lambda) {
  const Located at(x, "hardshrink");
  check_lambda(x, "hardshrink", lambda);
  return where(abs(x) <= lambda, 0.0, x);
}
Tensor threshold(In x, double least, double value) {
  const Located at(x, "threshold");
  check_option(x, "threshold", "threshold", least);
  check_option(x, "threshold", "value", value);
  return where(x <= least, value, x);
}

Tensor prelu(In x, In weight) {
  const Located at(x, "prelu");
  const Tensor t = x, w = weight;
  if (!t.defined() || !w.defined())
    fail(line_of(x).named("prelu"), "expected numbers and a weight, got an empty tensor");
  if (w.numel() == 1) return xgrad::leaky_relu(t, reshape(w, {}));
  if (w.dim() != 1 || t.dim() < 2 || t.shape()[1] != w.shape()[0])
    fail(line_of(x).named("prelu"),
         "expected a weight of one number, or one for each channel (axis 1 of {}), got the shape {}", t.shape(),
         w.shape());
  Shape shape = w.shape();
  for (int i = 2; i < t.dim(); ++i) shape.push_back(1);
  return xgrad::leaky_relu(t, reshape(w, shape));
}

Tensor glu(In x, At axis) {
  const Located at(x, "glu");
  const Tensor t = x;
  const Size n = t.size(axis);
  if (n % 2 != 0)
    fail(line_of(x).named("glu"), "expected an even number along axis {}, got the shape {}", axis.index, t.shape());
  return slice(t, axis, 0, n / 2) * sigmoid(slice(t, axis, n / 2, n));
}
Tensor softmin(In x, At axis) {
  const Located at(x, "softmin");
  return softmax(-x, axis);
}
Tensor Softmax2d::operator()(In x) const {
  const Located at(x, "Softmax2d");
  const Tensor t = x;
  if (t.dim() != 3 && t.dim() != 4)
    fail(line_of(x).named("Softmax2d"),
         "expected x [batch, channels, height, width], or one example of that, got the shape {}", t.shape());
  return softmax(t, -3);
}

Tensor rrelu(In x, double lower, double upper, bool training) {
  const Located at(x, "rrelu");
  if (!(lower <= upper && std::isfinite(upper - lower)))
    fail(line_of(x).named("rrelu"), "expected lower <= upper, both finite, got {} and {}", lower, upper);
  check_option(x, "rrelu", "lower", lower);
  check_option(x, "rrelu", "upper", upper);
  if (!training) return xgrad::leaky_relu(x, (lower + upper) / 2);
  const Tensor t = x;
  return xgrad::leaky_relu(
      t, lower + (upper - lower) * rand(t.shape(), is_float(t.dtype()) ? t.dtype() : default_dtype()));
}

PReLU::PReLU(Extent num_parameters, PReLUOptions options, Source source) {
  require_sizes("PReLU", "a number of parameters", {num_parameters.value}, source);
  require_float("PReLU", options.dtype, source);
  check_option(options.dtype, "PReLU", "init", options.init, source);
  const Located at(source, "PReLU");
  weight = Parameter(full({num_parameters}, options.init, options.dtype), source);
}
Tensor PReLU::operator()(In x) const {
  const Located at(x, "PReLU");
  return noted(weight, prelu(input_of("PReLU", x, weight), weight));
}

Tensor dropout(In x, double p) {
  if (!(p >= 0 && p <= 1)) fail(line_of(x).named("dropout"), "expected a probability in [0, 1], got {}", p);
  if (p == 0) return x;
  const Located at(x, "dropout");
  const Tensor kept = rand(Tensor(x).shape(), f32, line_of(x)) >= p;
  return where(kept, p == 1 ? Tensor(x) : x * (1 / (1 - p)), 0.0);  // of p = 1 all 0, with a history
}

}  // namespace xgrad::nn
