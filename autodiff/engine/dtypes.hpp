// Which dtype operands meet in, and which an op computes in.
#pragma once

#include "autodiff/engine/op.hpp"

namespace xgrad::engine {

// The dtype that operands meet in, as NumPy 2 and PyTorch have it. Floats go before integers, and those before booleans;
// of one kind, tensors with axes go before 0-d tensors, and those before C++ numbers; else the wider one. An integer
// tensor next to a fractional C++ number meets it in the default dtype.
DType meet(const In& x, const In& y, const char* op, Source source);
DType meet(const Tensors& list);  // of one tensor or more

// The dtype that `op` computes operands of `dtype` in: what has no kernel for booleans counts them as i64, and what has
// none for integers takes them as floats of the default dtype.
DType computed_in(const kernels::Table& kernels, Op op, DType dtype);

}  // namespace xgrad::engine
