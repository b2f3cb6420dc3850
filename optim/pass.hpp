// Passes of an elementwise formula over parameters that lie anywhere. Private to optim/.
#pragma once

#include "optim/state.hpp"

namespace xgrad::optim {

// A parameter that a formula updates.
struct Run {
  char* p;
  const char* g;
  Size at;  // elements, in each slot
  Size n;
  Size until;  // where somebody else's elements of the slots begin, at the earliest: behind what a parameter is padded with
};

// A formula, and the parameters of one group, count and dtype, in the order in which they lie in the slots.
struct Formula {
  int group;
  const Fused* fused;
  char* slots;  // memory
  Size stride;  // bytes of a slot
  int slot_count;
  DType dtype;
  std::vector<Run> runs;
};

// Runs them, on all threads where that is worth it.
void run_formulas(const std::vector<Formula>& formulas);

}  // namespace xgrad::optim
