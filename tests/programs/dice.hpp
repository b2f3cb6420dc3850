// Random choices that are the same on every machine.
#pragma once

#include <cmath>
#include <random>
#include <vector>

#include <xgrad/autodiff/dtype.hpp>

namespace programs {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : bits_(seed * 0x9E3779B97F4A7C15ull + 1) {}

  double uniform() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }  // in [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double p) { return uniform() < p; }
  xgrad::Size below(xgrad::Size n) { return static_cast<xgrad::Size>(bits_() % static_cast<std::uint64_t>(n)); }
  xgrad::Size between(xgrad::Size low, xgrad::Size high) { return low + below(high - low + 1); }  // both included
  double normal() {                                                                               // Box and Muller 1958
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }
  template <class T>
  const T& one_of(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(below(static_cast<xgrad::Size>(list.size())))];
  }

 private:
  std::mt19937_64 bits_;
};

}  // namespace programs
