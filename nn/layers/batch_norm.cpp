#include <xgrad/nn/layers/batch_norm.hpp>

#include <fmt/format.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/autodiff/vmap.hpp>

#include "nn/layers/made.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {

const char* ChannelNorm::name() const {
  constexpr const char* names[] = {"InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
                                   "BatchNorm1d",    "BatchNorm2d",    "BatchNorm3d"};
  return names[axes_ - 1 + (of_batch_ ? 3 : 0)];
}

ChannelNorm::ChannelNorm(bool of_batch, int axes, Extent channels, const BatchNormOptions& o, Source source)
    : options(o), of_batch_(of_batch), axes_(axes), channels_{channels.value} {
  require_sizes(name(), "a number of channels", {channels.value}, source);
  require_float(name(), o.dtype, source);
  require_eps(name(), o.eps, o.dtype, source);
  if (o.momentum && !(*o.momentum >= 0 && *o.momentum <= 1))
    fail(source.named(name()), "expected a momentum in [0, 1], got {}", *o.momentum);
  const Located at(source, name());
  if (o.affine) {
    weight = Parameter(ones({channels}, o.dtype), source);
    bias = Parameter(zeros({channels}, o.dtype), source);
  }
  if (!o.track_running_stats) return;
  running_mean = zeros({channels}, o.dtype);
  running_var = ones({channels}, o.dtype);
  num_batches_tracked = zeros({}, i64);
}

// The new statistics are numbers, without a history and not pending: nothing grows from step to step.
void ChannelNorm::track(const Tensor& mean_of, const Tensor& var_of, double n, const In& x) const {
  if (is_example(mean_of))
    fail(line_of(x).named(name()),
         "inside of vmap every example would have running statistics of its own; nn::eval(model) uses "
         "those that are there, and track_running_stats = false keeps none");
  const NoGrad constant;
  const Tensor count = of_batch_ ? num_batches_tracked + 1 : num_batches_tracked;
  const double m = options.momentum ? *options.momentum : 1 / count.item();
  const auto of_channel = [&](const Tensor& t) { return reshape(of_batch_ ? t : mean(t, 0), channels_); };
  const Tensor next_mean = (1 - m) * running_mean + m * of_channel(mean_of);
  const Tensor next_var = (1 - m) * running_var + m * (n / (n - 1)) * of_channel(var_of);
  evaluate(next_mean, next_var, count);
  running_mean = next_mean, running_var = next_var, num_batches_tracked = count;
}

Tensor ChannelNorm::operator()(In x) const {
  const Located at(x, name());
  const Source source = line_of(x);
  if (channels_.empty())
    fail(source.named(name()),
         "this layer was made without a number of channels, or moved from; assign one that has it");
  const Tensor w = weight, b = bias, input = floats_of(name(), x, {&w, &running_mean});
  const int rank = input.dim();
  const bool single = !of_batch_ && rank == axes_ + 1;
  if (!single && rank != axes_ + 2 && !(of_batch_ && axes_ == 1 && rank == 2))
    fail(source.named(name()), "expected x [batch, channels{}]{}, got the shape {}",
         axes_ == 1   ? ", length"
         : axes_ == 2 ? ", height, width"
                      : ", depth, height, width",
         !of_batch_   ? " or one example of that"
         : axes_ == 1 ? " or [batch, channels]"
                      : "",
         input.shape());
  if (input.shape()[single ? 0 : 1] != channels_[0])
    fail(source.named(name()), "expected {} channels, got the shape {}", channels_[0], input.shape());
  const Tensor v = single ? unsqueeze(input, 0) : input;
  const int full_rank = v.dim();

  Tensor y;
  if (training || !running_mean.defined()) {
    Shape axes;
    double n = 1;
    for (int axis = 0; axis < full_rank; ++axis)
      if (axis > 1 || (axis == 0 && of_batch_)) axes.push_back(axis), n *= static_cast<double>(v.shape()[axis]);
    if (n == 1)
      fail(source.named(name()), "expected more than one number a channel to take the variance of, got the shape {}{}",
           input.shape(),
           running_mean.defined()
               ? "; leave a last batch of one row out (DataLoader's .drop_last), or use running statistics: "
                 "nn::eval(model)"
               : "; give it a longer one");
    if (v.numel() == 0) {
      y = v;
      if (training && of_batch_ && num_batches_tracked.defined()) num_batches_tracked = num_batches_tracked + 1;
    } else if (!of_batch_ && !(training && running_mean.defined())) {
      y = standardize(v, axes_, options.eps);
    } else {
      const Tensor mean_of = mean(v, axes, true), from_mean = v - mean_of, var_of = mean(square(from_mean), axes, true);
      if (training && running_mean.defined()) track(mean_of, var_of, n, x);
      y = from_mean * rsqrt(var_of + options.eps);
    }
  } else {
    y = (v - along_channels(running_mean, full_rank)) * rsqrt(along_channels(running_var, full_rank) + options.eps);
  }
  if (w.defined()) y = y * along_channels(w, full_rank) + along_channels(b, full_rank);
  return noted(weight, single ? squeeze(y, 0) : y);
}

}  // namespace xgrad::nn
