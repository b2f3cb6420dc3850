#include <xgrad/nn/layers/layer_norm.hpp>

#include <fmt/format.h>

#include <limits>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "nn/layers/made.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {
namespace {

// x's last axes must have these extents.
void require_last(const char* op, const Tensor& x, const Shape& extents, Source source) {
  bool fit = extents.rank() >= 1 && extents.rank() <= x.dim();
  for (int i = 0; fit && i < extents.rank(); ++i) fit = x.shape()[x.dim() - extents.rank() + i] == extents[i];
  if (!fit)
    fail(source.named(op), "expected a normalized_shape of the last extents of x, got {} for the shape {}", extents,
         x.shape());
}

void require_shape(const char* op, const char* what, const Tensor& t, const Shape& shape, Source source) {
  if (t.defined() && !(t.shape() == shape))
    fail(source.named(op), "expected a {} of the shape {}, got {}", what, shape, t.shape());
}

Shape checked(const char* layer, const Shape& shape, DType dtype, double eps, Source source) {
  require_float(layer, dtype, source);
  require_eps(layer, eps, dtype, source);
  if (shape.empty()) fail(source.named(layer), "expected the extents of the last axes, got none");
  for (const Size extent : shape) require_sizes(layer, "extents", {extent}, source);
  return shape;
}

void require_made(const char* layer, bool made, const In& x) {
  if (!made)
    fail(line_of(x).named(layer), "this layer was made without sizes, or moved from; assign one that has them");
}

double eps_of(std::optional<double> eps, DType dtype) {
  return eps            ? *eps
         : dtype == f32 ? static_cast<double>(std::numeric_limits<float>::epsilon())
                        : std::numeric_limits<double>::epsilon();
}

}  // namespace

Tensor layer_norm(In x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias, double eps) {
  const Located at(x, "layer_norm");
  const Source source = line_of(x);
  const Tensor input = floats_of("layer_norm", x, {&weight, &bias});
  require_last("layer_norm", input, normalized_shape, source);
  require_shape("layer_norm", "weight", weight, normalized_shape, source);
  require_shape("layer_norm", "bias", bias, normalized_shape, source);
  return standardize(input, normalized_shape.rank(), eps, weight, bias);
}

Tensor rms_norm(In x, const Shape& normalized_shape, const Tensor& weight, std::optional<double> eps) {
  const Located at(x, "rms_norm");
  const Source source = line_of(x);
  const Tensor input = floats_of("rms_norm", x, {&weight});
  require_last("rms_norm", input, normalized_shape, source);
  require_shape("rms_norm", "weight", weight, normalized_shape, source);
  return divide_by_rms(input, normalized_shape.rank(), eps_of(eps, input.dtype()), weight);
}

Tensor group_norm(In x, Size num_groups, const Tensor& weight, const Tensor& bias, double eps) {
  const Located at(x, "group_norm");
  const Source source = line_of(x);
  const Tensor input = floats_of("group_norm", x, {&weight, &bias});
  const Shape& shape = input.shape();
  if (shape.rank() < 2) fail(source.named("group_norm"), "expected x [batch, channels, ...], got the shape {}", shape);
  const Size channels = shape[1];
  if (num_groups < 1 || channels % num_groups != 0)
    fail(source.named("group_norm"), "{} groups do not divide the {} channels of the shape {}", num_groups, channels,
         shape);
  require_shape("group_norm", "weight", weight, {channels}, source);
  require_shape("group_norm", "bias", bias, {channels}, source);
  Tensor y = input;
  if (input.numel() > 0) y = reshape(standardize(reshape(input, {shape[0], num_groups, -1}), 1, eps), shape);
  if (weight.defined()) y = y * along_channels(weight, shape.rank());
  return bias.defined() ? y + along_channels(bias, shape.rank()) : y;
}

LayerNorm::LayerNorm(const Shape& shape, const LayerNormOptions& o, Source source)
    : normalized_shape(checked("LayerNorm", shape, o.dtype, o.eps, source)), options(o) {
  const Located at(source, "LayerNorm");
  if (o.elementwise_affine) weight = Parameter(ones(shape, o.dtype), source);
  if (o.elementwise_affine && o.bias) bias = Parameter(zeros(shape, o.dtype), source);
}
Tensor LayerNorm::operator()(In x) const {
  const Located at(x, "LayerNorm");
  require_made("LayerNorm", !normalized_shape.empty(), x);
  return noted(weight, layer_norm(x, normalized_shape, weight, bias, options.eps));
}

RMSNorm::RMSNorm(const Shape& shape, const RMSNormOptions& o, Source source)
    : normalized_shape(checked("RMSNorm", shape, o.dtype, eps_of(o.eps, o.dtype), source)), options(o) {
  const Located at(source, "RMSNorm");
  if (o.elementwise_affine) weight = Parameter(ones(shape, o.dtype), source);
}
Tensor RMSNorm::operator()(In x) const {
  const Located at(x, "RMSNorm");
  require_made("RMSNorm", !normalized_shape.empty(), x);
  return noted(weight, rms_norm(x, normalized_shape, weight, options.eps));
}

GroupNorm::GroupNorm(Extent groups, Extent channels, const GroupNormOptions& o, Source source)
    : num_groups(groups.value), num_channels(channels.value), options(o) {
  require_sizes("GroupNorm", "numbers of groups and channels", {groups.value, channels.value}, source);
  checked("GroupNorm", {channels}, o.dtype, o.eps, source);
  if (num_channels % num_groups != 0)
    fail(source.named("GroupNorm"), "{} groups do not divide {} channels", num_groups, num_channels);
  const Located at(source, "GroupNorm");
  if (!o.affine) return;
  weight = Parameter(ones({channels}, o.dtype), source);
  bias = Parameter(zeros({channels}, o.dtype), source);
}
Tensor GroupNorm::operator()(In x) const {
  const Located at(x, "GroupNorm");
  const bool held = weight.defined() || bias.defined() || !options.affine;
  require_made("GroupNorm", num_groups > 0 && held, x);
  const Tensor input = x;
  if (input.defined() && input.dim() >= 2 && input.shape()[1] != num_channels)
    fail(line_of(x).named("GroupNorm"), "expected {} channels, got the shape {}", num_channels, input.shape());
  return noted(weight, group_norm(x, num_groups, weight, bias, options.eps));
}

}  // namespace xgrad::nn
