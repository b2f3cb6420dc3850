#include <xgrad/data/regression.hpp>

#include <fmt/core.h>

#include <vector>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/data/random.hpp>
#include "data/checks.hpp"
#include "data/same_bits.hpp"

namespace xgrad::data {

Dataset friedman(FriedmanOptions options, Source source) {
  constexpr const char* op = "friedman";
  if (options.features < 5) fail(source.named(op), "expected 5 features or more, got {}", options.features);
  const Size count = checked_count(op, options.rows, options.features, source);
  check_noise(op, options.noise, source);
  return with_memory(op, source, [&]() -> Dataset {
    Random random = Random::from(options.seed);
    std::vector<float> inputs, labels;
    inputs.reserve(static_cast<std::size_t>(count));
    for (Size row = 0; row < options.rows; ++row) {
      const std::size_t at = inputs.size();
      for (Size k = 0; k < options.features; ++k) inputs.push_back(static_cast<float>(random.uniform()));
      const float* x = inputs.data() + at;
      const double middle = x[2] - 0.5;
      const double y = 10 * on_circle(0.5 * x[0] * x[1]).y + 20 * middle * middle + 10 * x[3] + 5 * x[4];
      labels.push_back(static_cast<float>(y + options.noise * random.normal()));
    }
    return {tensor(inputs, {options.rows, options.features}), tensor(labels, {options.rows, 1})};
  });
}

}  // namespace xgrad::data
