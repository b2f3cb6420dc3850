// The program of a region: what is done for each block, in order.
#pragma once

#include "autodiff/engine/reduce.hpp"
#include "autodiff/engine/strided.hpp"

namespace xgrad::engine {

// Where a block of numbers is: in memory (step: bytes an element; 0 for one number), or in a scratch block.
struct Place {
  char* base = nullptr;
  Size step = 0;
  int scratch = -1;
};

enum class Do : std::uint8_t {
  kernel,
  cast,
  with_slope,  // out and slope of in[0]
  load,
  chain,
  fold_whole,  // sinks from here on
  fold_rows,
  add_columns,
  chain_sum,  // fold_whole by a step of the chain before
};

// It names what is computed, and not the kernel that does it: that is looked up as it runs.
struct Instruction {
  Do what;
  DType dtype;  // of the operands that a kernel is looked up by
  std::uint8_t operands;
  Op op = Op::leaf;               // of a kernel, or a reduction
  std::uint8_t mask = 0;          // of a kernel: bit k set: operand k is one number
  DType to = dtype;               // of a cast
  kernels::Chain code = nullptr;  // of a chain, for whole strips: what find_code() made; null: nothing
  bool sums = false;              // a step of that chain is a sum
  Place out = {}, slope = {}, in[3] = {};
  int layout = -1;  // of a load
  int step = -1;    // the first of a chain; of a chain_sum its own
  Size length = 0;  // of a row, or columns
  Node* sink = nullptr;
};

// How a region's blocks must lie for the sinks that it has.
class Blocking {
 public:
  bool admit(const Reduced& sink);  // false: it does not go with those that were let in before
  Size row = 0;                     // length of the rows that are folded; 0: none
  Size columns = 0;                 // of the sums over rows; 0: none
 private:
  bool whole_ = false;
};

struct Program {
  std::vector<Instruction> code;
  std::vector<Layout> layouts;
  std::vector<kernels::ChainStep> steps;  // of all chains
  int scratch = 0;                        // blocks
  Size scratch_bytes = 0;                 // of one block
  Size count = 0;
  Blocking blocking;
};

// Runs it, on all threads where it is long enough.
void run(ThreadState& t, Program& program);

// Of a program without sinks: elements begin to end, on this thread, in scratch memory of the caller's.
void run_blocks(const Program& program, Size begin, Size end, char* scratch);

// Machine code for the chains, where that is worth it: of a program that will be run for so many elements.
void find_code(Program& program, Size elements);

// The program of elementwise nodes of a trace, given in order of recording. What is flagged `wanted` is stored at
// memory(node), all else nowhere. Body: region.cpp.
void write_program(ThreadState& t, Node* const* nodes, std::size_t count, Program& program, char* (*memory)(Node*));

}  // namespace xgrad::engine
