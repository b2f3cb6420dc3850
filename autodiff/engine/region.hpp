// A region: elementwise ops over one count of elements, with reductions as sinks, run in one pass over blocks that stay
// in the first cache. What nobody else holds never touches memory.
#pragma once

#include "autodiff/engine/program.hpp"

namespace xgrad::engine {

// Computes pending nodes, given in order of recording: elementwise ops and row-major reshapes over one count of
// elements, and reductions of them that one Blocking admitted. Their other inputs are evaluated. Stores the reductions,
// what is flagged `wanted`, and what is held by anybody but the region.
void run_region(ThreadState& t, Node* const* nodes, std::size_t count);

}  // namespace xgrad::engine
