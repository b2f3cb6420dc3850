// Normalisation of channels: by the numbers of a batch, or of each example; with running statistics.
#pragma once

#include <optional>

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  // none: running statistics are the mean of all batches
  bool affine = true;
  bool track_running_stats = true;
  DType dtype = default_dtype();
};
struct InstanceNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = false;
  bool track_running_stats = false;
  DType dtype = default_dtype();
};

// y = (x - mean) / sqrt(var + eps) weight + bias, channel by channel   (Ioffe & Szegedy 2015, Ulyanov et al. 2016)
//
// While it trains, and always where there are no running statistics, mean and var (divided by n) are those of x: over the batch
// and the image, or over the image of each example. Training moves the running statistics, which serve afterwards:
//   running <- (1 - momentum) running + momentum statistic       of the variance the one divided by n - 1
// One number a channel has no variance: an Error while it trains. Of no examples the result is empty, and the statistics stay.
// num_batches_tracked counts the batches; an InstanceNorm leaves it at 0, as PyTorch's does.
struct ChannelNorm {
  Parameter weight, bias;                                         // [channels], 1 and 0 at first; empty without affine
  mutable Tensor running_mean, running_var, num_batches_tracked;  // [channels], [channels], i64 (): changed in training
  BatchNormOptions options;
  bool training = true;

  Tensor operator()(In x) const;
  XGRAD_FIELDS(weight, bias, running_mean, running_var, num_batches_tracked)

 protected:
  ChannelNorm(bool of_batch, int axes) : of_batch_(of_batch), axes_(axes) {}
  ChannelNorm(bool of_batch, int axes, Extent channels, const BatchNormOptions& options, Source source);
  void track(const Tensor& mean, const Tensor& var, double n, const In& x) const;
  const char* name() const;
  bool of_batch_;   // else of each example
  int axes_;        // of the image
  Shape channels_;  // one extent; none of a layer that was made without, or moved from
};

// x [batch, channels] or [batch, channels, length]; [batch, channels, height, width]; [batch, channels, depth, height, width]
struct BatchNorm1d : ChannelNorm {
  BatchNorm1d() : ChannelNorm(true, 1) {}  // empty, until one with sizes is assigned
  BatchNorm1d(Extent channels, const BatchNormOptions& options = {}, Source source = Source::here())
      : ChannelNorm(true, 1, channels, options, source) {}
};
struct BatchNorm2d : ChannelNorm {
  BatchNorm2d() : ChannelNorm(true, 2) {}
  BatchNorm2d(Extent channels, const BatchNormOptions& options = {}, Source source = Source::here())
      : ChannelNorm(true, 2, channels, options, source) {}
};
struct BatchNorm3d : ChannelNorm {
  BatchNorm3d() : ChannelNorm(true, 3) {}
  BatchNorm3d(Extent channels, const BatchNormOptions& options = {}, Source source = Source::here())
      : ChannelNorm(true, 3, channels, options, source) {}
};

// x [batch, channels, ...], or [channels, ...] of one example, with one axis of the image, two or three.
struct InstanceNorm1d : ChannelNorm {
  InstanceNorm1d() : ChannelNorm(false, 1) {}
  InstanceNorm1d(Extent channels, const InstanceNormOptions& o = {}, Source source = Source::here())
      : ChannelNorm(false, 1, channels, {o.eps, o.momentum, o.affine, o.track_running_stats, o.dtype}, source) {}
};
struct InstanceNorm2d : ChannelNorm {
  InstanceNorm2d() : ChannelNorm(false, 2) {}
  InstanceNorm2d(Extent channels, const InstanceNormOptions& o = {}, Source source = Source::here())
      : ChannelNorm(false, 2, channels, {o.eps, o.momentum, o.affine, o.track_running_stats, o.dtype}, source) {}
};
struct InstanceNorm3d : ChannelNorm {
  InstanceNorm3d() : ChannelNorm(false, 3) {}
  InstanceNorm3d(Extent channels, const InstanceNormOptions& o = {}, Source source = Source::here())
      : ChannelNorm(false, 3, channels, {o.eps, o.momentum, o.affine, o.track_running_stats, o.dtype}, source) {}
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
