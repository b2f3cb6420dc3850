// Recording: what becomes of an op as it is written. Bodies: record.cpp; of elementwise ops and operands: elementwise.cpp.
#pragma once

#include <initializer_list>
#include <utility>

#include "autodiff/engine/compute.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/located.hpp"
#include "autodiff/engine/nodes.hpp"
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::engine {

struct Args {
  Size a[4] = {0, 0, 0, 0};
  Ref<const Told> told = {};  // more, if that is not enough
};

// The operand's node, made from a number where it is one (of dtype `number`). An Error where it is empty.
Tensor operand(const In& x, const char* op, DType number);
Tensor operand(const In& x, const char* op);  // a number has its C++ type's dtype

// Records an op whose shapes and dtypes have been checked; computes it at once where that is small.
Tensor record(Op op, DType dtype, const Shape& shape, Node* const* in, int count, const Args& args, Source source);
inline Tensor record(Op op, DType dtype, const Shape& shape, std::initializer_list<Node*> in, const Args& args,
                     Source source) {
  return record(op, dtype, shape, in.begin(), static_cast<int>(in.size()), args, source);
}

Tensor converted(const Tensor& t, DType dtype);  // t cast, where it must be
Tensor floats(const Tensor& t);                  // integers and booleans in the default dtype

// n's numbers without its history: n itself where it has none.
Tensor without_history(Node* n, unsigned why);

// The result of an op that has nothing to do: x itself, but under NoGrad without the history that no op's result has there.
inline Tensor as_it_is(const Tensor& x) {
  return current().no_grad && x.requires_grad() ? without_history(x.node(), cut_no_grad) : x;
}

// Of an elementwise op of so many elements.
Tensor record_elementwise(ThreadState& t, Op op, DType dtype, const Shape& shape, Size elements, Node* const* in,
                          int count, Source source);

// Elementwise ops of one, two or three operands, with the rules for numbers, dtypes and broadcasting.
Tensor unary(Op op, const In& x);
Tensor binary(Op op, const In& x, const In& y);
Tensor ternary(Op op, const In& x, const In& y, const In& z);
Tensor select(const In& condition, const In& x, const In& y);

Shape broadcast(const Shape& x, const Shape& y, const char* op, Source source);

// An Error where an integer is divided by 0.
void require_divisor(Op op, DType dtype, Node* const* in, Source source);

// What n's op was told.
Args args_of(const Node* n);

// The op of n, recorded again on other inputs.
Tensor replay(Node* n, Node* const* in, int count);

// Which axis: negative ones count from the end.
int checked_axis(Size axis, int rank, const char* op, Source source);

// Computes all that is pending and was recorded on this thread, so that waiting work stays bounded. What there is no
// memory for stays pending.
void flush(ThreadState& t);

}  // namespace xgrad::engine
