// Evaluation: pending nodes are put in levels, and run region by region.
#pragma once

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

// Gives n its numbers. Its inputs are evaluated.
void compute(ThreadState& t, Node* n);

// Gives all targets their numbers, and what leads to them where it must be stored. They keep their handles meanwhile.
void evaluate(ThreadState& t, Node* const* targets, std::size_t count);
inline void evaluate(ThreadState& t, Node* n) {
  if (n->pending()) evaluate(t, &n, 1);
}
// For a read at `source`: what another thread has yet to compute is an Error there.
void evaluate(Node* n, const char* op, Source source);
// An op, or the user, asks for a number of an example: NoNumbers.
[[noreturn]] void fail_traced(const Node* n, const char* op, Source source);
[[noreturn]] void fail_foreign(Node* n, const char* op, Source source);
inline void evaluate(Node* n) {
  if (n->pending()) evaluate(current(), &n, 1);
}

}  // namespace xgrad::engine
