// Points in the plane, in classes that no straight line separates. Rows go round the classes: 0, 1, 2, 0, 1, 2, ...
// Without a `seed` the numbers come from the thread's generator, so manual_seed decides.
#pragma once

#include <cstdint>
#include <optional>

#include <xgrad/data/dataset.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

// Arms that wind round the origin: radius from 0.05 to 1, over 4 radians (Karpathy, CS231n, "Putting it together").
struct SpiralOptions {
  Size classes = 3;
  Size points_per_class = 100;
  double noise = 0.1;  // standard deviation of the angle, in radians
  std::optional<std::uint64_t> seed = {};
};
Dataset spirals(SpiralOptions options = {}, Source source = Source::here());  // f32 [n, 2], i64 [n]

struct PointOptions {
  Size points_per_class = 100;
  double noise = 0.05;  // standard deviation of each coordinate
  std::optional<std::uint64_t> seed = {};
};
Dataset moons(PointOptions options = {}, Source source = Source::here());    // two half circles that interlock
Dataset circles(PointOptions options = {}, Source source = Source::here());  // radius 1 round radius 0.5

}  // namespace xgrad::data

#pragma GCC visibility pop
