// Options of C++ doubles, in computations of other dtypes.
#pragma once

#include <xgrad/autodiff/dtype.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// May an option with this value be used in computations of that dtype? Not where it would become 0 or infinite on the way,
// or lose digits: 1e-50 in f32. 0 and infinity themselves, and NaN, are kept.
constexpr bool keeps(DType t, double option) {
  const double size = option < 0 ? -option : option;
  constexpr double least = 0x1p-126, most = 0x1.fffffep127;  // of f32, with all digits
  return t != DType::f32 || size == 0 || size != size || size - size != 0 || (size >= least && size <= most);
}

}  // namespace xgrad

#pragma GCC visibility pop
