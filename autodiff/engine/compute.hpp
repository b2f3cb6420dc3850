// Computing nodes from evaluated inputs.
#pragma once

#include "autodiff/engine/node.hpp"

namespace xgrad::engine {

struct Thread;

// Gives n its numbers. Its inputs are evaluated.
void compute(Thread& t, Node* n);

// Elementwise, of at most small_count elements: one kernel call.
void compute_small(Thread& t, Node* n);

// The one number of an elementwise op whose operands are each one number, written to `out`.
void compute_number(Thread& t, Node* n, char* out);


// The kernel of an elementwise op, and the dtype that it is looked up by.
DType operand_dtype(Node* n);

// Where n has just got its numbers: it is a value from now on, and what is no longer needed goes.
void settle(Thread& t, Node* n);

}  // namespace xgrad::engine
