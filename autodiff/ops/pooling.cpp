// Pools: the greatest of each window, and its mean.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <type_traits>
#include <xgrad/autodiff/convolution.hpp>

#include "autodiff/kernels/simd.hpp"
#include "autodiff/ops/convolution.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

namespace {

// Along one axis of an image, the taps of window p that are inside: [first, end), and the number that tap 0 reads.
struct Inside {
  Size first, end, from;
  Inside(const Window& w, int i, Size image, Size p) : from(p * w.stride[i] - w.padding[i]) {
    const Size d = w.dilation[i], left = image - from;
    first = 0, end = w.kernel[i];
    if (from >= 0 && d * (end - 1) < left) return;  // all of them, as of most
    first = from < 0 ? std::min(w.kernel[i], (d - 1 - from) / d) : 0;
    end = left <= 0 ? 0 : std::min(w.kernel[i], (left + d - 1) / d);
  }
};

// The geometry of one image: extents, and the windows along the last axis that lie inside of it as a whole, [first,
// last).
struct Planes {
  Size image[3] = {1, 1, 1}, result[3] = {1, 1, 1};
  Size first = 0, last = 0;
  void find_whole(const Window& w) {
    const Size room = image[2] - 1 - w.dilation[2] * (w.kernel[2] - 1) + w.padding[2];
    first = std::min((w.padding[2] + w.stride[2] - 1) / w.stride[2], result[2]);
    last = room < 0 ? first : std::max(first, std::min(room / w.stride[2] + 1, result[2]));
  }
};

// Is v to take the place of best? The first of equals stays, and the first NaN.
template <class T>
bool is_more(T v, T best) {
  return !(v <= best) && best == best;
}

// Where in its image each window's greatest number is.
template <class T>
void greatest_places(const Window& w, const T* x, const Planes& p, Size* places) {
  const Size depth = w.dilation[0] * p.image[1] * p.image[2], height = w.dilation[1] * p.image[2];
  constexpr Size most = 512;
  Size taps[most], n = 0, planes_of_taps = 0, lines_of_taps = 0;
  Size first = p.result[2], last = first;  // what is done side by side
  if constexpr (std::is_floating_point_v<T>)
    if ((p.last - p.first) * static_cast<Size>(sizeof(T)) >= 16 && w.kernel[0] * w.kernel[1] * w.kernel[2] <= most &&
        p.image[0] * p.image[1] * p.image[2] <= std::numeric_limits<std::int32_t>::max())
      first = p.first, last = p.last;
  for (Size p0 = 0; p0 < p.result[0]; ++p0) {
    const Inside z(w, 0, p.image[0], p0);
    for (Size p1 = 0; p1 < p.result[1]; ++p1, places += p.result[2]) {
      const Inside y(w, 1, p.image[1], p1);
      const Size line = (z.from * p.image[1] + y.from) * p.image[2];
      const auto one = [&](Size p2) {
        const Inside i(w, 2, p.image[2], p2);
        Size at = line + z.first * depth + y.first * height + i.from + i.first * w.dilation[2];
        T best = x[at];
        for (Size a = z.first; a < z.end; ++a)
          for (Size b = y.first; b < y.end; ++b)
            for (Size c = i.first; c < i.end; ++c) {
              const Size here = line + a * depth + b * height + i.from + c * w.dilation[2];
              if (is_more(x[here], best)) best = x[here], at = here;
            }
        places[p2] = at;
      };
      for (Size p2 = 0; p2 < first; ++p2) one(p2);
      if constexpr (std::is_floating_point_v<T>)
        if (first < last) {
          const Size begin = z.first * depth + y.first * height;  // of the first tap that is inside
          if (planes_of_taps != z.end - z.first || lines_of_taps != y.end - y.first) {
            planes_of_taps = z.end - z.first, lines_of_taps = y.end - y.first, n = 0;
            for (Size a = 0; a < planes_of_taps; ++a)
              for (Size b = 0; b < lines_of_taps; ++b)
                for (Size c = 0; c < w.kernel[2]; ++c) taps[n++] = a * depth + b * height + c * w.dilation[2];
          }
          const Size from = line + begin + first * w.stride[2] - w.padding[2];
          kernels::simd().greatest[std::is_same_v<T, double>](x + from, w.stride[2], taps, n, last - first, from,
                                                              places + first);
        }
      for (Size p2 = last; p2 < p.result[2]; ++p2) one(p2);
    }
  }
}

}  // namespace

