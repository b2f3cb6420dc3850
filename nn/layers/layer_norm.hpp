// Normalisation of each example by its own numbers.
#pragma once

#include <optional>

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// (x - mean) / sqrt(var + eps) weight + bias, mean and var (divided by n) over the last axes, which have the extents
// `normalized_shape`; weight and bias of these extents, or empty   (Ba et al. 2016)
Tensor layer_norm(In x, const Shape& normalized_shape, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5);
// x / sqrt(mean of x^2 + eps) weight, likewise; without an eps that of the dtype, 2^-23 or 2^-52   (Zhang & Sennrich 2019)
Tensor rms_norm(In x, const Shape& normalized_shape, const Tensor& weight = {}, std::optional<double> eps = {});
// As layer_norm, over the numbers of a group of channels; x [batch, channels, ...], weight and bias [channels]   (Wu & He 2018)
Tensor group_norm(In x, Size num_groups, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;
  bool bias = true;
  DType dtype = default_dtype();
};
struct LayerNorm {
  Parameter weight, bias;  // of normalized_shape: 1 and 0 at first
  Shape normalized_shape;
  LayerNormOptions options;

  LayerNorm() = default;  // empty, until one with sizes is assigned
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {},
                     Source source = Source::here());
  template <class T>  // LayerNorm({64})
  explicit LayerNorm(const T (&shape)[1], const LayerNormOptions& o = {}, Source source = Source::here())
      : LayerNorm(Shape(shape[0]), o, source) {}
  Tensor operator()(In x) const;
  XGRAD_FIELDS(weight, bias)
};

struct RMSNormOptions {
  std::optional<double> eps = {};
  bool elementwise_affine = true;
  DType dtype = default_dtype();
};
struct RMSNorm {
  Parameter weight;  // of normalized_shape: 1 at first
  Shape normalized_shape;
  RMSNormOptions options;

  RMSNorm() = default;
  explicit RMSNorm(const Shape& normalized_shape, const RMSNormOptions& options = {}, Source source = Source::here());
  template <class T>
  explicit RMSNorm(const T (&shape)[1], const RMSNormOptions& o = {}, Source source = Source::here())
      : RMSNorm(Shape(shape[0]), o, source) {}
  Tensor operator()(In x) const;
  XGRAD_FIELDS(weight)
};

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;
  DType dtype = default_dtype();
};
struct GroupNorm {
  Parameter weight, bias;  // [channels]: 1 and 0 at first
  Size num_groups = 0, num_channels = 0;
  GroupNormOptions options;

  GroupNorm() = default;
  GroupNorm(Extent num_groups, Extent num_channels, const GroupNormOptions& options = {},
            Source source = Source::here());
  Tensor operator()(In x) const;
  XGRAD_FIELDS(weight, bias)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
