// Convolutions as layers, with PyTorch's names, layouts, options and first weights. The formulas are those of conv1d and
// conv_transpose1d (autodiff/convolution.hpp).
#pragma once

#include <xgrad/nn/layers/padding.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// How much stands around an image: numbers (one for all axes, or one for each), or "same", so that the result has x's extents
// (strides of 1 only), or "valid", nothing.
struct Padding {
  Shape extents = 0;
  const char* word = nullptr;
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
  Padding(T all, Source source = Source::here()) : extents(all, source) {}
  template <class... More>
  Padding(Extent first, Extent second, More... more) : extents(first, second, more...) {}
  Padding(const Shape& each) : extents(each) {}
  Padding(const char* same_or_valid) : word(same_or_valid) {}
};

struct ConvOptions {
  Shape stride = 1;
  Padding padding = 0;
  Shape dilation = 1;
  Size groups = 1;
  bool bias = true;
  PaddingMode padding_mode = PaddingMode::zeros;
  DType dtype = default_dtype();
};

// What Conv1d, Conv2d and Conv3d have in common. x [batch, in, ...], or [in, ...] of one example; y [batch, out, ...].
// weight and bias start uniform in +-1 / sqrt(in / groups x the kernel's extents).
struct Convolution {
  Parameter weight, bias;  // [out, in / groups, kernel ...], [out]
  ConvOptions options;

  Tensor operator()(In x) const;
  Tensor with_weight(In x, const Tensor& w) const;  // as if w were its weight
  XGRAD_FIELDS(weight, bias)

 protected:
  explicit Convolution(int axes) : axes_(axes) {}
  Convolution(int axes, Extent in, Extent out, const Shape& kernel_size, const ConvOptions& options, Source source);
  const char* name() const;
  int axes_;
};
struct Conv1d : Convolution {
  Conv1d() : Convolution(1) {}  // empty, until one with sizes is assigned
  Conv1d(Extent in, Extent out, const Shape& kernel_size, const ConvOptions& options = {},
         Source source = Source::here())
      : Convolution(1, in, out, kernel_size, options, source) {}
};
struct Conv2d : Convolution {
  Conv2d() : Convolution(2) {}
  Conv2d(Extent in, Extent out, const Shape& kernel_size, const ConvOptions& options = {},
         Source source = Source::here())
      : Convolution(2, in, out, kernel_size, options, source) {}
};
struct Conv3d : Convolution {
  Conv3d() : Convolution(3) {}
  Conv3d(Extent in, Extent out, const Shape& kernel_size, const ConvOptions& options = {},
         Source source = Source::here())
      : Convolution(3, in, out, kernel_size, options, source) {}
};

struct ConvTransposeOptions {
  Shape stride = 1;
  Shape padding = 0;
  Shape output_padding = 0;
  Size groups = 1;
  bool bias = true;
  Shape dilation = 1;
  DType dtype = default_dtype();
};

// What ConvTranspose1d, ConvTranspose2d and ConvTranspose3d have in common. Extents of y: (x's - 1) stride - 2 padding +
// dilation (kernel - 1) + output_padding + 1. weight and bias start uniform in +-1 / sqrt(out / groups x the kernel's extents).
struct TransposedConvolution {
  static constexpr int output_axis = 1;  // of the weight
  Parameter weight, bias;                // [in, out / groups, kernel ...], [out]
  ConvTransposeOptions options;

  Tensor operator()(In x) const;
  // y with these extents, of the images alone: the output_padding is what they need. What no output_padding leads to is an Error.
  Tensor with_output_size(In x, const Shape& output_size) const;
  Tensor with_weight(In x, const Tensor& w) const;
  XGRAD_FIELDS(weight, bias)

 protected:
  explicit TransposedConvolution(int axes) : axes_(axes) {}
  TransposedConvolution(int axes, Extent in, Extent out, const Shape& kernel_size, const ConvTransposeOptions& options,
                        Source source);
  Tensor applied(const In& x, const Tensor& w, const Shape& output_padding) const;
  const char* name() const;
  int axes_;
};
struct ConvTranspose1d : TransposedConvolution {
  ConvTranspose1d() : TransposedConvolution(1) {}
  ConvTranspose1d(Extent in, Extent out, const Shape& kernel_size, const ConvTransposeOptions& options = {},
                  Source source = Source::here())
      : TransposedConvolution(1, in, out, kernel_size, options, source) {}
};
struct ConvTranspose2d : TransposedConvolution {
  ConvTranspose2d() : TransposedConvolution(2) {}
  ConvTranspose2d(Extent in, Extent out, const Shape& kernel_size, const ConvTransposeOptions& options = {},
                  Source source = Source::here())
      : TransposedConvolution(2, in, out, kernel_size, options, source) {}
};
struct ConvTranspose3d : TransposedConvolution {
  ConvTranspose3d() : TransposedConvolution(3) {}
  ConvTranspose3d(Extent in, Extent out, const Shape& kernel_size, const ConvTransposeOptions& options = {},
                  Source source = Source::here())
      : TransposedConvolution(3, in, out, kernel_size, options, source) {}
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
