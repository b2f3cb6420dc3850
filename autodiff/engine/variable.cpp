#include "autodiff/engine/variable.hpp"

#include <fmt/format.h>

#include <cstring>
#include <mutex>

#include <xgrad/autodiff/parameter.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/nodes.hpp"
#include "autodiff/engine/strided.hpp"

namespace xgrad::engine {

void retain(Variable* v) noexcept { v->strong.fetch_add(1, std::memory_order_relaxed); }
void release(Variable* v) noexcept {
  if (v->strong.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  v->leaf = Tensor();
  forget_gradient(v);
  release_weak(v);
}
void release_weak(Variable* v) noexcept {
  if (v->weak.fetch_sub(1, std::memory_order_acq_rel) == 1) delete v;
}

std::string described(const Variable* v) {
  return fmt::format("{} {}", name(v->leaf.node()->dtype), v->leaf.node()->shape);
}

namespace {

// A leaf over the numbers of a value: small ones are copied, others shared until somebody writes.
Tensor new_leaf(Variable* v, const Tensor& value, Source source) {
  evaluate(value.node(), "parameter", source);
  const Tensor numbers = dense(value.node());
  Node* n = detached(numbers.node(), source);
  note_read(value.node());
  n->variable = v;
  v->weak.fetch_add(1, std::memory_order_relaxed);
  if (is_float(n->dtype) && !v->frozen) n->flags |= needs_grad;
  return Tensor::adopt(n);
}

bool only_ours(const Node* n) {
  return n->owner().load(std::memory_order_relaxed) == this_thread && n->refs == 1 &&
         n->shared().load(std::memory_order_acquire) == 0;
}

}  // namespace

Variable* new_variable(const Tensor& value, Source source) try {
  static std::atomic<std::uint64_t> made{0};
  if (!value.defined()) fail(source.named("parameter"), "expected a value, got an empty tensor");
  auto* v = new Variable;
  v->origin = made.fetch_add(1, std::memory_order_relaxed);
  try {
    v->leaf = new_leaf(v, value, source);
  } catch (...) {
    delete v;
    throw;
  }
  return v;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "parameter");
}

Variable* copy_of(const Variable* v, Source source) {
  Variable* copy = new_variable(v->leaf, source);
  copy->origin = v->origin;
  if (v->frozen) freeze(copy, true);
  return copy;
}

Tensor prepared(Variable* v, const Tensor& value, const char* op, Source source) {
  if (!value.defined()) fail(source.named(op), "expected a value, got an empty tensor");
  const Node *held = v->leaf.node(), *n = value.node();
  if (held->dtype != n->dtype || !(held->shape == n->shape))
    fail(source.named(op), "the variable holds {}, got {} {}; a variable keeps its shape and dtype", described(v),
         name(n->dtype), n->shape);
  evaluate(value.node(), op, source);
  return new_leaf(v, value, {held->file, held->line});
}
void store(Variable* v, const Tensor& value, const char* op, Source source) {
  v->leaf = prepared(v, value, op, source);
}

void freeze(Variable* v, bool frozen) {
  if (v->frozen == frozen) return;
  const bool before = std::exchange(v->frozen, frozen);
  const Node* n = v->leaf.node();
  try {
    v->leaf = new_leaf(v, v->leaf, {n->file, n->line});
  } catch (...) {
    v->frozen = before;
    throw;
  }
  if (frozen) forget_gradient(v);
}

const Tensor& dense_gradient(Variable* v) {
  if (v->grad.defined() || !v->rows.index.defined()) return v->grad;
  const std::lock_guard lock(dense_lock);  // two threads may look at one gradient
  if (v->grad.defined()) return v->grad;
  const NoGrad constant;
  const Node* n = v->leaf.node();
  Tensor dense = dense_rows(v->rows, n->shape, {n->file, n->line});
  evaluate(dense.node(), "grad", {n->file, n->line});
  v->grad = std::move(dense);
  return v->grad;
}
void forget_gradient(Variable* v) noexcept {
  v->grad = Tensor();
  v->rows = {};
}

void* writable(Variable* v) {
  if (this_thread && this_thread->has_foreign.load(std::memory_order_relaxed)) collect_foreign(*this_thread);
  Node* n = v->leaf.node();
  if (only_ours(n) && (!n->base || (only_ours(n->base) && !n->base->base))) return n->data;
  Tensor fresh = Tensor::adopt(new_node(Op::leaf, n->dtype, n->shape, {n->file, n->line}));
  Node* f = fresh.node();
  if (f->count > 0) {
    char* memory = allocate(f, "writable");
    std::memcpy(memory, n->data, static_cast<std::size_t>(n->count * item_size(n->dtype)));
    f->data = memory;
  }
  v->leaf = new_leaf(v, fresh, {n->file, n->line});
  fresh = Tensor();
  return v->leaf.node()->data;
}

}  // namespace xgrad::engine
