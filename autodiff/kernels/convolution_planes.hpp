// How an image is laid out for a convolution: planes of numbers that are a stride apart, where taps are offsets.
#pragma once

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "autodiff/kernels/convolution.hpp"
#include "autodiff/kernels/simd.hpp"

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

// Channels of x, phase by phase, into planes whose margins are zeros already.
template <class T>
void lay_out_x(const Lines& l, const Planes& p, const T* x, Size channels, T* to) {
  const Size rows = l[1].image, row = l[2].image;
  for (Size c = 0; c < channels; ++c, x += l[0].image * rows * row)
    l.each_phase([&](Size f0, Size f1, Size f2) {
      const Size phase[axes] = {f0, f1, f2};
      Size first[axes], count[axes];
      for (int i = 0; i < axes; ++i) {
        first[i] = l[i].first(phase[i], p.extent[i]);
        count[i] = std::max<Size>(0, l[i].end(phase[i], p.extent[i]) - first[i]);
      }
      if (product(count) == 0) return void(to += p.size());
      const auto number = [&](int i) { return first[i] * l[i].stride + l[i].offset(phase[i]); };  // of the image
      const Size step = l[2].stride;
      for (Size z = 0; z < count[0]; ++z) {
        const T* from = x + ((number(0) + z * l[0].stride) * rows + number(1)) * row + number(2);
        T* lines = to + p.at(first[0] + z, first[1], first[2]);
        if (step == 1) {
          simd().take_lines[sizeof(T) == 8](from, l[1].stride * row, count[1], count[2], nullptr, lines, p.extent[2]);
          continue;
        }
        for (Size y = 0; y < count[1]; ++y)
          for (Size i = 0; i < count[2]; ++i) lines[y * p.extent[2] + i] = from[y * l[1].stride * row + i * step];
      }
      to += p.size();
    });
}

// Channels of y, into planes whose margins, as wide as taps reach, are zeros already.
template <class T>
void lay_out_y(const Lines& l, const Planes& p, const T* y, Size channels, T* to) {
  const Size rows = l[1].result, row = l[2].result;
  for (Size c = 0; c < channels; ++c, to += p.size())
    for (Size z = 0; z < l[0].result; ++z, y += rows * row)
      simd().take_lines[sizeof(T) == 8](y, row, rows, row, nullptr, to + p.at(l[0].reach + z, l[1].reach, l[2].reach),
                                        p.extent[2]);
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

// What a worker lays images out in, one after the other: zeros when it begins, so that margins are zeros and stay so.
template <class T>
class Laid {
 public:
  Laid(Memory& memory, int workers, Size numbers)
      : numbers_(numbers), planes_(memory.take<T>(workers * numbers)), begun_(memory.take<bool>(workers)) {
    std::fill_n(begun_, workers, false);
  }
  T* of(int worker) const {
    T* own = planes_ + worker * numbers_;
    if (!std::exchange(begun_[worker], true)) std::memset(own, 0, static_cast<std::size_t>(numbers_) * sizeof(T));
    return own;
  }

 private:
  Size numbers_;
  T* planes_;
  bool* begun_;
};

}  // namespace

}  // namespace xgrad::kernels
