// How far a number is from an exact one, in units in the last place.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace ulps {

using Wide = long double;
static_assert(std::numeric_limits<Wide>::digits >= 64);

constexpr double wrong = std::numeric_limits<double>::infinity();  // NaN where a number belongs, or the sign of a 0

// |got - exact| in units of the last place that a T of the size of `exact`, or of `size` where that is greater, has.
template <class T>
double distance(T got, Wide exact, bool signed_zero, Wide size = 0) {
  using L = std::numeric_limits<T>;
  if (std::isnan(got) || std::isnan(exact)) return std::isnan(got) == std::isnan(exact) ? 0 : wrong;
  const T nearest = static_cast<T>(exact);
  if (got == nearest) {
    if (signed_zero && got == 0 && exact == 0 && std::signbit(got) != std::signbit(exact)) return wrong;
    if (std::isinf(got)) return 0;
  }
  if (std::isinf(exact)) return wrong;
  size = std::max(size, std::abs(exact));
  const int exponent = size == 0 ? L::min_exponent : std::max(std::ilogb(size) + 1, L::min_exponent);
  if (exponent > L::max_exponent && !std::isinf(got) && std::isinf(nearest))  // it should be infinite
    return static_cast<double>((std::abs(exact) - std::abs(Wide(got))) /
                               std::ldexp(Wide(1), L::max_exponent - L::digits));
  const Wide ulp = std::ldexp(Wide(1), std::min(exponent, L::max_exponent) - L::digits);
  const Wide value = std::isinf(got) ? std::copysign(std::ldexp(Wide(1), L::max_exponent), Wide(got)) : Wide(got);
  return static_cast<double>(std::abs(value - exact) / ulp);
}

}  // namespace ulps
