#include <xgrad/nn/layers/convolution.hpp>

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <xgrad/autodiff/convolution.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "nn/layers/made.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {
namespace {

constexpr Size most = 0x7fffffff;  // of an option, so that a product of two is in range

Size at_axis(const Shape& numbers, int axis) { return numbers[numbers.rank() == 1 ? 0 : axis]; }

void require_per_axis(const char* layer, const char* what, const Shape& numbers, int axes, Size least, Source source) {
  if (numbers.rank() != 1 && numbers.rank() != axes)
    fail(source.named(layer), "expected one {} for all axes, or one for each of {}, got {}", what, axes, numbers);
  for (const Size n : numbers)
    if (n < least || n > most)
      fail(source.named(layer), "expected a {} of {} ... {}, got {}", what, least, most, numbers);
}

Shape kernel_of(const Shape& weight) {
  Shape kernel;
  for (int i = 2; i < weight.rank(); ++i) kernel.push_back(weight[i]);
  return kernel;
}

// 1 / sqrt(fan_in): kaiming_uniform with a = sqrt(5), as torch.nn draws it, for the weight and the bias
double bound_of(const Shape& weight) {
  double fan_in = 1;
  for (int i = 1; i < weight.rank(); ++i) fan_in *= static_cast<double>(weight[i]);
  return 1 / std::sqrt(fan_in);
}

template <class Options>
Shape weight_shape(const char* layer, int axes, Size first, Size second, const Shape& kernel_size, const Options& o,
                   Source source) {
  require_sizes(layer, "numbers of channels", {first, second}, source);
  require_float(layer, o.dtype, source);
  require_per_axis(layer, "kernel_size", kernel_size, axes, 1, source);
  require_per_axis(layer, "stride", o.stride, axes, 1, source);
  require_per_axis(layer, "dilation", o.dilation, axes, 1, source);
  if (o.groups < 1 || first % o.groups != 0 || second % o.groups != 0)
    fail(source.named(layer), "{} groups do not divide the channels, {} and {}", o.groups, first, second);
  Shape shape{first, second / o.groups};
  for (int i = 0; i < axes; ++i) shape.push_back(at_axis(kernel_size, i));
  return shape;
}

}  // namespace

const char* Convolution::name() const {
  constexpr const char* names[] = {"Conv1d", "Conv2d", "Conv3d"};
  return names[axes_ - 1];
}

Convolution::Convolution(int axes, Extent in, Extent out, const Shape& kernel_size, const ConvOptions& o, Source source)
    : options(o), axes_(axes) {
  const Shape shape = weight_shape(name(), axes, out.value, in.value, kernel_size, o, source);
  const Padding& padding = o.padding;
  if (padding.word && std::strcmp(padding.word, "valid") != 0 && std::strcmp(padding.word, "same") != 0)
    fail(source.named(name()), "expected a padding of numbers, \"same\" or \"valid\", got \"{}\"", padding.word);
  if (padding.word && padding.word[0] == 's')
    for (const Size stride : o.stride)
      if (stride != 1) fail(source.named(name()), "the padding \"same\" goes with a stride of 1, got {}", o.stride);
  require_per_axis(name(), "padding", padding.extents, axes, 0, source);
  const Located at(source, name());
  const LayerStream first;
  const double bound = bound_of(shape);
  weight = drawn(shape, o.dtype, bound, source);
  if (o.bias) bias = drawn({out}, o.dtype, bound, source);
}

Tensor Convolution::operator()(In x) const { return with_weight(x, weight); }

