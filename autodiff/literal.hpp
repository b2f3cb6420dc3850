// Literal: numbers as they are written in a program. Bodies: ops/makers.cpp.
#pragma once

#include <initializer_list>
#include <type_traits>
#include <vector>

#include <xgrad/autodiff/dtype.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// Nested brace lists of numbers: 1.0, {1.0, 2.0}, {{1, 2}, {3, 4}}.
class Literal {
 public:
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Literal(T number) : dtype_(dtype_of<T>()), number_(static_cast<double>(number)) {
    if constexpr (std::is_integral_v<T>) integer_ = static_cast<Size>(number);
    if constexpr (std::is_unsigned_v<T>)
      if (integer_ < 0) dtype_ = DType::f64;  // past i64
  }
  Literal(std::initializer_list<Literal> list);

  bool is_list() const { return is_list_; }
  DType dtype() const { return dtype_; }
  double number() const { return number_; }
  Size integer() const { return integer_; }
  const std::vector<Literal>& list() const { return list_; }

 private:
  bool is_list_ = false;
  DType dtype_ = DType::f64;
  double number_ = 0;
  Size integer_ = 0;
  std::vector<Literal> list_;
};

}  // namespace xgrad

#pragma GCC visibility pop
