// Convolutions and their two transposes, of f32 or f64, of up to three axes.
#pragma once

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::kernels {

//   y[n][o][p] = sum over c and k of  w[o][c][k] x[n][c][stride p + dilation k - padding]
// p and k go over all axes, o and c over the channels of one of `groups` groups; x is 0 outside of its extents. All are
// row-major. What has fewer axes has others of extent 1 in front.
struct Convolution {
  static constexpr int axes = 3;
  Size images, groups, in, out;  // in, out: channels of x and of y, of one group
  Size image[axes], kernel[axes], result[axes], stride[axes], padding[axes], dilation[axes];
};

// Which of x, w and y is made from the others.
enum class Convolved : std::uint8_t { y, x, w };

// The bytes of memory that it takes besides its result, on as many threads as there are; -1: more than there can be.
Size convolution_memory(DType dtype, const Convolution& c, Convolved which);

// The same bits whatever the number of threads. `bias`: a number for each channel, which is added; null: none.
void convolve(DType dtype, const Convolution& c, const void* x, const void* w, const void* bias, void* y, char* memory);
// The transpose in x: where y is a cotangent, that of x.
void convolve_to_x(DType dtype, const Convolution& c, const void* y, const void* w, const void* bias, void* x,
                   char* memory);
// The transpose in w: the cotangent of w. Sums over positions and images are of pieces, which are added in f64.
void convolve_to_w(DType dtype, const Convolution& c, const void* x, const void* y, void* w, char* memory);

}  // namespace xgrad::kernels
