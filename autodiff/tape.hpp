// A look at the record. Bodies: api/print.cpp.
#pragma once

#include <string>

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// The record that leads to y, one op a line:  %3 f32[64, 3] = matmul(%1, %2)   model.cpp:12
std::string tape(const Tensor& y, Source source = Source::here());
void print_tape(const Tensor& y, Source source = Source::here());

}  // namespace xgrad

#pragma GCC visibility pop
