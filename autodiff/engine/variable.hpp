// A variable: what Parameters refer to. Its value is a leaf, a node that derivatives lead to.
#pragma once

#include <atomic>

#include "autodiff/engine/node.hpp"
#include "autodiff/engine/rows.hpp"

namespace xgrad::engine {

struct Variable {
  std::atomic<int> strong{1};  // Parameters and references
  std::atomic<int> weak{1};    // leaves that name this variable, + 1 while strong > 0
  Tensor leaf;                 // evaluated, row-major, with needs_grad; replaced when a value is stored
  Tensor grad;                 // what backward() added up; empty at first
  RowGradient rows;  // likewise, by rows; then grad, if it is there, is the same made dense for somebody who looked
  std::atomic<ThreadState*> adding{nullptr};  // whose backward() adds to grad now
  std::size_t sum = 0;                        // scratch of that: the place among its sums
  bool frozen = false;                        // no derivative leads here
  std::uint64_t origin = 0;                   // the same for copies of a Parameter, and theirs
};

std::string described(const Variable* v);  // "f32 (3, 4)"

// A variable that holds the value, evaluated, without its history. No bytes are copied where that can be.
Variable* new_variable(const Tensor& value, Source source);
Variable* copy_of(const Variable* v, Source source);  // an independent one of the same value
Tensor prepared(Variable* v, const Tensor& value, const char* op, Source source);  // what store() puts there
void store(Variable* v, const Tensor& value, const char* op, Source source);

void freeze(Variable* v, bool frozen);  // its gradient goes, then

// Its gradient as a tensor of its shape; empty where there is none. And without one.
const Tensor& dense_gradient(Variable* v);
void forget_gradient(Variable* v) noexcept;

// The memory of its numbers for writing in place; copied first where another handle sees them.
void* writable(Variable* v);

void release_weak(Variable* v) noexcept;
inline bool alive(const Variable* v) { return v->strong.load(std::memory_order_acquire) > 0; }

}  // namespace xgrad::engine
