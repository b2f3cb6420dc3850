// Elementwise formulas as machine code: each vector of the operands goes through the whole formula in registers. Where the
// machine has AVX2 (x86-64), of 512 bits where it has AVX-512; elsewhere formulas are programs of kernels, with the same bits.
#pragma once

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

  bool same_but_numbers(const Formula& other) const {
    return dtype == other.dtype && operands == other.operands && lines == other.lines && results == other.results &&
           numbers.size() == other.numbers.size();
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
