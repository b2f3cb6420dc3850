// Elementwise formulas as machine code: each vector of the operands goes through the whole formula in registers. Where the
// machine has AVX2 (x86-64), of 512 bits where it has AVX-512; elsewhere formulas are programs of kernels, with the same bits.
#pragma once

#include <memory>
#include <vector>

#include "autodiff/engine/formula.hpp"

namespace xgrad::engine {

class MachineCode {
 public:
  // Null where the machine cannot, where an op is not among those of op_code.hpp, or where the system forbids new code.
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
