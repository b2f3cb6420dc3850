// The rows of elementwise.def as functions of vectors.
#pragma once

#include "autodiff/kernels/simd/math_exp.hpp"
#include "autodiff/kernels/simd/math_log.hpp"
#include "autodiff/kernels/simd/math_pow.hpp"
#include "autodiff/kernels/simd/math_simple.hpp"
#include "autodiff/kernels/simd/math_trig.hpp"

namespace xgrad::kernels {
namespace {

// A row of the table as a type: its lane value as a function of batches.
#define UNARY(op, value, ...)                       \
  struct lane_##op {                                \
    template <class T>                              \
    XGRAD_INLINE static Batch<T> lane(Batch<T> x) { \
      return value;                                 \
    }                                               \
  };
#define BINARY(op, value, ...)                                  \
  struct lane_##op {                                            \
    template <class T>                                          \
    XGRAD_INLINE static Batch<T> lane(Batch<T> x, Batch<T> y) { \
      return value;                                             \
    }                                                           \
  };
#include "autodiff/elementwise.def"

}  // namespace
}  // namespace xgrad::kernels
