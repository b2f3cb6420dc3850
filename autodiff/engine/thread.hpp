// A thread's part of the engine: its tape, its pools, its random generator.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "autodiff/engine/node.hpp"
#include "autodiff/kernels/kernels.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace xgrad::engine {

// A list of free blocks of one size.
struct FreeList {
  struct Link {
    Link* next;
    Link* next_list;  // of the first of a magazine
  };
  Link* top = nullptr;
  std::size_t size = 0;
  void push(void* p) {
    Link* l = static_cast<Link*>(p);
    l->next = top;
    top = l;
    ++size;
  }
  void* pop() {
    Link* l = top;
    top = l->next;
    --size;
    return l;
  }
};

// The address sanitizer is told what of a pool's memory is in use; a free block keeps its link.
#ifdef __SANITIZE_ADDRESS__
inline void unpoison(void* memory, std::size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(memory, bytes); }
inline void poison(void* memory, std::size_t size) {
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(memory) + sizeof(FreeList::Link), size - sizeof(FreeList::Link));
}
#else
inline void unpoison(void*, std::size_t) {}
inline void poison(void*, std::size_t) {}
#endif

inline constexpr int buffer_classes = 200;
inline constexpr std::size_t node_magazine = 256;  // nodes that move between lists at a time

// A thread's free buffers. What lies here is bounded by what was needed lately: no more bytes than the rise of those in
// use, from least to most, in this window of time and the one before, and `always` besides. A window is over when eight
// times that has been taken; buffers that lay here all through one are given back to the system.
class Shelf {
 public:
  void* take(int c);                               // null where no buffer of the class lies here
  bool give(int c, void* p);                       // false: there are enough; `p` is not kept
  void untake(int c);                              // the system had none either
  void* remove(int c) noexcept;                    // of no use to anybody any more; null: no more of the class
  std::int64_t in_use() const { return in_use_; }  // bytes taken less given, by this thread
  std::size_t free() const { return free_; }

 private:
  void next_window();
  void drop_idle(std::size_t enough);
  void* pop(int c);
  std::size_t needed() const { return std::max(rise_, rise_before_); }

  FreeList lists_[buffer_classes];
  std::uint32_t idle_[buffer_classes] = {};  // the fewest that lay here in this window
  std::size_t free_ = 0;                     // bytes that lie here
  std::int64_t in_use_ = 0, least_ = 0;
  std::size_t rise_ = 0, rise_before_ = 0, taken_ = 0;  // of this window, of the last
};

enum class Use : std::uint8_t { plan, region, program, gathered, blocks, sweeps, sums, flushed, listed, rows, count };

class Sweep;
class Watching;
class Batch;

struct ThreadState {
  FreeList nodes, spare_nodes;
  // the tape: live nodes that are pending or lead to a derivative, in order of recording
  Node* newest = nullptr;
  std::uint64_t order = 0;
  std::uint64_t walks = 0;  // numbers them

  bool no_grad = false;
  unsigned cut_as = cut_no_grad;  // what no_grad makes of a history: in a sweep, cut_sweep
  bool eager = false;
  bool located = false;
  bool releasing = false;
  bool quiet = false;               // see Quiet
  Extra* resting = nullptr;         // what waits for its end
  Sweep* sweep = nullptr;           // the innermost that is going on
  Watching* watching = nullptr;     // likewise, of the transforms
  Batch* batch = nullptr;           // the innermost whose examples are being recorded
  const char* traced_by = nullptr;  // the rule that is being recorded, of no numbers; null: none, or vmap's
  std::uint64_t reads = 0;          // of numbers that have a history
  Source at;                        // what Located says, with the name that errors there go by

  std::uint64_t seed = 0x9E3779B97F4A7C15ull, counter = 0;  // of the random generator
  std::uint64_t layers = 0;  // the counter of its second stream, and whether that is drawn from
  bool for_layers = false;

  Size pending_nodes = 0, pending_bytes = 0, taped_nodes = 0;
  std::uint64_t recorded = 0, evaluated = 0, regions = 0;

