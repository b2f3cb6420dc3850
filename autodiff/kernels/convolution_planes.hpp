// How an image is laid out for a convolution: planes of numbers that are a stride apart, where taps are offsets.
#pragma once

#include <algorithm>
#include <cstring>
#include <numeric>

#include "autodiff/kernels/convolution.hpp"

namespace xgrad::kernels {

namespace {

constexpr int axes = Convolution::axes;
Size product(const Size (&extents)[axes]) { return extents[0] * extents[1] * extents[2]; }

template <class F>
void with_floats(DType dtype, const F& f) {
  if (dtype == DType::f32) f(float{});
  else f(double{});
}

// One axis: tap i reads the image at stride p + phase + stride at(i) - padding.
struct Line {
  Size image, kernel, result, stride, padding, dilation;
  Size period;  // tap i has the phase of tap i % period
  Size phases;  // that there are
  Size reach;   // the last at()

  Line(const Convolution& c, int axis)
      : image(c.image[axis]),
        kernel(c.kernel[axis]),
        result(c.result[axis]),
        stride(c.stride[axis]),
        padding(c.padding[axis]),
        dilation(c.dilation[axis]),
        period(stride / std::gcd(stride, dilation)),
        phases(std::min(kernel, period)),
        reach((kernel - 1) * dilation / stride) {}
  Size offset(Size phase) const {
    return phase * dilation % stride - padding;
  }  // of a plane's first number in the image
  Size at(Size tap) const { return tap * dilation / stride; }
  Size taps(Size phase) const { return (kernel - phase + period - 1) / period; }
  // Number i of a plane is number stride i + offset(phase) of the image; which of the first `length` are there.
  Size first(Size phase, Size length) const {
    const Size from = offset(phase);
    return std::min(length, from < 0 ? (stride - 1 - from) / stride : 0);
  }
  Size end(Size phase, Size length) const {
    const Size left = image - offset(phase);
    return left <= 0 ? 0 : std::min(length, (left + stride - 1) / stride);
  }
  bool inside(Size phase, Size i) const {
    const Size at = stride * i + offset(phase);
    return at >= 0 && at < image;
  }
};

struct Lines {
  Line of[axes];
  explicit Lines(const Convolution& c) : of{{c, 0}, {c, 1}, {c, 2}} {}
  const Line& operator[](int axis) const { return of[axis]; }

  // f(f0, f1, f2) of every phase
  template <class F>
  void each_phase(const F& f) const {
    for (Size f0 = 0; f0 < of[0].phases; ++f0)
      for (Size f1 = 0; f1 < of[1].phases; ++f1)
        for (Size f2 = 0; f2 < of[2].phases; ++f2) f(f0, f1, f2);
  }
};

// The planes of one channel of what is read.
struct Planes {
  Size extent[axes], count;
  Size size() const { return product(extent); }
  Size channel() const { return count * size(); }
  Size at(Size z, Size y, Size x) const { return (z * extent[1] + y) * extent[2] + x; }
};
Planes planes_of_x(const Lines& l) {
  return {{l[0].result + l[0].reach, l[1].result + l[1].reach, l[2].result + l[2].reach},
          l[0].phases * l[1].phases * l[2].phases};
}
Planes planes_of_y(const Lines& l) {
  return {{l[0].result + 2 * l[0].reach, l[1].result + 2 * l[1].reach, l[2].result + 2 * l[2].reach}, 1};
}

template <class T>
void zeros(T* to, Size n) {
  std::memset(to, 0, static_cast<std::size_t>(n) * sizeof(T));
}

// Channels of x, phase by phase, with their padding.
template <class T>
void lay_out_x(const Lines& l, const Planes& p, const T* x, Size channels, T* to) {
  const Size rows = l[1].image, row = l[2].image;
  for (Size c = 0; c < channels; ++c, x += l[0].image * rows * row)
    l.each_phase([&](Size f0, Size f1, Size f2) {
      const Size first = l[2].first(f2, p.extent[2]), end = std::max(first, l[2].end(f2, p.extent[2]));
      const Size from = l[2].offset(f2), step = l[2].stride;
      for (Size z = 0; z < p.extent[0]; ++z)
        for (Size y = 0; y < p.extent[1]; ++y, to += p.extent[2]) {
          if (first == end || !l[0].inside(f0, z) || !l[1].inside(f1, y)) {
            zeros(to, p.extent[2]);
            continue;
          }
          const T* line = x + ((z * l[0].stride + l[0].offset(f0)) * rows + y * l[1].stride + l[1].offset(f1)) * row +
                          from + first * step;
          zeros(to, first);
          if (step == 1) std::memcpy(to + first, line, static_cast<std::size_t>(end - first) * sizeof(T));
          else
            for (Size i = first; i < end; ++i) to[i] = line[(i - first) * step];
          zeros(to + end, p.extent[2] - end);
        }
    });
}

// Channels of y, with a margin of zeros as wide as taps reach.
template <class T>
void lay_out_y(const Lines& l, const Planes& p, const T* y, Size channels, T* to) {
  zeros(to, channels * p.size());
  const Size row = l[2].result;
  for (Size c = 0; c < channels; ++c, to += p.size())
    for (Size i = 0; i < l[0].result; ++i)
      for (Size j = 0; j < l[1].result; ++j, y += row)
        std::memcpy(to + p.at(l[0].reach + i, l[1].reach + j, l[2].reach), y,
                    static_cast<std::size_t>(row) * sizeof(T));
}

// Numbers of a type in the memory, one after the other.
class Memory {
 public:
  explicit Memory(char* at) : at_(at) {}
  template <class T>
  T* take(Size n) {
    T* taken = reinterpret_cast<T*>(at_);
    at_ += bytes<T>(n);
    return taken;
  }
  template <class T>
  static Size bytes(Size n) {
    return (n * static_cast<Size>(sizeof(T)) + 63) / 64 * 64;
  }

 private:
  char* at_;
};

}  // namespace

}  // namespace xgrad::kernels
