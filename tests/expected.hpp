// Numbers against expected ones, to so many units in the last place. Included after Boost.Test.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>

namespace helpers {

// Within so many ulps of the expected number, subnormal ones included; NaN, infinities and 0 are to be met.
inline bool same(double got, double expected, xgrad::DType dtype, double ulps) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected) || expected == 0) return got == expected;
  const bool single = dtype == xgrad::f32;
  const double ulp = single ? 0x1p-23 : 0x1p-52, least = single ? 0x1p-149 : 0x1p-1074;
  return std::abs(got - expected) <= std::max(ulps * ulp * std::abs(expected), 2 * least);
}

inline void expect(const std::string& what, const xgrad::Tensor& got, const std::vector<double>& expected,
                   double ulps) {
  const std::vector<double> v = got.to_vector<double>();
  BOOST_REQUIRE_EQUAL(v.size(), expected.size());
  for (std::size_t i = 0; i < v.size(); ++i)
    BOOST_CHECK_MESSAGE(
        same(v[i], expected[i], got.dtype(), ulps),
        fmt::format("{}, {}, element {}: {}, expected {}", what, xgrad::name(got.dtype()), i, v[i], expected[i]));
}

}  // namespace helpers
