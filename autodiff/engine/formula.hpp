// What machine code is made of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "autodiff/engine/op.hpp"

namespace xgrad::engine {

// An elementwise trace as plain data. An operand k is -1 - k, an op's result its line, a number `first_number` on.
struct Formula {
  struct Line {
    Op op;
    std::uint8_t inputs;
    int in[3];  // those that it has not are 0
    bool operator==(const Line&) const = default;
  };
  static constexpr int first_number = 1 << 20;

  DType dtype;  // f32 or f64: of operands and numbers
  int operands;
  std::vector<Line> lines;
  std::vector<int> results;     // by operand: the line that it becomes, or -1 - k where it stays
  std::vector<double> numbers;  // in the order of their uses, exact

  // Code may be made for a number that is plain.
  static bool is_plain(double number) { return number < 0 || number > 0; }
  bool same_but_numbers(const Formula& other) const {
    const auto both_plain = [](double a, double b) { return is_plain(a) == is_plain(b); };
    return dtype == other.dtype && operands == other.operands && lines == other.lines && results == other.results &&
           std::equal(numbers.begin(), numbers.end(), other.numbers.begin(), other.numbers.end(), both_plain);
  }
};

}  // namespace xgrad::engine
