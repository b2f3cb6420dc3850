// Data to fit a function of several numbers to.
#pragma once

#include <cstdint>
#include <optional>

#include <xgrad/data/dataset.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

// y = 10 sin(pi x_1 x_2) + 20 (x_3 - 1/2)^2 + 10 x_4 + 5 x_5 + noise, x uniform in [0, 1); what comes after x_5 counts for
// nothing (Friedman 1991, "Multivariate adaptive regression splines"). y has a deviation of about 4.9 without noise.
struct FriedmanOptions {
  Size rows = 1000;
  Size features = 10;                      // 5 or more
  double noise = 1;                        // standard deviation of what is added
  std::optional<std::uint64_t> seed = {};  // without it from the thread's generator
};
Dataset friedman(FriedmanOptions options = {}, Source source = Source::here());  // f32 [n, features], f32 [n, 1]

}  // namespace xgrad::data

#pragma GCC visibility pop
