// Layers that change shapes, and numbers between pixels. Names and options as torch.nn has them.
#pragma once

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct Flatten {
  Size from = 1, to = -1;  // axes that become one; the axes before stay: a batch of vectors
  Tensor operator()(In x) const;
  XGRAD_FIELDS()
};
struct Unflatten {
  Size axis;
  Shape extents;  // that this axis becomes; one may be -1: what is left
  Tensor operator()(In x) const;
  XGRAD_FIELDS()
};

// [..., c r^2, h, w] to [..., c, h r, w r]: y[c, h r + i, w r + j] = x[c r^2 + i r + j, h, w]   (Shi et al. 2016); and back
Tensor pixel_shuffle(In x, Size upscale_factor);
Tensor pixel_unshuffle(In x, Size downscale_factor);
Tensor channel_shuffle(In x, Size groups);  // channels (axis 1) of g groups, in turn one of each

struct PixelShuffle {
  Size upscale_factor;
  Tensor operator()(In x) const { return pixel_shuffle(x, upscale_factor); }
  XGRAD_FIELDS()
};
struct PixelUnshuffle {
  Size downscale_factor;
  Tensor operator()(In x) const { return pixel_unshuffle(x, downscale_factor); }
  XGRAD_FIELDS()
};
struct ChannelShuffle {
  Size groups;
  Tensor operator()(In x) const { return channel_shuffle(x, groups); }
  XGRAD_FIELDS()
};

// nearest         the number at floor(i / scale)
// nearest_exact   at floor((i + 1/2) / scale)
// linear          a line between two neighbours along each axis: PyTorch's linear, bilinear and trilinear
// bicubic         a cubic through four (Keys 1981, a = -3/4), of images of two axes
// area            the mean of what it covers: adaptive_avg_pool
enum class Interpolation { nearest, nearest_exact, linear, bilinear = linear, trilinear = linear, bicubic, area };

// Factors: one for all axes, or one for each.
class Factors {
 public:
  Factors() = default;
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Factors(T all) : list_{static_cast<double>(all)} {}
  Factors(std::initializer_list<double> each) : list_(each) {}
  const std::vector<double>& list() const { return list_; }

 private:
  std::vector<double> list_;
};

struct InterpolateOptions {
  Shape size = {};            // of the result, one for all axes of the image or one for each; or
  Factors scale_factor = {};  // times x's extents, rounded down
  Interpolation mode = Interpolation::nearest;
  bool align_corners = false;  // the outermost numbers of x and y are at one place (linear, bicubic)
};
// x [batch, channels, ...] with one axis of the image, two or three.
Tensor interpolate(In x, const InterpolateOptions& options);

struct Upsample {
  InterpolateOptions options;
  explicit Upsample(const InterpolateOptions& o) : options(o) {}  // nn::Upsample({.scale_factor = 2})
  Tensor operator()(In x) const;
  XGRAD_FIELDS()
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
