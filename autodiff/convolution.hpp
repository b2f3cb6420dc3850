// Convolution and pooling over one to three axes, with PyTorch's names, layouts and defaults.
//
//   x         [batch, channels, ...], or [channels, ...] of one example; the result likewise
//   weight    [out, channels / groups, ...]; of conv_transpose [channels, out / groups, ...]
//   bias      [out], or none
//   options   one number for all axes, or one an axis: {.stride = 2, .padding = {1, 0}}
//
// A kernel that reaches past the padded image is an Error. Derivatives are exact, of any order: a convolution and its two
// transposes, in x and in the weight, are each other's. Results have the same bits on any number of threads.
#pragma once

#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

struct ConvolutionOptions {
  Shape stride = 1;    // between one result and the next
  Shape padding = 0;   // zeros in front and behind
  Shape dilation = 1;  // between one number that the kernel reads and the next
  Size groups = 1;     // of channels: each group's results are made of its own channels alone
};

// y[n][o][p] = bias[o] + sum over c and k of weight[o][c][k] x[n][c][stride p + dilation k - padding]
Tensor conv1d(const In& x, const In& weight, const ConvolutionOptions& options = {});
Tensor conv1d(const In& x, const In& weight, const In& bias, const ConvolutionOptions& options = {});
Tensor conv2d(const In& x, const In& weight, const ConvolutionOptions& options = {});
Tensor conv2d(const In& x, const In& weight, const In& bias, const ConvolutionOptions& options = {});
Tensor conv3d(const In& x, const In& weight, const ConvolutionOptions& options = {});
Tensor conv3d(const In& x, const In& weight, const In& bias, const ConvolutionOptions& options = {});

struct TransposedConvolutionOptions {
  Shape stride = 1;
  Shape padding = 0;         // what the convolution had: so much is cut off in front and behind
  Shape output_padding = 0;  // more results behind: a stride leaves open how many there were
  Size groups = 1;
  Shape dilation = 1;
};

// The transpose of the convolution with these options:
//   y[n][o][stride p + dilation k - padding] += weight[c][o][k] x[n][c][p] over c, p and k, into the bias
// Its extents are (x's - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.
Tensor conv_transpose1d(const In& x, const In& weight, const TransposedConvolutionOptions& options = {});
Tensor conv_transpose1d(const In& x, const In& weight, const In& bias,
                        const TransposedConvolutionOptions& options = {});
Tensor conv_transpose2d(const In& x, const In& weight, const TransposedConvolutionOptions& options = {});
Tensor conv_transpose2d(const In& x, const In& weight, const In& bias,
                        const TransposedConvolutionOptions& options = {});
Tensor conv_transpose3d(const In& x, const In& weight, const TransposedConvolutionOptions& options = {});
Tensor conv_transpose3d(const In& x, const In& weight, const In& bias,
                        const TransposedConvolutionOptions& options = {});

struct MaxPoolOptions {
  Shape stride = {};  // none: the kernel's extents
  Shape padding = 0;  // of what is less than all numbers; half of the kernel at most
  Shape dilation = 1;
  bool ceil_mode = false;  // a last window that is cut off counts too
};

// The greatest of each window; NaN if one is. Of equal ones the first gets the gradient.
Tensor max_pool1d(const In& x, const Shape& kernel, const MaxPoolOptions& options = {});
Tensor max_pool2d(const In& x, const Shape& kernel, const MaxPoolOptions& options = {});
Tensor max_pool3d(const In& x, const Shape& kernel, const MaxPoolOptions& options = {});

struct AvgPoolOptions {
  Shape stride = {};              // none: the kernel's extents
  Shape padding = 0;              // zeros; half of the kernel at most
  bool ceil_mode = false;         // a last window that is cut off counts too
  bool count_include_pad = true;  // divide by how many numbers a window has, padding among them
};

// The mean of each window, of floats.
Tensor avg_pool1d(const In& x, const Shape& kernel, const AvgPoolOptions& options = {});
Tensor avg_pool2d(const In& x, const Shape& kernel, const AvgPoolOptions& options = {});
Tensor avg_pool3d(const In& x, const Shape& kernel, const AvgPoolOptions& options = {});

}  // namespace xgrad

#pragma GCC visibility pop