// "same" adds dilation (kernel - 1) numbers along each axis, the odd one behind.
Tensor Convolution::with_weight(In x, const Tensor& w) const {
  const Located at(x, name());
  Tensor input = input_of(name(), x, w);
  const Shape kernel = kernel_of(w.shape());
  ConvolutionOptions o{options.stride, options.padding.extents, options.dilation, options.groups};
  const bool same = options.padding.word && options.padding.word[0] == 's';
  if (same || options.padding_mode != PaddingMode::zeros) {
    Shape before, after, around;  // in the order of the axes; of pad(), in its order
    bool even = options.padding_mode == PaddingMode::zeros;
    for (int axis = 0; axis < axes_; ++axis) {
      const Size all =
          same ? at_axis(options.dilation, axis) * (kernel[axis] - 1) : 2 * at_axis(options.padding.extents, axis);
      before.push_back(all / 2), after.push_back(all - all / 2);
      even &= all % 2 == 0;
    }
    for (int axis = axes_ - 1; axis >= 0; --axis) around.push_back(before[axis]), around.push_back(after[axis]);
    o.padding = even ? before : Shape(0);
    if (!even) {
      if (input.dim() < axes_) fail(line_of(x).named(name()), "expected images, got the shape {}", input.shape());
      input = pad(input, around, {options.padding_mode});
    }
  }
  const Tensor b = bias;
  return noted(weight.defined() ? weight : bias, axes_ == 1   ? conv1d(input, w, b, o)
                                                 : axes_ == 2 ? conv2d(input, w, b, o)
                                                              : conv3d(input, w, b, o));
}

const char* TransposedConvolution::name() const {
  constexpr const char* names[] = {"ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"};
  return names[axes_ - 1];
}

TransposedConvolution::TransposedConvolution(int axes, Extent in, Extent out, const Shape& kernel_size,
                                             const ConvTransposeOptions& o, Source source)
    : options(o), axes_(axes) {
  const Shape shape = weight_shape(name(), axes, in.value, out.value, kernel_size, o, source);
  require_per_axis(name(), "padding", o.padding, axes, 0, source);
  require_per_axis(name(), "output_padding", o.output_padding, axes, 0, source);
  const Located at(source, name());
  const LayerStream first;
  const double bound = bound_of(shape);
  weight = drawn(shape, o.dtype, bound, source);
  if (o.bias) bias = drawn({out}, o.dtype, bound, source);
}

Tensor TransposedConvolution::applied(const In& x, const Tensor& w, const Shape& output_padding) const {
  const Tensor input = input_of(name(), x, w), b = bias;
  const TransposedConvolutionOptions o{options.stride, options.padding, output_padding, options.groups,
                                       options.dilation};
  return noted(weight.defined() ? weight : bias, axes_ == 1   ? conv_transpose1d(input, w, b, o)
                                                 : axes_ == 2 ? conv_transpose2d(input, w, b, o)
                                                              : conv_transpose3d(input, w, b, o));
}

Tensor TransposedConvolution::operator()(In x) const { return with_weight(x, weight); }
Tensor TransposedConvolution::with_weight(In x, const Tensor& w) const {
  const Located at(x, name());
  return applied(x, w, options.output_padding);
}

Tensor TransposedConvolution::with_output_size(In x, const Shape& output_size) const {
  const Located at(x, name());
  const Tensor input = input_of(name(), x, weight);
  if (output_size.rank() != axes_ || input.dim() <= axes_)
    fail(line_of(x).named(name()),
         "expected images, and an extent for each of their axes, got the shape {} and the output_size {}",
         input.shape(), output_size);
  const Shape kernel = kernel_of(weight.shape());
  Shape more;
  for (int axis = 0; axis < axes_; ++axis) {
    const Size image = input.shape()[input.dim() - axes_ + axis], stride = at_axis(options.stride, axis);
    const Size reach = at_axis(options.dilation, axis) * (kernel[axis] - 1) + 1 - 2 * at_axis(options.padding, axis);
    Size least = 0;
    if (__builtin_mul_overflow(image - 1, stride, &least) || __builtin_add_overflow(least, reach, &least) ||
        least > most * most)
      fail(line_of(x).named(name()), "the result is too large: {} images along axis {}, stride {}", image, axis,
           stride);
    if (output_size[axis] < least || output_size[axis] >= least + stride)
      fail(line_of(x).named(name()), "expected an output_size of {} ... {} along axis {} of the image, got {}", least,
           least + stride - 1, axis, output_size[axis]);
    more.push_back(output_size[axis] - least);
  }
  return applied(x, weight, more);
}

}  // namespace xgrad::nn
