#include "autodiff/engine/thread.hpp"

#include <pthread.h>

#include <utility>

namespace xgrad::engine {

constinit thread_local Thread* this_thread = nullptr;

namespace {

// Every Thread ever made; one whose thread has ended is adopted by the next that starts, with all that it owns.
struct Registry {
  std::mutex mutex;
  std::vector<Thread*> idle;
};
Registry& registry() {
  static Registry* r = new Registry;  // outlives static tensors
  return *r;
}

Thread* const nobody = reinterpret_cast<Thread*>(alignof(Thread));  // owner of a node that its recorder let go of

void destroy(Thread& own, Node* n);

// At a thread's end, after its thread_local objects, which may hold tensors. (The main thread's state just stays.)
void end_thread(void* p) {
  Thread& t = *static_cast<Thread*>(p);
  for (bool done = false; !done;) {
    collect_foreign(t);
    const std::lock_guard lock(t.mutex);
    done = t.dead = t.foreign.empty();
  }
  this_thread = nullptr;
  const std::lock_guard lock(registry().mutex);
  registry().idle.push_back(&t);
}
pthread_key_t end_key() {
  static const pthread_key_t key = [] {
    pthread_key_t k;
    if (pthread_key_create(&k, end_thread) != 0) fail({}, "[thread] the system has no room for one more key");
    return k;
  }();
  return key;
}

Thread* adopt() {
  const std::lock_guard lock(registry().mutex);
  std::vector<Thread*>& idle = registry().idle;
  for (std::size_t i = idle.size(); i-- > 0;) {
    Thread* t = idle[i];
    const std::lock_guard own(t->mutex);
    if (t->acting) continue;
    t->dead = false;
    idle.erase(idle.begin() + static_cast<std::ptrdiff_t>(i));
    return t;
  }
  return nullptr;
}

}  // namespace

Thread& new_thread() {
  const pthread_key_t key = end_key();
  Thread* t = adopt();
  if (!t) t = new Thread;
  t->kernels = &kernels::table();
  t->no_grad = t->eager = t->located = false;
  t->seed = 0x9E3779B97F4A7C15ull;
  t->counter = 0;
  this_thread = t;
  pthread_setspecific(key, t);
  collect_foreign(*t);
  return *t;
}

namespace {

// Counts down, or frees what only waited to be taken off its tape.
void let_go(Thread& t, std::vector<NodeHead*>& list) {
  for (NodeHead* n : list) {
    Node* node = static_cast<Node*>(n);
    if (node->owner().load(std::memory_order_relaxed) == nobody) destroy(t, node);
    else release(n);
  }
  list.clear();
}

// For its thread to let go of; where that has ended, one of those that come here acts for it. Nothing is let go of under
// a lock, for that may lead to the next thread's.
void give_to(Thread& t, NodeHead* node) {
  std::vector<NodeHead*> list;
  {
    const std::lock_guard lock(t.mutex);
    t.foreign.push_back(node);
    t.has_foreign.store(true, std::memory_order_release);
    if (!t.dead || t.acting) return;
    t.acting = true;
    list.swap(t.foreign);
  }
  Thread* const self = std::exchange(this_thread, &t);
  for (bool more = true; more;) {
    let_go(t, list);
    const std::lock_guard lock(t.mutex);
    list.swap(t.foreign);
    more = t.acting = !list.empty();
  }
  this_thread = self;
}

}  // namespace

void retain_shared(NodeHead* node) noexcept {
  static_cast<Node*>(node)->shared().fetch_add(2, std::memory_order_relaxed);
}

void release_shared(NodeHead* node) noexcept {
  Node* n = static_cast<Node*>(node);
  Thread* owner;
  do {
    std::int32_t count = n->shared().load(std::memory_order_relaxed);
    while (count >= 2)
      if (n->shared().compare_exchange_weak(count, count - 2, std::memory_order_acq_rel)) {
        if (count - 2 != 1) return;  // not the last
        if (n->has(taped) && n->home != this_thread) give_to(*n->home, node);  // a tape is its thread's
        else destroy(current(), n);
        return;
      }
    owner = n->owner().load(std::memory_order_acquire);
  } while (owner == nobody);
  give_to(*owner, node);  // a handle that the owner counted
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

void collect_foreign(Thread& t) {
  std::vector<NodeHead*> list = std::move(t.spare);  // letting go may come here again
  {
    const std::lock_guard lock(t.mutex);
    t.has_foreign.store(false, std::memory_order_relaxed);
    list.swap(t.foreign);
  }
  let_go(t, list);
  t.spare = std::move(list);
}

void release_weak(Variable* variable) noexcept;

namespace {

inline void destroy_one(Thread& own, Node* d) {
  if (d->has(taped)) {
    unlink(own, d);
    if (d->waiting()) waits_no_more(own, d);
  }
  forget_inputs(d);
  if (d->base) release(d->base);
  else if (d->pool && d->data) give_buffer(d->data, d->pool);
  if (d->variable) release_weak(d->variable);
  if (d->extra) give_extra(d);
  d->shape.~Shape();
  if (d->has(strided)) d->strides().~Shape();
  give_node(own, d);
}

// Frees a node that no handle is left of, and what that leaves without a handle: a worklist, not recursion.
void destroy(Thread& own, Node* n) {
  if (own.releasing) {
    own.doomed.push_back(n);
    return;
  }
  own.releasing = true;
  destroy_one(own, n);
  while (!own.doomed.empty()) {
    Node* d = own.doomed.back();
    own.doomed.pop_back();
    destroy_one(own, d);
  }
  own.releasing = false;
}

}  // namespace

}  // namespace xgrad::engine
