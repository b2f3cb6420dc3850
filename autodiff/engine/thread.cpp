#include "autodiff/engine/thread.hpp"

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

struct Exit {
  Thread* thread = nullptr;
  ~Exit() {
    if (!thread) return;
    collect_foreign(*thread);
    this_thread = nullptr;
    {
      const std::lock_guard lock(thread->mutex);
      thread->dead = true;
    }
    const std::lock_guard lock(registry().mutex);
    registry().idle.push_back(thread);
  }
};
thread_local Exit at_exit;

void destroy(Thread& own, Node* n);

}  // namespace

Thread& new_thread() {
  Thread* t = nullptr;
  {
    const std::lock_guard lock(registry().mutex);
    if (!registry().idle.empty()) {
      t = registry().idle.back();
      registry().idle.pop_back();
    }
  }
  if (!t) t = new Thread;
  t->kernels = &kernels::table();
  {
    const std::lock_guard lock(t->mutex);
    t->dead = false;
    t->no_grad = t->eager = t->located = false;
    t->seed = 0x9E3779B97F4A7C15ull;
    t->counter = 0;
  }
  this_thread = t;
  at_exit.thread = t;
  collect_foreign(*t);
  return *t;
}

void retain_shared(NodeHead* node) noexcept { node->shared.fetch_add(2, std::memory_order_relaxed); }

void release_shared(NodeHead* node) noexcept {
  Thread* owner;
  do {
    std::int32_t count = node->shared.load(std::memory_order_relaxed);
    while (count >= 2)
      if (node->shared.compare_exchange_weak(count, count - 2, std::memory_order_acq_rel)) {
        if (count - 2 == 1) destroy(current(), static_cast<Node*>(node));
        return;
      }
    owner = node->owner.load(std::memory_order_acquire);
  } while (owner == nobody);
  // A handle that the owner counted: the owner counts it down.
  const std::lock_guard lock(owner->mutex);
  if (!owner->dead) {
    owner->foreign.push_back(node);
    owner->has_foreign.store(true, std::memory_order_release);
    return;
  }
  Thread* const self = this_thread;  // its thread has ended: act for it, under its lock
  this_thread = owner;
  release(node);
  this_thread = self;
}

void release_last(NodeHead* node) noexcept {
  // No handle is left anywhere: counts of both kinds are zero, so nobody else can touch it.
  if (node->shared.load(std::memory_order_acquire) == 0) {
    destroy(*this_thread, static_cast<Node*>(node));
    return;
  }
  Node* n = static_cast<Node*>(node);
  if (n->has(taped)) {  // a tape is its owner's: keep a count, and look again later
    node->refs = 1;
    Thread& t = *this_thread;
    const std::lock_guard lock(t.mutex);
    t.foreign.push_back(node);
    t.has_foreign.store(true, std::memory_order_release);
    return;
  }
  node->owner.store(nobody, std::memory_order_release);
  if (node->shared.fetch_or(1, std::memory_order_acq_rel) == 0) destroy(*this_thread, n);
}

void collect_foreign(Thread& t) {
  static thread_local std::vector<NodeHead*> list;
  list.clear();
  {
    const std::lock_guard lock(t.mutex);
    if (!t.has_foreign.exchange(false, std::memory_order_acquire)) return;
    list.swap(t.foreign);
  }
  for (NodeHead* n : list) release(n);
}

void release_weak(Variable* variable) noexcept;

namespace {

inline void destroy_one(Thread& own, Node* d) {
  if (d->has(taped)) {
    unlink(own, d);
    if (d->waiting()) {
      --own.pending_nodes;
      own.pending_bytes -= d->count * item_size(d->dtype);
    }
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
