// Evaluation: pending nodes are put in levels, and run region by region.
#pragma once

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

// Gives all targets their numbers, and what leads to them where it must be stored. They keep their handles meanwhile.
void evaluate(Thread& t, Node* const* targets, std::size_t count);
inline void evaluate(Thread& t, Node* n) {
  if (n->pending()) evaluate(t, &n, 1);
}
inline void evaluate(Node* n) {
  if (n->pending()) evaluate(current(), &n, 1);
}

}  // namespace xgrad::engine
