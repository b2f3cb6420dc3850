// Small images of the digits 0 to 9, drawn by code: no files needed.
#pragma once

#include <cstdint>
#include <optional>

#include <xgrad/data/dataset.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

// Each digit is a set of strokes, drawn at a random place, size, slant and thickness, with noise on top. Rows go round
// the digits: 0, 1, ..., 9, 0, ... Without a `seed` the numbers come from the thread's generator.
struct DigitOptions {
  Size images_per_class = 100;
  Size side = 14;       // of the square images, in pixels; 4 ... 256
  double noise = 0.1;   // standard deviation of each pixel, before it is clamped to [0, 1]
  double wobble = 1.0;  // how much place, size, slant and thickness vary; 0: all alike
  std::optional<std::uint64_t> seed = {};
};
Dataset digits(DigitOptions options = {}, Source source = Source::here());  // f32 [n, side^2] in [0, 1], i64 [n]

}  // namespace xgrad::data

#pragma GCC visibility pop
