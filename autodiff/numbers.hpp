// Functions of ops.hpp on C++ numbers, for programs that say `using namespace xgrad`: there abs(-0.5) would else be the C
// library's, of integers, and sqrt(2.0) a Tensor. A float gives a float, any other number a double. The C library's functions
// only, and not tanh: an overloaded name is no value, and a function of tensors may be wanted as one, as a layer is.
#pragma once

#include <type_traits>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// Constrained, and else declared as the C++ library's are: beside `using namespace std` these are the better ones.
template <class T>
concept Number = std::is_arithmetic_v<T>;
template <class... T>
using Real = std::conditional_t<(std::is_same_v<T, float> && ...), float, double>;

#define XGRAD_OF_NUMBER(op, value)                \
  template <Number T>                             \
  Real<T> op(T number) {                          \
    const double x = static_cast<double>(number); \
    return static_cast<Real<T>>(value);           \
  }
XGRAD_OF_NUMBER(exp, __builtin_exp(x))
XGRAD_OF_NUMBER(expm1, __builtin_expm1(x))
XGRAD_OF_NUMBER(log, __builtin_log(x))
XGRAD_OF_NUMBER(log1p, __builtin_log1p(x))
XGRAD_OF_NUMBER(log2, __builtin_log2(x))
XGRAD_OF_NUMBER(log10, __builtin_log10(x))
XGRAD_OF_NUMBER(sqrt, __builtin_sqrt(x))
XGRAD_OF_NUMBER(cbrt, __builtin_cbrt(x))
XGRAD_OF_NUMBER(floor, __builtin_floor(x))
XGRAD_OF_NUMBER(ceil, __builtin_ceil(x))
XGRAD_OF_NUMBER(round, __builtin_nearbyint(x))  // halves to even, as of tensors
XGRAD_OF_NUMBER(sin, __builtin_sin(x))
XGRAD_OF_NUMBER(cos, __builtin_cos(x))
XGRAD_OF_NUMBER(tan, __builtin_tan(x))
XGRAD_OF_NUMBER(asin, __builtin_asin(x))
XGRAD_OF_NUMBER(acos, __builtin_acos(x))
XGRAD_OF_NUMBER(atan, __builtin_atan(x))
XGRAD_OF_NUMBER(sinh, __builtin_sinh(x))
XGRAD_OF_NUMBER(cosh, __builtin_cosh(x))
XGRAD_OF_NUMBER(asinh, __builtin_asinh(x))
XGRAD_OF_NUMBER(acosh, __builtin_acosh(x))
XGRAD_OF_NUMBER(atanh, __builtin_atanh(x))
XGRAD_OF_NUMBER(erf, __builtin_erf(x))
#undef XGRAD_OF_NUMBER

// Of the number's own type.
template <Number T>
T abs(T x) {
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(__builtin_fabsl(x));
  else if constexpr (std::is_signed_v<T>) return x < 0 ? static_cast<T>(-x) : x;
  else return x;
}

template <Number T, Number U>
Real<T, U> pow(T x, U y) {
  return static_cast<Real<T, U>>(__builtin_pow(static_cast<double>(x), static_cast<double>(y)));
}
template <Number T, Number U>
Real<T, U> atan2(T y, U x) {
  return static_cast<Real<T, U>>(__builtin_atan2(static_cast<double>(y), static_cast<double>(x)));
}
template <Number T, Number U>
Real<T, U> hypot(T x, U y) {
  return static_cast<Real<T, U>>(__builtin_hypot(static_cast<double>(x), static_cast<double>(y)));
}

}  // namespace xgrad

#pragma GCC visibility pop
