// Making nodes: their memory, their inputs, views.
#pragma once

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

Node* new_node(Op op, DType dtype, const Shape& shape, Source source);

// Memory for a node's elements: inline where they are few, else from the pool. An Error where there is none.
char* allocate(Node* n, const char* op = nullptr);  // op: null: n's own

// Memory while n is computed, 64-byte aligned.
struct Buffer {
  std::uint8_t pool;
  char* data;
  Buffer(Size bytes, const Node* n)
      : data(take_buffer(static_cast<std::size_t>(bytes), pool, rule(n->op).name, {n->file, n->line})) {}
  ~Buffer() { give_buffer(data, pool); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
};

// Gives that back, of a node that did not get its numbers.
void give_unfinished(Node* n) noexcept;

Extra& extra_of(Node* n);                              // made where there is none
void set_inputs(Node* n, Node* const* in, int count);  // each counted once more

// A node without a history that owns the numbers at `data`, which n sees; for who wants to hold the numbers and not n's
// history. Where their owner has a history, a new node takes over the memory (or a copy of a few numbers, and then `data`
// moves). Counted; null where that cannot be.
Node* holder_of(Node* n, char*& data);

// Makes the pending view v see n's numbers: strides null means row-major.
void bind(Node* v, Node* n, const Shape* strides, Size offset);

// A node whose elements are all the number at `value` (of that dtype).
Node* uniform_node(DType dtype, const Shape& shape, const void* value, Source source);
Node* uniform_number(DType dtype, const Shape& shape, double value, Source source);

}  // namespace xgrad::engine