  // what other threads let go of, for this one to count down
  std::atomic<bool> has_foreign{false};
  std::mutex mutex;         // of the three below
  Node* foreign = nullptr;  // linked by next_foreign
  bool dead = false;        // its thread has ended
  bool acting = false;      // another lets go of things for it

  ThreadState* next_made = nullptr;  // of all that there are
  ThreadState* next_idle = nullptr;  // of those whose threads have ended

  Node* doomed = nullptr;         // worklist of release_last, linked by next_doomed
  std::vector<Node*> seen, heap;  // of a walk

  Tensor numbers[16];  // of formulas: see record

  const kernels::Table* kernels = nullptr;

  Shelf buffers;
  std::uint32_t releases = 0;  // calls of release_memory() that this thread has followed

  struct Idle {
    void* object = nullptr;
    void (*destroy)(void*) = nullptr;
  } workspaces[static_cast<int>(Use::count)];
};

ThreadState& new_thread();  // adopts the state of a thread that has ended, or makes one
inline ThreadState& current() { return this_thread ? *this_thread : new_thread(); }
void collect_foreign(ThreadState& t);

// What a call works in, left behind for the next, so that calls after the first allocate nothing. A call inside of
// another has one of its own. The main thread's are never destroyed, for static objects may still evaluate while they end;
// another's go after its thread_local objects.
template <class T, Use which>
class Workspace {
  struct Room {
    T value;
    Room* next = nullptr;
  };

 public:
  explicit Workspace(ThreadState& t)
      : idle_(t.workspaces[static_cast<int>(which)]), room_(static_cast<Room*>(idle_.object)) {
    if (room_) {
      idle_.object = room_->next;
    } else {
      room_ = new Room;
      idle_.destroy = destroy;
    }
  }
  ~Workspace() {
    room_->next = static_cast<Room*>(idle_.object);
    idle_.object = room_;
  }
  Workspace(const Workspace&) = delete;
  T& operator*() const { return room_->value; }
  T* operator->() const { return &room_->value; }

 private:
  static void destroy(void* rooms) {
    for (Room* room = static_cast<Room*>(rooms); room;) delete std::exchange(room, room->next);
  }
  ThreadState::Idle& idle_;
  Room* room_;
};

// While one lives, ops name their own lines and may lead to derivatives: around calls of the user's functions.
class UsersOwn {
 public:
  explicit UsersOwn(ThreadState& t, bool no_grad = false) noexcept
      : t_(t),
        located_(std::exchange(t.located, false)),
        no_grad_(std::exchange(t.no_grad, no_grad)),
        cut_as_(std::exchange(t.cut_as, cut_no_grad)) {}
  ~UsersOwn() {
    t_.located = located_;
    t_.no_grad = no_grad_;
    t_.cut_as = cut_as_;
  }
  UsersOwn(const UsersOwn&) = delete;

 private:
  ThreadState& t_;
  bool located_, no_grad_;
  unsigned cut_as_;
};

// While one lives, a rule of that name is recorded on placeholders.
class TracedBy {
 public:
  TracedBy(ThreadState& t, const char* what) noexcept : t_(t), before_(std::exchange(t.traced_by, what)) {}
  ~TracedBy() { t_.traced_by = before_; }
  TracedBy(const TracedBy&) = delete;

 private:
  ThreadState& t_;
  const char* before_;
};

// For a call's list of nodes, empty.
class NodeList {
 public:
  explicit NodeList(ThreadState& t) : list_(t) { list_->clear(); }
  void push_back(Node* n) { list_->push_back(n); }
  Node* const* data() const { return list_->data(); }
  std::size_t size() const { return list_->size(); }

 private:
  Workspace<std::vector<Node*>, Use::listed> list_;
};

