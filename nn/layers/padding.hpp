// Padding: what stands around an image. Names and orders as torch.nn has them.
#pragma once

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// zeros       or one number
// reflect     what lies inside of the border, mirrored in its outermost number: c b | a b c | b a
// replicate   the outermost number again: a a | a b c | c c
// circular    the other end: b c | a b c | a b
enum class PaddingMode { zeros, reflect, replicate, circular };

struct PadOptions {
  PaddingMode mode = PaddingMode::zeros;
  double value = 0;  // of the mode zeros: another number instead
};

// x with more numbers around it, of any dtype. padding: how many in front and behind, along the last axis, then along the one
// before it, and so on: {left, right, top, bottom}. Negative ones, of the mode zeros, cut off. A reflection needs more numbers than
// it adds, the circular mode as many; what does not fit is an Error.
Tensor pad(In x, const Shape& padding, PadOptions options = {});

// What the layers below have in common; x has one axis of channels, or any before those that are padded.
struct PaddingLayer {
  Shape padding;  // {left, right, top, bottom, front, back}
  PadOptions options;
  Tensor operator()(In x) const;
  XGRAD_FIELDS()

 protected:
  PaddingLayer(int axes, const char* name, const Shape& padding, PadOptions options, Source source);
  const char* name_;
};

// Of one axis, two or three. padding: one number for all sides, or one for each.
#define XGRAD_PADDING_LAYER(Name, axes, mode)                                                         \
  struct Name : PaddingLayer {                                                                        \
    explicit Name(const Shape& all, Source source = Source::here())                                   \
        : PaddingLayer(axes, #Name, all, {PaddingMode::mode}, source) {}                              \
    template <class T>                                                                                \
    explicit Name(const T (&all)[1], Source source = Source::here()) : Name(Shape(all[0]), source) {} \
  };
XGRAD_PADDING_LAYER(ZeroPad1d, 1, zeros)
XGRAD_PADDING_LAYER(ZeroPad2d, 2, zeros)
XGRAD_PADDING_LAYER(ZeroPad3d, 3, zeros)
XGRAD_PADDING_LAYER(ReflectionPad1d, 1, reflect)
XGRAD_PADDING_LAYER(ReflectionPad2d, 2, reflect)
XGRAD_PADDING_LAYER(ReflectionPad3d, 3, reflect)
XGRAD_PADDING_LAYER(ReplicationPad1d, 1, replicate)
XGRAD_PADDING_LAYER(ReplicationPad2d, 2, replicate)
XGRAD_PADDING_LAYER(ReplicationPad3d, 3, replicate)
XGRAD_PADDING_LAYER(CircularPad1d, 1, circular)
XGRAD_PADDING_LAYER(CircularPad2d, 2, circular)
XGRAD_PADDING_LAYER(CircularPad3d, 3, circular)
#undef XGRAD_PADDING_LAYER

struct ConstantPad1d : PaddingLayer {
  ConstantPad1d(const Shape& all, double value, Source source = Source::here())
      : PaddingLayer(1, "ConstantPad1d", all, {.value = value}, source) {}
};
struct ConstantPad2d : PaddingLayer {
  ConstantPad2d(const Shape& all, double value, Source source = Source::here())
      : PaddingLayer(2, "ConstantPad2d", all, {.value = value}, source) {}
};
struct ConstantPad3d : PaddingLayer {
  ConstantPad3d(const Shape& all, double value, Source source = Source::here())
      : PaddingLayer(3, "ConstantPad3d", all, {.value = value}, source) {}
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
