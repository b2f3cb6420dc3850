// What convolutions and pools share: how a window goes over an image, of one to three axes.
#pragma once

#include "autodiff/kernels/convolution.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

// What the ops are told. Fewer axes are filled up in front. What else they need is in the shapes of operands and result.
struct Window : Told {
  // In memory of the pool, so that a step asks the system for none; an Error of `op` where there is none.
  static void* operator new(std::size_t bytes, const char* op, Source source);
  static void operator delete(void* memory) noexcept;
  static void operator delete(void* memory, const char*, Source) noexcept { operator delete(memory); }

  static constexpr int most_axes = kernels::Convolution::axes;
  int axes = 0;
  Size groups = 1;                     // of a convolution
  Size kernel[most_axes] = {1, 1, 1};  // of a pool
  Size stride[most_axes] = {1, 1, 1}, padding[most_axes] = {0, 0, 0}, dilation[most_axes] = {1, 1, 1};

  int place(int axis) const { return axis + most_axes - axes; }
};

// One number for all axes, or one an axis, each `least` or more.
void set_per_axis(Size (&to)[Window::most_axes], const Window& w, const Shape& numbers, Size least, const char* what,
                  const char* op, Source source);

// How many windows there are along an axis of an image; an Error where the first reaches past the padded image.
Size windows_along(const Window& w, int axis, Size image, Size kernel, bool ceil_mode, const char* op, Source source);

Tensor convolved(Op op, const Tensor& x, const Tensor& y, const Tensor& bias, const Shape& shape,
                 const Ref<const Told>& window, const char* name, Source source);

// An image as [batch, channels, ...]; a single one has a batch of one.
struct Images {
  Tensor x;
  bool single;
  Tensor result(const Tensor& y) const { return single ? squeeze(y, 0) : y; }
  Shape given() const {  // its shape, as the user knows it
    Shape shape = x.shape();
    if (single) shape.erase(0);
    return shape;
  }
};
Images images_of(const Tensor& x, int axes, const char* op, Source source);

}  // namespace xgrad::engine
