#include <xgrad/data/synthetic.hpp>

#include <fmt/core.h>

#include <numbers>

#include <xgrad/autodiff/memory.hpp>
#include "data/checks.hpp"
#include "data/same_bits.hpp"
#include <xgrad/data/random.hpp>

namespace xgrad::data {
namespace {

// `place(k, t)`: where the class k has its point at t in [0, 1].
template <class Place>
Dataset points(const char* op, Size classes, Size per_class, const Place& place, Source source) {
  const Size n = checked_count(op, classes, per_class, source);
  Dataset made;
  made.inputs = filled(
      Shape{n, 2}, f32,
      [&](void* memory) {
        auto* at = static_cast<float*>(memory);
        for (Size i = 0; i < n; ++i) {
          const double t = per_class == 1 ? 0.5
                                          : static_cast<double>(i / classes) /
                                                static_cast<double>(per_class - 1);  // NOLINT(*division)
          const Point p = place(i % classes, t);
          *at++ = static_cast<float>(p.x);
          *at++ = static_cast<float>(p.y);
        }
      },
      source, op);
  made.labels = cycling_labels(op, n, classes, source);
  return made;
}

}  // namespace

// radius = 0.05 + 0.95 t,  angle = 2 pi k / classes + 4 t + noise
Dataset spirals(SpiralOptions options, Source source) {
  check_noise("spirals", options.noise, source);
  Random random = Random::from(options.seed);
  return points(
      "spirals", options.classes, options.points_per_class,
      [&](Size k, double t) {
        const double radius = 0.05 + 0.95 * t;
        const double start = static_cast<double>(k) / static_cast<double>(options.classes);
        const Point at = on_circle(start + (4 * t + options.noise * random.normal()) / (2 * std::numbers::pi));
        return Point{radius * at.x, radius * at.y};
      },
      source);
}

// (cos, sin)(pi t)  and  (1, 0.5) - (cos, sin)(pi t)
Dataset moons(PointOptions options, Source source) {
  check_noise("moons", options.noise, source);
  Random random = Random::from(options.seed);
  return points(
      "moons", 2, options.points_per_class,
      [&](Size k, double t) {
        const auto [c, s] = on_circle(t / 2);
        const double x = k == 0 ? c : 1 - c, y = k == 0 ? s : 0.5 - s;
        return Point{x + options.noise * random.normal(), y + options.noise * random.normal()};
      },
      source);
}

Dataset circles(PointOptions options, Source source) {
  check_noise("circles", options.noise, source);
  Random random = Random::from(options.seed);
  return points(
      "circles", 2, options.points_per_class,
      [&](Size k, double t) {
        const double radius = k == 0 ? 1 : 0.5;
        const Point at = on_circle(t);
        return Point{radius * at.x + options.noise * random.normal(), radius * at.y + options.noise * random.normal()};
      },
      source);
}

}  // namespace xgrad::data
