#include <xgrad/nn/layers/weight_norm.hpp>

#include <fmt/format.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {
namespace {

void require_weight(const char* op, const Tensor& w, int axis, Source source) {
  if (!w.defined()) fail(source.named(op), "this layer has no weight: it was made without sizes, or moved from");
  if (axis < -1 || axis >= w.dim())
    fail(source.named(op), "expected an axis of the weight {}, or -1 for all of it, got {}", w.shape(), axis);
}

// [extent of the axis, all others]
Tensor as_matrix(const Tensor& w, int axis) {
  Shape order{axis};
  for (int i = 0; i < w.dim(); ++i)
    if (i != axis) order.push_back(i);
  const Tensor turned = axis == 0 ? w : permute(w, order);
  return reshape(turned, {turned.shape()[0], -1});
}

Tensor of_length_1(const Tensor& x, double eps) { return x / at_least(norm(x), eps); }

}  // namespace

Tensor weight_lengths(const Tensor& v, int axis, Source source) {
  require_weight("WeightNorm", v, axis, source);
  const Located at(source, "WeightNorm");
  if (axis == -1) return norm(v);
  Shape others;
  for (int i = 0; i < v.dim(); ++i)
    if (i != axis) others.push_back(i);
  return norm(v, 2, others, true);
}

Tensor weight_norm(const Tensor& g, const Tensor& v, int axis, Source source) {
  const Located at(source, "WeightNorm");
  return v * (g / weight_lengths(v, axis, source));
}

SingularVectors drawn_vectors(const Tensor& weight, int axis, const SpectralNormOptions& o, Source source) {
  require_weight("SpectralNorm", weight, axis, source);
  if (o.n_power_iterations < 1)
    fail(source.named("SpectralNorm"), "expected n_power_iterations of 1 or more, got {}", o.n_power_iterations);
  if (!(o.eps > 0)) fail(source.named("SpectralNorm"), "expected an eps above 0, got {}", o.eps);
  const Located at(source, "SpectralNorm");
  const LayerStream first;
  const NoGrad constant;
  const Size rows = weight.shape()[axis];
  const SingularVectors drawn{of_length_1(randn({rows}, weight.dtype()), o.eps),
                              of_length_1(randn({weight.numel() / rows}, weight.dtype()), o.eps)};
  evaluate(drawn.u, drawn.v);
  return drawn;
}

SingularVectors next_vectors(const Tensor& weight, int axis, const SingularVectors& from, const SpectralNormOptions& o,
                             Source source) {
  require_weight("SpectralNorm", weight, axis, source);
  const Located at(source, "SpectralNorm");
  const NoGrad constant;
  const Tensor w = as_matrix(weight, axis);
  SingularVectors next = from;
  for (int i = 0; i < o.n_power_iterations; ++i) {
    next.v = of_length_1(matmul(next.u, w), o.eps);
    next.u = of_length_1(matmul(w, next.v), o.eps);
  }
  evaluate(next.u, next.v);
  return next;
}

Tensor spectral_norm(const Tensor& weight, int axis, const SingularVectors& vectors, Source source) {
  require_weight("SpectralNorm", weight, axis, source);
  const Located at(source, "SpectralNorm");
  return weight / dot(vectors.u, matmul(as_matrix(weight, axis), vectors.v));
}

}  // namespace xgrad::nn
