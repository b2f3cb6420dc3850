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
  // One of a list of things with names, by the hash of each name: another entry changes no choice but those that it wins
  // (rendezvous hashing, Thaler and Ravishankar 1998). `weight`: how often, relative to the others.
  template <class T, class Weight>
  const T& by_name(const std::vector<T>& list, const Weight& weight) {
    const std::uint64_t draw = bits_();
    const T* best = nullptr;
    double least = HUGE_VAL;
    for (const T& item : list) {
      const double u = (static_cast<double>(hash(draw, item.name) >> 11) + 0.5) * 0x1p-53;
      const double time = -std::log(u) / weight(item);  // exponential: the first of all is each with its weight
      if (time < least) least = time, best = &item;
    }
    return *best;
  }
  template <class T>
  const T& by_name(const std::vector<T>& list) {
    return by_name(list, [](const T&) { return 1.0; });
  }

 private:
  static std::uint64_t hash(std::uint64_t draw, const char* name) {
    std::uint64_t h = draw ^ 0xCBF29CE484222325ull;  // FNV-1a, and SplitMix64's last steps
    for (; *name; ++name) h = (h ^ static_cast<unsigned char>(*name)) * 0x100000001B3ull;
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ull;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBull;
    return h ^ (h >> 31);
  }

  std::mt19937_64 bits_;
};

}  // namespace programs
