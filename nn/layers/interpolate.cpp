// Numbers between pixels: each mode is a few taps along one axis, and then along the next.
#include <fmt/format.h>

#include <cmath>
#include <vector>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/layers/pooling.hpp>
#include <xgrad/nn/layers/shapes.hpp>

namespace xgrad::nn {
namespace {

// A number of x for each of y along an axis, and its weight; no weights: 1
struct Tap {
  std::vector<Size> from;
  std::vector<double> weight;
};

// x's place for place i of y, and how many of x's numbers there are to one of y's
struct Places {
  Size in, out;
  double scale;
  bool align_corners;
  double operator()(Size i) const {
    const auto place = static_cast<double>(i);
    return align_corners ? place * scale : (place + 0.5) * scale - 0.5;
  }
};

std::vector<Tap> taps_of(const Places& places, Interpolation mode) {
  std::vector<Tap> taps(mode == Interpolation::bicubic ? 4 : mode == Interpolation::linear ? 2 : 1);
  const auto inside = [&](Size i) { return std::min(std::max<Size>(i, 0), places.in - 1); };
  const auto add = [&](std::size_t tap, Size from, double weight) {
    taps[tap].from.push_back(inside(from)), taps[tap].weight.push_back(weight);
  };
  for (Size i = 0; i < places.out; ++i) {
    if (mode == Interpolation::linear) {
      const double at = std::max(places(i), 0.0), low = std::floor(at);
      add(0, static_cast<Size>(low), 1 - (at - low)), add(1, static_cast<Size>(low) + 1, at - low);
    } else if (mode == Interpolation::bicubic) {
      constexpr double a = -0.75;
      const double at = places(i), low = std::floor(at), t = at - low;
      const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };       // |d| <= 1
      const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };  // 1 < |d| < 2
      const auto first = static_cast<Size>(low);
      add(0, first - 1, far(t + 1)), add(1, first, near(t)), add(2, first + 1, near(1 - t)),
          add(3, first + 2, far(2 - t));
    } else {  // PyTorch finds it in f32
      const auto scale = static_cast<float>(places.scale);
      const float at = (static_cast<float>(i) + (mode == Interpolation::nearest_exact ? 0.5f : 0.0f)) * scale;
      taps[0].from.push_back(inside(static_cast<Size>(std::floor(at))));
    }
  }
  return taps;
}

Tensor along(const Tensor& x, int axis, const Places& places, Interpolation mode) {
  const bool nearest = mode == Interpolation::nearest || mode == Interpolation::nearest_exact;
  Shape shape = x.shape();
  if (nearest && places.out % places.in == 0 &&
      places.scale * static_cast<double>(places.out) == static_cast<double>(places.in)) {
    shape[axis] = places.out;  // each number so many times
    Shape times = x.shape();
    times.insert(axis + 1, places.out / places.in);
    return reshape(expand(unsqueeze(x, axis + 1), times), shape);
  }
  Tensor y;
  for (const Tap& tap : taps_of(places, mode)) {
    Tensor term = index_select(x, axis, tensor(tap.from));
    if (!tap.weight.empty()) {
      Shape weights{places.out};
      for (int i = axis + 1; i < x.dim(); ++i) weights.push_back(1);
      term = term * cast(tensor(tap.weight, weights), x.dtype());
    }
    y = y.defined() ? y + term : term;
  }
  return y;
}

}  // namespace

Tensor interpolate(In x_in, const InterpolateOptions& o) try {
  const Located at(x_in, "interpolate");
  const Source source = line_of(x_in);
  const Tensor x = x_in;
  if (!x.defined()) fail(source.named("interpolate"), "expected numbers, got an empty tensor; give it a value first");
  const int axes = x.dim() - 2;
  if (axes < 1 || axes > 3)
    fail(source.named("interpolate"), "expected x [batch, channels, ...] with one to three axes more, got the shape {}",
         x.shape());
  const bool nearest = o.mode == Interpolation::nearest || o.mode == Interpolation::nearest_exact;
  if (!nearest && !is_float(x.dtype()))
    fail(source.named("interpolate"), "expected floats, got {}; cast first: cast(x, f32)", name(x.dtype()));
  if (o.align_corners && (nearest || o.mode == Interpolation::area))
    fail(source.named("interpolate"), "align_corners is for linear and bicubic, which have numbers between pixels");
  if (o.mode == Interpolation::bicubic && axes != 2)
    fail(source.named("interpolate"), "bicubic is for images of two axes, got the shape {}", x.shape());
  const std::vector<double>& factors = o.scale_factor.list();
  if (o.size.empty() == factors.empty())
    fail(source.named("interpolate"), "expected a size or a scale_factor, and not both");
  const std::size_t given = factors.empty() ? o.size.size() : factors.size();
  if (given != 1 && given != static_cast<std::size_t>(axes))
    fail(source.named("interpolate"), "expected one size or scale_factor for all axes, or one for each of {}, got {}",
         axes, given);
  std::vector<Places> places;
  Shape size;
  for (int axis = 0; axis < axes; ++axis) {
    const Size in = x.shape()[axis + 2];
    double out = 0, factor = 0;
    if (factors.empty()) {
      out = static_cast<double>(o.size[given == 1 ? 0 : axis]);
    } else {
      factor = factors[given == 1 ? 0 : static_cast<std::size_t>(axis)];
      out = std::floor(static_cast<double>(in) * factor);
    }
    if (!(out >= 1 && out < 0x1p31) || in == 0)
      fail(source.named("interpolate"), "expected an image, and a result, with numbers along axis {}, got {} and {}",
           axis + 2, in, out);
    Places p{in, static_cast<Size>(out), 0, o.align_corners && !nearest};
    if (p.align_corners) p.scale = p.out > 1 ? static_cast<double>(in - 1) / (out - 1) : 0;
    else p.scale = factor > 0 ? 1 / factor : static_cast<double>(in) / out;
    places.push_back(p);
    size.push_back(p.out);
  }
  if (o.mode == Interpolation::area)
    return axes == 1   ? adaptive_avg_pool1d(x, size)
           : axes == 2 ? adaptive_avg_pool2d(x, size)
                       : adaptive_avg_pool3d(x, size);
  Tensor y = x;
  for (int axis = 0; axis < axes; ++axis) {
    const Places& p = places[static_cast<std::size_t>(axis)];
    // As in PyTorch an axis that stays as long is copied, whatever the factor; but by nearest and bicubic the factor counts.
    if (p.in != p.out || (p.scale != 1 && o.mode != Interpolation::linear)) y = along(y, axis + 2, p, o.mode);
  }
  return y;
} catch (const std::bad_alloc&) {
  fail_no_memory(line_of(x_in), "interpolate");
}

Tensor Upsample::operator()(In x) const {
  const Located at(x, "Upsample");
  return interpolate(x, options);
}

}  // namespace xgrad::nn
