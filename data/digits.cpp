#include <xgrad/data/digits.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <xgrad/autodiff/memory.hpp>
#include "data/checks.hpp"
#include <xgrad/data/random.hpp>

namespace xgrad::data {
namespace {

struct Point {
  float x, y;
};

// The pen's way through each digit, in a box of 4 x 6 with (0, 0) at the top left.
// clang-format off
constexpr Point zero[] = {{2, 0}, {3.4F, .6F}, {4, 2}, {4, 4}, {3.4F, 5.4F}, {2, 6}, {.6F, 5.4F}, {0, 4}, {0, 2}, {.6F, .6F}, {2, 0}};
constexpr Point one[] = {{.8F, 1.4F}, {2.2F, 0}, {2.2F, 6}};
constexpr Point two[] = {{0, 1.5F}, {.7F, .3F}, {2, 0}, {3.4F, .4F}, {3.8F, 1.7F}, {3.2F, 3}, {0, 6}, {4, 6}};
constexpr Point three[] = {{.2F, .4F}, {2, 0}, {3.5F, .5F}, {3.5F, 2.2F}, {1.6F, 2.9F}, {3.5F, 3.5F}, {3.9F, 4.7F}, {3, 5.8F}, {1.5F, 6}, {0, 5.4F}};
constexpr Point four[] = {{3, 6}, {3, 0}, {0, 4}, {4, 4}};
constexpr Point five[] = {{3.7F, 0}, {.5F, 0}, {.3F, 2.7F}, {2, 2.2F}, {3.6F, 2.9F}, {4, 4.2F}, {3.2F, 5.6F}, {1.6F, 6}, {0, 5.4F}};
constexpr Point six[] = {{3.4F, .2F}, {1.4F, 1.2F}, {.2F, 3.2F}, {.2F, 4.8F}, {1.2F, 6}, {2.8F, 6}, {3.8F, 4.8F}, {3.4F, 3.4F}, {2, 2.8F}, {.6F, 3.4F}};
constexpr Point seven[] = {{0, 0}, {4, 0}, {1.5F, 6}};
constexpr Point eight[] = {{2, 2.8F}, {.6F, 2}, {.6F, .7F}, {2, 0}, {3.4F, .7F}, {3.4F, 2}, {2, 2.8F}, {.3F, 3.8F}, {.3F, 5.2F}, {2, 6}, {3.7F, 5.2F}, {3.7F, 3.8F}, {2, 2.8F}};
constexpr Point nine[] = {{3.6F, 2.4F}, {2.4F, 3.2F}, {.8F, 2.9F}, {.2F, 1.6F}, {.8F, .4F}, {2.2F, 0}, {3.4F, .6F}, {3.6F, 2.4F}, {3.2F, 4.6F}, {2, 6}};
// clang-format on
constexpr std::span<const Point> strokes[] = {zero, one, two, three, four, five, six, seven, eight, nine};

// Distance of a point from a stroke.
float distance(Point p, Point a, Point b) {
  const float dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
  const float t = length2 > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length2, 0.0F, 1.0F) : 0.0F;
  return std::hypot(p.x - (a.x + t * dx), p.y - (a.y + t * dy));
}

// One image: the strokes moved, sized and slanted by chance, then ink where a pixel is near one.
void draw(float* image, Size side, std::span<const Point> stroke, const DigitOptions& o, Random& random) {
  const auto vary = [&](double range) { return static_cast<float>(o.wobble * random.uniform(-range, range)); };
  const float unit = static_cast<float>(side) / 9 * (1 + vary(0.15));
  const float slant = vary(0.25), thick = unit * (0.55F + vary(0.15));
  const float left = (static_cast<float>(side) - 4 * unit) / 2 + vary(0.08) * static_cast<float>(side);
  const float top = (static_cast<float>(side) - 6 * unit) / 2 + vary(0.08) * static_cast<float>(side);
  std::vector<Point> placed;
  for (const Point p : stroke) placed.push_back({left + unit * (p.x + slant * (3 - p.y)), top + unit * p.y});
  for (Size y = 0; y < side; ++y)
    for (Size x = 0; x < side; ++x) {
      const Point pixel{static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F};
      float nearest = static_cast<float>(2 * side);
      for (std::size_t i = 1; i < placed.size(); ++i)
        nearest = std::min(nearest, distance(pixel, placed[i - 1], placed[i]));
      const float ink = std::clamp(thick - nearest + 0.5F, 0.0F, 1.0F);
      *image++ = std::clamp(ink + static_cast<float>(o.noise * random.normal()), 0.0F, 1.0F);
    }
}

}  // namespace

Dataset digits(DigitOptions o, Source source) {
  constexpr Size classes = 10, least_side = 4, most_side = 256;
  const Size n = checked_count("digits", classes, o.images_per_class, source);
  check_noise("digits", o.noise, source);
  if (!(o.wobble >= 0) || o.wobble > 1) fail(source.named("digits"), "expected a wobble in [0, 1], got {}", o.wobble);
  if (o.side < least_side || o.side > most_side)
    fail(source.named("digits"), "expected a side of {} ... {}, got {}", least_side, most_side, o.side);
  Random random = Random::from(o.seed);
  Dataset made;
  made.inputs = filled(
      Shape{n, o.side * o.side}, f32,
      [&](void* memory) {
        float* image = static_cast<float*>(memory);
        for (Size i = 0; i < n; ++i, image += o.side * o.side) draw(image, o.side, strokes[i % classes], o, random);
      },
      source, "digits");
  made.labels = cycling_labels("digits", n, classes, source);
  return made;
}

}  // namespace xgrad::data
