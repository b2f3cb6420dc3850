// A thread's part of the engine: its tape, its pools, its random generator.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "autodiff/engine/node.hpp"
#include "autodiff/kernels/kernels.hpp"

namespace xgrad::engine {

struct Thread {
  // the tape: live nodes that are pending or lead to a derivative, in order of recording
  Node* newest = nullptr;
  std::uint64_t order = 0;
  std::uint32_t walks = 0;  // numbers the marks

  bool no_grad = false;
  bool eager = false;
  bool located = false;
  bool releasing = false;
  Source at;  // what Located says

  std::uint64_t seed = 0x9E3779B97F4A7C15ull, counter = 0;  // of the random generator

  Size pending_nodes = 0, pending_bytes = 0, taped_nodes = 0;
  std::uint64_t recorded = 0, evaluated = 0, regions = 0;

  // handles that other threads let go of, for this one to count down
  std::atomic<bool> has_foreign{false};
  std::recursive_mutex mutex;
  std::vector<NodeHead*> foreign;
  bool dead = false;

  std::vector<Node*> doomed;  // worklist of release_last
  std::vector<Node*> seen, heap;  // of a walk

  Tensor numbers[16];             // of formulas: see record

  const kernels::Table* kernels = nullptr;

  struct Pools* pools = nullptr;
  std::int64_t bytes_in_use = 0;  // taken less given back, by this thread
};

Thread& new_thread();  // adopts the state of a thread that has ended, or makes one
inline Thread& current() { return this_thread ? *this_thread : new_thread(); }
void collect_foreign(Thread& t);

void link(Thread& t, Node* n);    // at the end of the tape
void unlink(Thread& t, Node* n);

// Lets go of the inputs of an evaluated node: it is a number from now on.
void forget_inputs(Node* n);

// Memory: 64-byte aligned, from the thread's pool. `pool` receives the size class.
char* take_buffer(std::size_t bytes, std::uint8_t& pool);
void give_buffer(char* data, std::uint8_t pool) noexcept;
void* take_node();
void give_node(void* memory) noexcept;

}  // namespace xgrad::engine