// For each window, the place of its greatest number in the image, row-major.
void compute_max_pool_places(Node* n) {
  const Window& w = told<Window>(n);
  const Tensor x = dense(n->in[0]);
  Planes planes;
  Size of_image = 1, of_result = 1;
  for (int axis = 0; axis < w.axes; ++axis) {
    of_image *= planes.image[w.place(axis)] = n->in[0]->shape[axis + 2];
    of_result *= planes.result[w.place(axis)] = n->shape[axis + 2];
  }
  planes.find_whole(w);
  auto* out = reinterpret_cast<Size*>(allocate(n));
  with_type(n->in[0]->dtype, [&](auto zero) {
    using T = decltype(zero);
    constexpr Size worth_a_job = 1 << 14;  // results
    share_out(n->shape[0] * n->shape[1], std::max<Size>(1, worth_a_job / std::max<Size>(1, of_result)),
              [&](Size first, Size last) {
                for (Size i = first; i < last; ++i)
                  greatest_places(w, x.node()->data.template as<const T>() + i * of_image, planes, out + i * of_result);
              });
  });
  n->data = reinterpret_cast<char*>(out);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::source_of;
using engine::Window;

namespace {

struct Pool {
  engine::Images images;
  Window* window;
  engine::Ref<const engine::Told> told;
  Shape shape;  // of the result
};

template <class Options>
Pool pool_of(int axes, const char* op, const Tensor& x, const Shape& kernel, const Options& options, Source source) {
  const engine::Images images = engine::images_of(x, axes, op, source);
  auto* w = new (op, source) Window;
  Pool pool{images, w, engine::Ref<const engine::Told>(w), {}};
  w->axes = axes;
  engine::set_per_axis(w->kernel, *w, kernel, 1, "kernel", op, source);
  engine::set_per_axis(w->stride, *w, options.stride.empty() ? kernel : options.stride, 1, "stride", op, source);
  engine::set_per_axis(w->padding, *w, options.padding, 0, "padding", op, source);
  if constexpr (requires { options.dilation; })
    engine::set_per_axis(w->dilation, *w, options.dilation, 1, "dilation", op, source);
  const Shape& image = pool.images.x.node()->shape;
  pool.shape = {image[0], image[1]};
  for (int axis = 0; axis < axes; ++axis) {
    const int i = w->place(axis);
    if (w->padding[i] > w->kernel[i] / 2)
      fail(source.named(op), "expected a padding of half of the kernel at most, got {} of {}", w->padding[i],
           w->kernel[i]);
    const Size count = engine::windows_along(*w, axis, image[axis + 2], w->kernel[i], options.ceil_mode, op, source);
    for (Size p = 0; p < count; ++p)
      if (const engine::Inside in(*w, i, image[axis + 2], p); in.first >= in.end)
        fail(source.named(op),
             "window {} along axis {} of the image holds nothing but padding: extent {}, padding {}, kernel {}, "
             "dilation {}",
             p, axis, image[axis + 2], w->padding[i], w->kernel[i], w->dilation[i]);
    pool.shape.push_back(count);
  }
  engine::checked_numel(pool.shape, i64, op, source);
  return pool;
}

// Places are picked as they are computed, and values are gathered from them, so that values differentiate.
Tensor max_pool(int axes, const char* op, const In& x, const Shape& kernel, const MaxPoolOptions& options) {
  const Source source = source_of(x);
  const Tensor t = operand(x, op);
  const Located at(source, op);
  if (t.node()->dtype == boolean) fail(source.named(op), "expected numbers, got boolean; cast first: cast(x, i64)");
  const Pool pool = pool_of(axes, op, t, kernel, options, source);
  const Shape& image = pool.images.x.node()->shape;
  const Tensor places = engine::record(engine::Op::max_pool_places, i64, pool.shape, {pool.images.x.node()},
                                       {{0, 0, 0, 0}, pool.told}, source);
  Size of_image = 1, of_result = 1, taps = 1;
  for (int axis = 0; axis < axes; ++axis) {
    of_image *= image[axis + 2], of_result *= pool.shape[axis + 2];
    taps *= pool.window->kernel[pool.window->place(axis)];
  }
  const Size planes = image[0] * image[1];
  const Tensor from = engine::reshape_to(pool.images.x, {planes, of_image}, source);
  const Tensor index = engine::reshape_to(places, {planes, of_result}, source);
  const Tensor y = engine::gathered(from, index, 1, taps, source);
  return pool.images.result(engine::reshape_to(y, pool.shape, source));
}

// How many numbers are counted in each window, along one axis: those that are not cut off, or that are in the image.
// One number where all are alike.
Tensor counts_along(const Pool& pool, int axis, int axes, bool padding_too, DType dtype, Source source) {
  const Window& w = *pool.window;
  const int i = w.place(axis);
  const Size image = pool.images.x.node()->shape[axis + 2], windows = pool.shape[axis + 2];
  const auto count = [&](Size p) {
    const engine::Inside in(w, i, image, p);
    return padding_too ? std::min(w.kernel[i], image + w.padding[i] - in.from) : in.end - in.first;
  };
  bool alike = true;
  for (Size p = 1; p < windows; ++p) alike &= count(p) == count(0);
  if (alike) return full(Shape{}, count(0), dtype);
  Shape shape;
  for (int other = 0; other < axes; ++other) shape.push_back(other == axis ? windows : 1);
  engine::Node* n = engine::new_node(engine::Op::leaf, i64, shape, source);
  const Tensor counts = Tensor::adopt(n);
  auto* out = reinterpret_cast<Size*>(engine::allocate(n, "avg_pool"));
  for (Size p = 0; p < windows; ++p) out[p] = count(p);
  n->data = reinterpret_cast<char*>(out);
  return cast(counts, dtype);
}

// Do the windows lie side by side, within the image?
bool is_tiled(const Pool& pool, int axes) {
  const Window& w = *pool.window;
  for (int axis = 0; axis < axes; ++axis) {
    const int i = w.place(axis);
    if (w.padding[i] != 0 || (w.stride[i] != w.kernel[i] && pool.shape[axis + 2] > 1)) return false;
    if (pool.shape[axis + 2] * w.kernel[i] > pool.images.x.node()->shape[axis + 2]) return false;
  }
  return true;
}

// Of such windows: sums over their rows, then over what is left along the other axes.
Tensor sums_of_tiles(const Pool& pool, int axes, Source source) {
  const Window& w = *pool.window;
  Tensor sums = pool.images.x;
  bool one = true;  // window
  for (int axis = 2; axis < axes + 2; ++axis) {
    const Size kernel = w.kernel[w.place(axis - 2)], windows = pool.shape[axis];
    one &= windows == 1;
    if (windows * kernel < sums.node()->shape[axis])
      sums = engine::slice_at(sums, axis, 0, 1, windows * kernel, source);
  }
  if (one) return engine::sum_over(sums, 2, axes + 2, true, source);
  for (int axis = 2; axis < axes + 2; ++axis) {
    Shape apart = sums.node()->shape;
    apart[axis] = pool.shape[axis];
    apart.insert(axis + 1, w.kernel[w.place(axis - 2)]);
    sums = engine::sum_over(engine::reshape_to(sums, apart, source), axis + 1, axis + 2, false, source);
  }
  return sums;
}

// Sums of windows, divided by how many numbers there were: a convolution with ones, or, where they are larger ones that lie side
// by side, sums over axes.
Tensor avg_pool(int axes, const char* op, const In& x, const Shape& kernel, const AvgPoolOptions& options) {
  const Source source = source_of(x);
  const Tensor t = engine::floats(operand(x, op));
  const Located at(source, op);
  const Pool pool = pool_of(axes, op, t, kernel, options, source);
  Size taps = 1;
  for (int axis = 0; axis < axes; ++axis) taps *= pool.window->kernel[pool.window->place(axis)];
  constexpr Size worth_sums = 8;
  if (taps >= worth_sums && is_tiled(pool, axes))
    return pool.images.result(sums_of_tiles(pool, axes, source) / static_cast<double>(taps));
  const Shape image = pool.images.x.node()->shape;
  Shape plane = image, weight{1, 1}, shape = pool.shape;
  plane[0] = shape[0] = image[0] * image[1];
  plane[1] = shape[1] = 1;
  for (int axis = 0; axis < axes; ++axis) weight.push_back(pool.window->kernel[pool.window->place(axis)]);
  const Tensor sums =
      engine::reshape_to(engine::convolved(engine::Op::convolution, engine::reshape_to(pool.images.x, plane, source),
                                           ones(weight, t.node()->dtype), {}, shape, pool.told, op, source),
                         pool.shape, source);
  Tensor counts = ones(Shape{}, t.node()->dtype);
  for (int axis = 0; axis < axes; ++axis)
    counts = counts * counts_along(pool, axis, axes, options.count_include_pad, t.node()->dtype, source);
  return pool.images.result(sums / counts);
}

}  // namespace

#define POOL(axes)                                                                            \
  Tensor max_pool##axes##d(const In& x, const Shape& kernel, const MaxPoolOptions& options) { \
    return max_pool(axes, "max_pool" #axes "d", x, kernel, options);                          \
  }                                                                                           \
  Tensor avg_pool##axes##d(const In& x, const Shape& kernel, const AvgPoolOptions& options) { \
    return avg_pool(axes, "avg_pool" #axes "d", x, kernel, options);                          \
  }
POOL(1)
POOL(2)
POOL(3)
#undef POOL

}  // namespace xgrad
