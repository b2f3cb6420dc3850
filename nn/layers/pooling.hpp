// Pools as layers, and adaptive ones, with PyTorch's names and options. max_pool1d and its kin are ops (autodiff/convolution.hpp).
#pragma once

#include <xgrad/autodiff/convolution.hpp>
#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// Pools whose results have these extents, whatever x's are: one number for all axes, or one for each; -1: as x has it. Result i
// is of the numbers from floor(i in / out) to ceil((i + 1) in / out). x as of the other pools.
Tensor adaptive_avg_pool1d(In x, const Shape& output_size);
Tensor adaptive_avg_pool2d(In x, const Shape& output_size);
Tensor adaptive_avg_pool3d(In x, const Shape& output_size);
Tensor adaptive_max_pool1d(In x, const Shape& output_size);  // of equal numbers the first gets the gradient
Tensor adaptive_max_pool2d(In x, const Shape& output_size);
Tensor adaptive_max_pool3d(In x, const Shape& output_size);

// MaxPool1d, AvgPool1d, AdaptiveAvgPool1d, AdaptiveMaxPool1d; of two axes, and of three: nn::MaxPool2d(2), nn::MaxPool2d(3, {.stride = 2}).
#define XGRAD_POOLS(axes)                                                                                             \
  struct MaxPool##axes##d {                                                                                           \
    Shape kernel_size;                                                                                                \
    MaxPoolOptions options;                                                                                           \
    explicit MaxPool##axes##d(const Shape& kernel, const MaxPoolOptions& o = {}) : kernel_size(kernel), options(o) {} \
    template <class T>                                                                                                \
    explicit MaxPool##axes##d(const T (&kernel)[1], const MaxPoolOptions& o = {})                                     \
        : MaxPool##axes##d(Shape(kernel[0]), o) {}                                                                    \
    Tensor operator()(In x) const;                                                                                    \
    XGRAD_FIELDS()                                                                                                    \
  };                                                                                                                  \
  struct AvgPool##axes##d {                                                                                           \
    Shape kernel_size;                                                                                                \
    AvgPoolOptions options;                                                                                           \
    explicit AvgPool##axes##d(const Shape& kernel, const AvgPoolOptions& o = {}) : kernel_size(kernel), options(o) {} \
    template <class T>                                                                                                \
    explicit AvgPool##axes##d(const T (&kernel)[1], const AvgPoolOptions& o = {})                                     \
        : AvgPool##axes##d(Shape(kernel[0]), o) {}                                                                    \
    Tensor operator()(In x) const;                                                                                    \
    XGRAD_FIELDS()                                                                                                    \
  };                                                                                                                  \
  struct AdaptiveAvgPool##axes##d {                                                                                   \
    Shape output_size;                                                                                                \
    explicit AdaptiveAvgPool##axes##d(const Shape& size) : output_size(size) {}                                       \
    template <class T>                                                                                                \
    explicit AdaptiveAvgPool##axes##d(const T (&size)[1]) : output_size(size[0]) {}                                   \
    Tensor operator()(In x) const;                                                                                    \
    XGRAD_FIELDS()                                                                                                    \
  };                                                                                                                  \
  struct AdaptiveMaxPool##axes##d {                                                                                   \
    Shape output_size;                                                                                                \
    explicit AdaptiveMaxPool##axes##d(const Shape& size) : output_size(size) {}                                       \
    template <class T>                                                                                                \
    explicit AdaptiveMaxPool##axes##d(const T (&size)[1]) : output_size(size[0]) {}                                   \
    Tensor operator()(In x) const;                                                                                    \
    XGRAD_FIELDS()                                                                                                    \
  };
XGRAD_POOLS(1)
XGRAD_POOLS(2)
XGRAD_POOLS(3)
#undef XGRAD_POOLS

}  // namespace xgrad::nn

#pragma GCC visibility pop
