// Operands of the sweep: their numbers, and tensors of them in a layout.
#pragma once

#include <cstdint>

#include "sweep/differences.hpp"
#include "sweep/row.hpp"

namespace sweep {

// Reproducible numbers (SplitMix64, Steele et al. 2014).
class Draws {
 public:
  explicit Draws(const std::string& name);
  std::uint64_t next();
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  double factor();  // of magnitude 0.5 ... 1.5, a multiple of 1/16

 private:
  std::uint64_t state_;
};

// Multiples of 2^-16, so that a step of the differences stays exact in f32.
Vector sample(const Domain& domain, const Shape& shape, Layout layout, std::size_t operand, Draws& draws);
Vector factors(std::size_t n, Draws& draws);

Tensor laid_out(const Vector& numbers, const Shape& shape, DType dtype, Layout layout);

}  // namespace sweep
