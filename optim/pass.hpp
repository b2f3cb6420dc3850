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
  Size
      until;  // where somebody else's elements of the slots begin, at the earliest: behind what a parameter is padded with
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

// The n-th of those that are kept from step to step, recorded anew: most often nothing but its numbers has changed.
const Fused* renewed(std::vector<std::unique_ptr<Fused>>& kept, std::size_t n, const Callable<void(Tensors&)>& formula,
                     int operands, DType dtype, const char* name, Source source);

// What one thread does at a time: elements begin to end of a slot's, of these runs.
struct Job {
  const Formula* formula;
  std::size_t first, last;  // runs; one, or small ones that lie side by side
  Size begin, end;
};

// Formulas that are to be run. All that can fail is done when it is made.
class Pass {
 public:
  explicit Pass(std::vector<Formula> formulas);
  void run();  // on all threads where that is worth it

 private:
  std::vector<Formula> formulas_;
  std::vector<Job> jobs_;
  // each thread's own
  std::vector<std::vector<Fused::Worker>> workers_;
  std::vector<char*> bases_;
};

}  // namespace xgrad::optim
