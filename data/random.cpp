#include <xgrad/data/random.hpp>

#include <cmath>
#include <limits>

#include <xgrad/autodiff/ops.hpp>
#include "data/same_bits.hpp"

namespace xgrad::data {

Random Random::from(const std::optional<std::uint64_t>& seed) {
  if (seed) return Random(*seed);
  const Tensor drawn = randint(0, std::numeric_limits<Size>::max(), Shape{1});
  return Random(static_cast<std::uint64_t>(drawn.to_vector<Size>()[0]));
}

// Box and Muller 1958: sqrt(-2 log u) cos(2 pi v)
double Random::normal() {
  const double u = 1.0 - uniform(), v = uniform();
  return std::sqrt(-2.0 * same_log(u)) * on_circle(v).x;
}

}  // namespace xgrad::data