// While one lives, functions of the user's that nodes let go of are kept: what they captured may compute as it ends.
class Quiet {
 public:
  explicit Quiet(ThreadState& t) noexcept : t_(t), outermost_(!std::exchange(t.quiet, true)) {}
  ~Quiet() {
    if (!outermost_) return;
    t_.quiet = false;
    if (t_.resting) give_resting(t_);
  }
  Quiet(const Quiet&) = delete;

 private:
  static void give_resting(ThreadState& t) noexcept;
  ThreadState& t_;
  const bool outermost_;
};

// At the end of the tape; off it.
inline void link(ThreadState& t, Node* n) {
  n->flags |= taped;
  n->previous = t.newest;
  n->next = nullptr;
  if (t.newest) t.newest->next = n;
  t.newest = n;
  ++t.taped_nodes;
}
inline void unlink(ThreadState& t, Node* n) {
  if (!n->has(taped)) return;
  n->flags &= ~unsigned{taped};
  (n->next ? n->next->previous : t.newest) = n->previous;
  if (n->previous) n->previous->next = n->next;
  --t.taped_nodes;
}

inline Size waiting_bytes(const Node* n) { return Size{n->waits} * 64; }
inline void waits_no_more(ThreadState& t, const Node* n) {
  --t.pending_nodes;
  t.pending_bytes -= waiting_bytes(n);
}

// Lets go of the inputs of an evaluated node: it is a number from now on.
inline void forget_inputs(Node* n) {
  const int inputs = n->inputs;
  n->inputs = 0;
  for (int i = 0; i < inputs; ++i) release(n->input(i));
}

void give_extra(Node* n) noexcept;  // what few nodes need, of one that goes

// Memory: 64-byte aligned, from the thread's pool. `pool` receives the size class. An Error of `op` at `source` where
// there is none.
char* take_buffer(std::size_t bytes, std::uint8_t& pool, const char* op, Source source);
void give_buffer(char* data, std::uint8_t pool) noexcept;
void refill_nodes(ThreadState& t, Op op, Source source);
void spill_nodes(ThreadState& t) noexcept;
void release_free(ThreadState& t) noexcept;     // to the system: free memory of this thread's and of the process
void give_up_buffers(ThreadState& t) noexcept;  // free ones, to the process or the system
extern constinit std::mutex code_lock,
    dense_lock;              // of what chain_code() knows; of dense_gradient(). Held over a fork()
void lock_pools() noexcept;  // around a fork()
void unlock_pools() noexcept;
inline void* take_node(ThreadState& t, Op op, Source source) {
  if (!t.nodes.top) refill_nodes(t, op, source);
  void* memory = t.nodes.pop();
  unpoison(memory, sizeof(Node));
  return memory;
}
inline void give_node(ThreadState& t, void* memory) noexcept {
  poison(memory, sizeof(Node));
  t.nodes.push(memory);
  if (t.nodes.size >= node_magazine) spill_nodes(t);
}

void copy_deep_shape(ThreadState& t, Node* n, const Shape& shape);  // n is given back where that fails

// A node with its shape set and no inputs; one count, the caller's.
inline Node* new_node(ThreadState& t, Op op, DType dtype, const Shape& shape, Size count, Source source) {
  Node* n = static_cast<Node*>(take_node(t, op, source));
  n->refs = 1;
  n->shared_count = 0;
  n->owner_thread = &t;
  n->home = &t;
  n->data = count == 0 ? n->local : nullptr;  // of none: nothing to compute
  n->op = op;
  n->dtype = dtype;
  n->pool = 0;
  n->temporaries = 0;
  n->inputs = 0;
  n->flags = 0;
  n->count = count;
  n->order = ++t.order;
  n->base = nullptr;
  n->walked = 0;
  n->slot = 0;
  n->variable = nullptr;
  n->file = source.file;
  n->line = source.line;
  n->extra = nullptr;
  n->given = 0;
  if (shape.rank() > 6) [[unlikely]]
    copy_deep_shape(t, n, shape);  // as it takes memory
  else new (&n->shape) Shape(shape);
  return n;
}

}  // namespace xgrad::engine
