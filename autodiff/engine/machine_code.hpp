// Elementwise formulas as machine code: each vector of the operands goes through the whole formula in registers. Where the
// machine has AVX2 (x86-64), of 512 bits where it has AVX-512; elsewhere formulas are programs of kernels, with the same bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
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

class MachineCode {
 public:
  // Null where the machine cannot, where an op is not among those below, or where the system forbids new code.
  static std::unique_ptr<MachineCode> of(const Formula& formula);
  ~MachineCode();
  MachineCode(const MachineCode&) = delete;
  MachineCode& operator=(const MachineCode&) = delete;

  // Of a formula that is the same but for its numbers. Not while it runs.
  void set_numbers(const std::vector<double>& numbers);

  // Elements begin to end, of operand k at base[k], on this thread; several threads may run it.
  void operator()(char* const* base, Size begin, Size end) const;

 private:
  explicit MachineCode(const Formula& formula);
  struct Own;
  std::unique_ptr<Own> own_;
};

}  // namespace xgrad::engine
