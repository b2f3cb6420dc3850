#include "autodiff/engine/thread.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <new>
#include <utility>

#include "autodiff/engine/record.hpp"
#include "autodiff/kernels/fork.hpp"

namespace xgrad::engine {

constinit thread_local ThreadState* this_thread = nullptr;
constinit std::mutex code_lock, dense_lock;

namespace {

// Every ThreadState ever made; one whose thread has ended is adopted by the next that starts, with all that it owns.
struct Registry {
  std::mutex mutex;
  ThreadState* made = nullptr;  // linked by next_made
  ThreadState* idle = nullptr;  // linked by next_idle
  std::uint64_t streams = 0;    // of random numbers, given to threads so far
};
constinit Registry registry;  // of trivial destruction: it outlives static tensors

ThreadState* const nobody =
    reinterpret_cast<ThreadState*>(alignof(ThreadState));  // owner of a node that its recorder let go of

void destroy(ThreadState& own, Node* n);

// What others still hold is computed, for nobody could do it later.
void compute_what_waits(ThreadState& t) noexcept {
  try {
    if (t.pending_nodes > 0) flush(t);
  } catch (...) {  // no memory: it stays pending, and who reads it is told
  }
}

void forget_workspaces(ThreadState& t) noexcept {
  for (ThreadState::Idle& k : t.workspaces)
    if (void* object = std::exchange(k.object, nullptr)) k.destroy(object);
  std::vector<Node*>().swap(t.seen);
  std::vector<Node*>().swap(t.heap);
}

// At a thread's end, after its thread_local objects, which may hold tensors. (The main thread's state just stays.)
void end_thread(void* p) {
  ThreadState& t = *static_cast<ThreadState*>(p);
  collect_foreign(t);
  compute_what_waits(t);
  for (bool done = false; !done;) {
    collect_foreign(t);
    forget_workspaces(t);
    give_up_buffers(t);
    const std::lock_guard lock(t.mutex);
    done = t.dead = t.foreign == nullptr;
  }
  this_thread = nullptr;
  const std::lock_guard lock(registry.mutex);
  t.next_idle = std::exchange(registry.idle, &t);
}
pthread_key_t end_key() {
  static const pthread_key_t key = [] {
    pthread_key_t k;
    if (pthread_key_create(&k, end_thread) != 0)
      fail(Source{}.named("thread"), "the system has no room for one more key");
    return k;
  }();
  return key;
}

// Of a thread that has ended; null: there is none.
ThreadState* adopt() {
  const std::lock_guard lock(registry.mutex);
  for (ThreadState** at = &registry.idle; ThreadState* t = *at; at = &t->next_idle) {
    const std::lock_guard own(t->mutex);
    if (t->acting) continue;
    t->dead = false;
    *at = t->next_idle;
    return t;
  }
  return nullptr;
}

ThreadState* make() {
  auto* t = new (std::nothrow) ThreadState;
  if (!t) return nullptr;
  const std::lock_guard lock(registry.mutex);
  t->next_made = std::exchange(registry.made, t);
  return t;
}

// The generator of a thread that nobody seeds: the main thread's is always the same, and each other that starts has a
// key that none had before (by SplitMix64's bijection, Steele, Lea, Flood 2014).
std::uint64_t next_seed() {
  constexpr std::uint64_t first = 0x9E3779B97F4A7C15ull;
  if (::getpid() == static_cast<pid_t>(::syscall(SYS_gettid))) return first;
  std::uint64_t z;
  {
    const std::lock_guard lock(registry.mutex);
    z = first + ++registry.streams * first;
  }
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

[[noreturn]] void fail_start() {
  fail(Source{}.named("thread"), "no memory for what a thread needs to begin with; free some, or start fewer threads");
}

// This thread's state, from now on; null: there is no memory for one.
ThreadState* start() {
  const pthread_key_t key = end_key();
  const kernels::Table& table = kernels::table();
  ThreadState* t = adopt();
  if (!t) t = make();
  if (!t) return nullptr;
  if (pthread_setspecific(key, t) != 0) {
    const std::lock_guard lock(registry.mutex);
    const std::lock_guard own(t->mutex);
    t->dead = true;
    t->next_idle = std::exchange(registry.idle, t);
    return nullptr;
  }
  t->kernels = &table;
  t->no_grad = t->eager = t->located = false;
  t->seed = next_seed();
  t->counter = t->layers = 0;
  t->for_layers = false;
  this_thread = t;
  collect_foreign(*t);
  return t;
}

}  // namespace

ThreadState& new_thread() {
  ThreadState* t = start();
  if (!t) fail_start();
  return *t;
}

namespace {

// The next node that others let go of handles of, and of how many; null: no more.
Node* next_foreign(ThreadState& t, std::uint32_t& handles) {
  Node* n = t.foreign;
  if (!n) return nullptr;
  t.foreign = n->next_foreign;
  handles = std::exchange(n->given, 0);
  return n;
}

// Counts down, or frees what only waited to be taken off its tape.
void let_go(ThreadState& t, Node* n, std::uint32_t handles) {
  if (n->owner().load(std::memory_order_relaxed) == nobody) return destroy(t, n);
  n->refs -= handles - 1;
  release(n);
}

// For its thread to let go of; where that has ended, one of those that come here acts for it. Nothing is let go of under
// a lock, for that may lead to the next thread's.
void give_to(ThreadState& t, Node* node) {
  {
    const std::lock_guard lock(t.mutex);
    if (node->given++ == 0) node->next_foreign = std::exchange(t.foreign, node);
    t.has_foreign.store(true, std::memory_order_release);
    if (!t.dead || t.acting) return;
    t.acting = true;
  }
  ThreadState* const self = std::exchange(this_thread, &t);
  for (;;) {
    Node* n;
    std::uint32_t handles;
    {
      const std::lock_guard lock(t.mutex);
      n = next_foreign(t, handles);
      if (!n && t.buffers.free() == 0) {
        t.acting = false;
        break;
      }
    }
    if (n) let_go(t, n, handles);
    else give_up_buffers(t);
  }
  this_thread = self;
}

// A thread that only lets go of things may find no memory for a state of its own. Then it borrows this one, and others
// of its kind wait.
struct LastResort {
  std::mutex mutex;
  ThreadState thread;
};
LastResort& last_resort() {
  alignas(LastResort) static unsigned char memory[sizeof(LastResort)];
  static LastResort* const made = new (memory) LastResort;
  return *made;
}

void destroy_without_state(Node* n) {
  LastResort& last = last_resort();
  const std::lock_guard lock(last.mutex);
  this_thread = &last.thread;
  destroy(last.thread, n);
  give_up_buffers(last.thread);
  this_thread = nullptr;
}

ThreadState* state_or_null() noexcept {
  if (this_thread) return this_thread;
  try {
    return start();
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

void retain_shared(NodeHead* node) noexcept {
  static_cast<Node*>(node)->shared().fetch_add(2, std::memory_order_relaxed);
}

void release_shared(NodeHead* node) noexcept {
  Node* n = static_cast<Node*>(node);
  ThreadState* owner;
  do {
    std::int32_t count = n->shared().load(std::memory_order_relaxed);
    while (count >= 2)
      if (n->shared().compare_exchange_weak(count, count - 2, std::memory_order_acq_rel)) {
        if (count - 2 != 1) return;                                         // not the last
        if (n->has(taped) && n->home != this_thread) give_to(*n->home, n);  // a tape is its thread's
        else if (ThreadState* t = state_or_null()) destroy(*t, n);
        else destroy_without_state(n);
        return;
      }
    owner = n->owner().load(std::memory_order_acquire);
  } while (owner == nobody);
  give_to(*owner, n);  // a handle that the owner counted
}

void release_last(NodeHead* node) noexcept {
  Node* n = static_cast<Node*>(node);
  // Where counts of both kinds are zero no handle is left anywhere, so nobody else can touch it.
  if (n->shared().load(std::memory_order_acquire) != 0) {
    n->owner().store(nobody, std::memory_order_release);
    if (n->shared().fetch_or(1, std::memory_order_acq_rel) != 0) return;
  }
  destroy(*this_thread, n);
}

void collect_foreign(ThreadState& t) {
  for (;;) {
    Node* n;
    std::uint32_t handles;
    {
      const std::lock_guard lock(t.mutex);
      n = next_foreign(t, handles);
      if (!n) return t.has_foreign.store(false, std::memory_order_relaxed);
    }
    let_go(t, n, handles);
  }
}

void release_weak(Variable* variable) noexcept;

namespace {

inline void destroy_one(ThreadState& own, Node* d) {
  if (d->has(taped)) {
    unlink(own, d);
    if (d->waiting()) waits_no_more(own, d);
  }
  forget_inputs(d);
  if (d->base) release(d->base);
  else if (d->data && d->pool) give_buffer(d->data, d->pool);
  else give_unfinished(d);
  if (d->variable) release_weak(d->variable);
  if (d->extra) give_extra(d);
  d->shape.~Shape();
  if (d->has(strided)) d->strides().~Shape();
  give_node(own, d);
}

// Frees a node that no handle is left of, and what that leaves without a handle: a worklist, not recursion.
void destroy(ThreadState& own, Node* n) {
  if (own.releasing) {
    n->next_doomed = std::exchange(own.doomed, n);
    return;
  }
  own.releasing = true;
  destroy_one(own, n);
  while (Node* d = own.doomed) {
    own.doomed = d->next_doomed;
    destroy_one(own, d);
  }
  own.releasing = false;
}

}  // namespace

void copy_deep_shape(ThreadState& t, Node* n, const Shape& shape) {
  try {
    new (&n->shape) Shape(shape);
  } catch (...) {
    give_node(t, n);
    throw;
  }
}

// ---- what few nodes need

namespace {
void destroy(Extra* extra) noexcept {
  const UsersOwn scope(*this_thread);
  const std::uint8_t pool = extra->pool;
  extra->~Extra();
  give_buffer(reinterpret_cast<char*>(extra), pool);
}
}  // namespace

void give_extra(Node* n) noexcept {
  Extra* extra = std::exchange(n->extra, nullptr);
  if (!extra) return;
  if (extra->in) give_buffer(reinterpret_cast<char*>(extra->in), extra->in_pool);
  if (this_thread->quiet && extra->told) {
    extra->next = this_thread->resting;
    this_thread->resting = extra;
  } else {
    destroy(extra);
  }
}

void Quiet::give_resting(ThreadState& t) noexcept {
  while (Extra* extra = t.resting) {
    t.resting = extra->next;
    destroy(extra);
  }
}

// ---- fork()

namespace {

// A child has the calling thread alone, and its memory as it is at that moment. So nobody may be inside of what a lock
// guards, nor in a pass of the pool or a call of a library: every lock is taken, those first under which others are.
// States of threads that are not in the child stay as they are: nobody adopts them.
void before_fork() {
  last_resort().mutex.lock();
  dense_lock.lock();
  kernels::before_fork();
  registry.mutex.lock();
  for (ThreadState* t = registry.made; t; t = t->next_made) t->mutex.lock();
  lock_pools();
  code_lock.lock();
}
void unlock_all() {
  code_lock.unlock();
  unlock_pools();
  for (ThreadState* t = registry.made; t; t = t->next_made) t->mutex.unlock();
  registry.mutex.unlock();
}
void unlock_first_ones() {
  dense_lock.unlock();
  last_resort().mutex.unlock();
}
void after_fork() {
  unlock_all();
  kernels::after_fork(false);
  unlock_first_ones();
}
void in_child() {
  unlock_all();
  kernels::after_fork(true);
  unlock_first_ones();
}
[[maybe_unused]] const int fork_handled = pthread_atfork(before_fork, after_fork, in_child);

}  // namespace

}  // namespace xgrad::engine
