#include <xgrad/nn/layers/activations.hpp>

#include <fmt/core.h>

#include <cmath>

#include <xgrad/autodiff/scope.hpp>

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
  if (beta == 0 || !std::isfinite(beta)) fail(line_of(x), fmt::format("[softplus] expected a beta other than 0, and finite, got {}", beta));
  const Located at(x, "softplus");
  check_option(x, "softplus", "beta", beta);
  return xgrad::softplus(beta * x) / beta;
}

Tensor dropout(In x, double p) {
  if (!(p >= 0 && p <= 1)) fail(line_of(x), fmt::format("[dropout] expected a probability in [0, 1], got {}", p));
  if (p == 0) return x;
  const Located at(x, "dropout");
  const Tensor kept = rand(Tensor(x).shape(), f32, line_of(x)) >= p;
  return where(kept, p == 1 ? Tensor(x) : x * (1 / (1 - p)), 0.0);  // of p = 1 all 0, with a history
}

}  // namespace xgrad::nn
