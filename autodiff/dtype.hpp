// Element types: how a Tensor's numbers are stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// Extents, indices and counts are signed 64-bit integers.
using Size = std::int64_t;

enum class DType : std::uint8_t { f32, f64, i64, boolean };

inline constexpr DType f32 = DType::f32;          // IEEE single
inline constexpr DType f64 = DType::f64;          // IEEE double
inline constexpr DType i64 = DType::i64;          // 64-bit signed integer
inline constexpr DType boolean = DType::boolean;  // one byte, 0 or 1
inline constexpr int dtype_count = 4;

constexpr Size item_size(DType t) { return t == DType::f32 ? 4 : t == DType::boolean ? 1 : 8; }  // bytes
constexpr bool is_float(DType t) { return t == DType::f32 || t == DType::f64; }
constexpr const char* name(DType t) {
  constexpr const char* names[] = {"f32", "f64", "i64", "boolean"};
  return names[static_cast<int>(t)];
}

// The dtype that holds a C++ type: float, double, bool, any other integer type.
template <class T>
constexpr DType dtype_of() {
  static_assert(std::is_arithmetic_v<T>, "xgrad stores numbers");
  if constexpr (std::is_same_v<T, bool>) return DType::boolean;
  else if constexpr (std::is_integral_v<T>) return DType::i64;
  else if constexpr (std::is_same_v<T, float>) return DType::f32;
  else return DType::f64;
}

}  // namespace xgrad

#pragma GCC visibility pop
