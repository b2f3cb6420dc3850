// A region: elementwise ops over one count of elements, with reductions as sinks, run in one pass over blocks that stay
// in the first cache. What nobody else holds never touches memory.
#pragma once

#include "autodiff/engine/reduce.hpp"

namespace xgrad::engine {

// How a region's blocks must lie for the sinks that it has.
class Blocking {
 public:
  bool admit(const Reduced& sink);  // false: it does not go with those that were let in before
  Size row = 0;      // length of the rows that are folded; 0: none
  Size columns = 0;  // of the sums over rows; 0: none
 private:
  bool whole_ = false;
};

// Computes pending nodes, given in order of recording: elementwise ops and row-major reshapes over one count of
// elements, and reductions of them that one Blocking admitted. Their other inputs are evaluated. Stores the reductions,
// what is flagged `wanted`, and what is held by anybody but the region.
void run_region(Thread& t, Node* const* nodes, std::size_t count);

}  // namespace xgrad::engine
