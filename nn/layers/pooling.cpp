#include <xgrad/nn/layers/pooling.hpp>

#include <fmt/format.h>

#include <vector>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {
namespace {

// The windows along one axis.
struct Windows {
  Size in, out;
  Size first(Size i) const { return i * in / out; }
  Size count(Size i) const { return ((i + 1) * in + out - 1) / out - first(i); }
  bool even() const { return out > 0 && in % out == 0; }
};

// For each result the numbers of its window, row by row; the first one again where a window has fewer than others.
struct Places {
  Tensor index;         // [results, taps]
  Tensor kept, counts;  // whether a tap is one of the window; and how many are: [results, taps] of booleans, [results]
  Size results, taps;
};

Places places_of(const std::vector<Windows>& axes) {
  Places p{{}, {}, {}, 1, 1};
  for (const Windows& w : axes) {
    Size most = 0;
    for (Size i = 0; i < w.out; ++i) most = std::max(most, w.count(i));
    p.results *= w.out, p.taps *= most;
  }
  std::vector<Size> index, counts;
  std::vector<bool> kept;
  for (Size r = 0; r < p.results; ++r) {
    std::vector<Size> window{0};
    Size rest = r, results = p.results;
    for (const Windows& w : axes) {
      results /= w.out;
      const Size i = rest / results;
      rest %= results;
      std::vector<Size> wider;
      for (const Size before : window)
        for (Size k = 0; k < w.count(i); ++k) wider.push_back(before * w.in + w.first(i) + k);
      window = wider;
    }
    const Size n = static_cast<Size>(window.size());
    counts.push_back(n);
    for (Size k = 0; k < p.taps; ++k)
      index.push_back(window[static_cast<std::size_t>(k < n ? k : 0)]), kept.push_back(k < n);
  }
  p.index = tensor(index, {p.results, p.taps});
  p.kept = tensor(kept, {p.results, p.taps});
  p.counts = tensor(counts);
  return p;
}

// Means of windows along one axis of x, then along the next.
Tensor means_of(Tensor x, const std::vector<Windows>& axes) {
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const int axis = x.dim() - static_cast<int>(axes.size() - k);
    const Places p = places_of({axes[k]});
    Shape apart = x.shape(), of_taps, of_windows;
    for (int i = 0; i < apart.rank(); ++i) of_windows.push_back(i == axis ? p.results : 1);
    apart[axis] = p.results;
    apart.insert(axis + 1, p.taps);
    for (int i = 0; i < apart.rank(); ++i) of_taps.push_back(i == axis || i == axis + 1 ? apart[i] : 1);
    const Tensor taken = reshape(index_select(x, axis, reshape(p.index, {-1})), apart);
    const Tensor counts = reshape(cast(p.counts, x.dtype()), of_windows);
    x = sum(where(reshape(p.kept, of_taps), taken, 0.0), axis + 1) / counts;
  }
  return x;
}

Tensor adaptive(int axes, const char* name, const In& x_in, const Shape& output_size, bool greatest) try {
  const Located at(x_in, name);
  const Source source = line_of(x_in);
  const Tensor x = x_in;
  if (!x.defined()) fail(source.named(name), "expected numbers, got an empty tensor; give it a value first");
  if (x.dim() != axes + 1 && x.dim() != axes + 2)
    fail(source.named(name),
         "expected x with {} axes of the image, one of channels and perhaps one of examples, got the shape {}", axes,
         x.shape());
  if (output_size.rank() != 1 && output_size.rank() != axes)
    fail(source.named(name), "expected one output_size for all axes, or one for each of {}, got {}", axes, output_size);
  if (greatest ? x.dtype() == boolean : !is_float(x.dtype()))
    fail(source.named(name), "expected {}, got {}; cast first: cast(x, f32)", greatest ? "numbers" : "floats",
         xgrad::name(x.dtype()));
  Shape shape = x.shape(), kernel;
  std::vector<Windows> windows;
  bool even = true;
  Size of_image = 1, planes = 1;
  for (int i = 0; i < x.dim(); ++i) {
    const int axis = i - (x.dim() - axes);
    if (axis < 0) {
      planes *= shape[i];
      continue;
    }
    const Size size = output_size[output_size.rank() == 1 ? 0 : axis], in = shape[i];
    if (size < -1)
      fail(source.named(name), "expected an output_size of 0 or more, or -1 for x's own extent, got {}", size);
    if (in == 0) fail(source.named(name), "expected an image with numbers, got the shape {}", x.shape());
    const Windows w{in, size == -1 ? in : size};
    windows.push_back(w);
    even &= w.even();
    kernel.push_back(w.even() ? in / w.out : 1);
    of_image *= in;
    shape[i] = w.out;
  }
  if (even) {
    if (greatest) return axes == 1 ? max_pool1d(x, kernel) : axes == 2 ? max_pool2d(x, kernel) : max_pool3d(x, kernel);
    return axes == 1 ? avg_pool1d(x, kernel) : axes == 2 ? avg_pool2d(x, kernel) : avg_pool3d(x, kernel);
  }
  constexpr Size most = 0x7fffffff;  // results of an image
  Size results = 1;
  for (const Windows& w : windows)
    if (__builtin_mul_overflow(results, w.out, &results) || results > most)
      fail(source.named(name), "an output_size of {} is too large", output_size);
  if (!greatest) return means_of(x, windows);
  const Places p = places_of(windows);
  const Tensor flat = reshape(x, {planes, of_image});
  const Tensor taken = reshape(index_select(flat, 1, reshape(p.index, {-1})), {planes, p.results, p.taps});
  if (p.results == 0) return reshape(sum(taken, 2), shape);
  const Tensor place = argmax(taken, 2, true);
  const Tensor index = gather(expand(unsqueeze(p.index, 0), {planes, p.results, p.taps}), 2, place);
  return reshape(gather(flat, 1, reshape(index, {planes, p.results})), shape);
} catch (const std::bad_alloc&) {
  fail_no_memory(line_of(x_in), name);
}

}  // namespace

#define POOLS(axes)                                                              \
  Tensor adaptive_avg_pool##axes##d(In x, const Shape& output_size) {            \
    return adaptive(axes, "adaptive_avg_pool" #axes "d", x, output_size, false); \
  }                                                                              \
  Tensor adaptive_max_pool##axes##d(In x, const Shape& output_size) {            \
    return adaptive(axes, "adaptive_max_pool" #axes "d", x, output_size, true);  \
  }                                                                              \
  Tensor MaxPool##axes##d::operator()(In x) const {                              \
    const Located at(x, "MaxPool" #axes "d");                                    \
    return max_pool##axes##d(x, kernel_size, options);                           \
  }                                                                              \
  Tensor AvgPool##axes##d::operator()(In x) const {                              \
    const Located at(x, "AvgPool" #axes "d");                                    \
    return avg_pool##axes##d(x, kernel_size, options);                           \
  }                                                                              \
  Tensor AdaptiveAvgPool##axes##d::operator()(In x) const {                      \
    const Located at(x, "AdaptiveAvgPool" #axes "d");                            \
    return adaptive_avg_pool##axes##d(x, output_size);                           \
  }                                                                              \
  Tensor AdaptiveMaxPool##axes##d::operator()(In x) const {                      \
    const Located at(x, "AdaptiveMaxPool" #axes "d");                            \
    return adaptive_max_pool##axes##d(x, output_size);                           \
  }
POOLS(1)
POOLS(2)
POOLS(3)
#undef POOLS

}  // namespace xgrad::nn
