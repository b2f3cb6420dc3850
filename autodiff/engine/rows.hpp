// Gradients by rows: of a variable that a loss picks from along axis 0, as an embedding, and uses in no other way.
#pragma once

#include "autodiff/engine/op.hpp"

namespace xgrad::engine {

// The rows at index, ascending and each once, hold values; all others are zero. Empty: no such gradient.
struct RowGradient {
  Tensor index;   // [k] of i64, evaluated
  Tensor values;  // [k, ...]
};

// Of the cotangents of a tensor's uses; empty where one of them is not by rows of axis 0.
RowGradient rows_of(const Part* const* parts, std::size_t count);

RowGradient sum(const RowGradient& x, const RowGradient& y);
Tensor dense_rows(const RowGradient& x, const Shape& shape, Source source);  // zeros, and the rows

}  // namespace xgrad::engine
