// Computing elementwise nodes by themselves, from evaluated inputs.
#pragma once

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

// Work on no more elements than this is done as it is recorded.
inline constexpr Size small_count = 1024;

// Gives n its numbers, which are at most small_count: one kernel call.
void compute_small(ThreadState& t, Node* n);

// The one number of an op whose operands are each one number, written to `out`.
void compute_number(ThreadState& t, Node* n, char* out);

// The dtype that an op's kernel is looked up by.
DType operand_dtype(Node* n);

// Where n has just got its numbers: it is a value from now on, and what is no longer needed goes.
void settle(ThreadState& t, Node* n);

}  // namespace xgrad::engine
