// The random numbers behind made data and shuffles: the same on every machine, and of no effect on other generators.
#pragma once

#include <cstdint>
#include <optional>

#include <xgrad/autodiff/dtype.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

// SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators")
class Random {
 public:
  // Streams of one seed are independent of each other.
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) : state_(mix(seed + gamma) ^ mix(~stream)) {}

  // From the seed, or where there is none from one draw of the thread's generator (manual_seed).
  static Random from(const std::optional<std::uint64_t>& seed);

  std::uint64_t bits() { return mix(state_ += gamma); }
  void skip(std::uint64_t n) { state_ += n * gamma; }                       // as if bits() had been called n times
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }  // in [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();      // of mean 0 and variance 1
  Size below(Size n) {  // in [0, n)
    return static_cast<Size>((static_cast<unsigned __int128>(bits()) * static_cast<std::uint64_t>(n)) >> 64);
  }

 private:
  static constexpr std::uint64_t gamma = 0x9e3779b97f4a7c15;
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace xgrad::data

#pragma GCC visibility pop
