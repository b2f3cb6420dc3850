// Rows of elementwise.def as types: their lane values as functions of batches.
#pragma once

#include <string_view>

#include "autodiff/kernels/simd/math_activations.hpp"
#include "autodiff/kernels/simd/math_exp.hpp"
#include "autodiff/kernels/simd/math_log.hpp"
#include "autodiff/kernels/simd/math_pow.hpp"
#include "autodiff/kernels/simd/math_root.hpp"
#include "autodiff/kernels/simd/math_scalar.hpp"
#include "autodiff/kernels/simd/math_simple.hpp"
#include "autodiff/kernels/simd/math_trig.hpp"

namespace xgrad::kernels {
namespace {

// The unary minus of a batch is 0 - x, which loses the sign of 0. text: the lane value as the table has it.
#define UNARY(op, value, ...)                                         \
  struct lane_##op {                                                  \
    static constexpr std::string_view text = #value;                  \
    template <class T>                                                \
    XGRAD_INLINE static Batch<T> lane(Batch<T> x) {                   \
      if constexpr (std::string_view(#op) == "neg") return negate(x); \
      else return value;                                              \
    }                                                                 \
  };
#define BINARY(op, value, ...)                                  \
  struct lane_##op {                                            \
    static constexpr std::string_view text = #value;            \
    template <class T>                                          \
    XGRAD_INLINE static Batch<T> lane(Batch<T> x, Batch<T> y) { \
      return value;                                             \
    }                                                           \
  };
#define TERNARY(op, value, ...)                                             \
  struct lane_##op {                                                        \
    static constexpr std::string_view text = #value;                        \
    template <class T>                                                      \
    XGRAD_INLINE static Batch<T> lane(Batch<T> x, Batch<T> y, Batch<T> z) { \
      return value;                                                         \
    }                                                                       \
  };
#include "autodiff/elementwise.def"

}  // namespace
}  // namespace xgrad::kernels
