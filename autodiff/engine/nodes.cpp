#include "autodiff/engine/nodes.hpp"

#include <cstring>
#include <new>
#include <utility>

namespace xgrad::engine {

Node* new_node(Op op, DType dtype, const Shape& shape, Source source) {
  ThreadState& t = current();
  if (t.has_foreign.load(std::memory_order_relaxed)) collect_foreign(t);
  return new_node(t, op, dtype, shape, shape.numel(), source);
}

namespace {
constexpr std::size_t extra_bytes = (sizeof(Extra) + 63) / 64 * 64;
}

Extra& extra_of(Node* n) {
  if (!n->extra) {
    std::uint8_t pool;
    n->extra = new (take_buffer(extra_bytes, pool, rule(n->op).name, {n->file, n->line})) Extra;
    n->extra->pool = pool;
  }
  return *n->extra;
}

void set_inputs(Node* n, Node* const* in, int count) {
  if (count > inline_inputs) {
    Extra& extra = extra_of(n);
    extra.in = reinterpret_cast<Node**>(take_buffer(static_cast<std::size_t>(count - inline_inputs) * sizeof(Node*),
                                                    extra.in_pool, rule(n->op).name, {n->file, n->line}));
  }
  n->inputs = static_cast<std::uint16_t>(count);
  for (int i = 0; i < count; ++i) {
    retain(in[i]);
    n->input(i) = in[i];
  }
}

namespace {
bool is_row_major(const Shape& shape, const Shape& strides) {
  Size step = 1;
  for (int i = shape.rank(); i-- > 0;) {
    if (strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}
}  // namespace

Node* holder_of(Node* n, char*& data) {
  Node* owner = n->base ? n->base : n;
  if (owner->base) owner = owner->base;
  const bool ours = owner->owner().load(std::memory_order_relaxed) == this_thread;
  if (!owner->has(needs_grad) || owner->op == Op::leaf || (ours && owner->inputs == 0)) {
    retain(owner);
    return owner;
  }
  const bool few = owner->data == owner->local;
  if (!few && (!ours || !owner->pool || owner->shared().load(std::memory_order_relaxed) != 0)) return nullptr;
  Node* k = new_node(Op::leaf, owner->dtype, owner->shape, {owner->file, owner->line});
  if (few) {
    std::memcpy(k->local, owner->local, inline_bytes);
    k->data = k->local;
    data = k->local + (data - owner->local);
    return k;
  }
  k->pool = std::exchange(owner->pool, 0);
  k->data = static_cast<char*>(owner->data);
  owner->base = k;
  retain(k);
  return k;
}

void bind(Node* v, Node* n, const Shape* strides, Size offset) {
  if (v->count == 0) {
    v->data = v->local;
    return;
  }
  const Size item = item_size(n->dtype);
  if (n->has(uniform) || n->count == 1 || v->count == 1) {  // one number: copied
    std::memcpy(v->local, n->data + (n->has(uniform) ? 0 : offset * item), static_cast<std::size_t>(item));
    if (v->count > 1) v->flags |= uniform;
    v->data = v->local;
    return;
  }
  const bool in_steps = strides && !is_row_major(v->shape, *strides);
  Shape own = in_steps ? *strides : Shape();  // what can fail comes first
  char* data = n->data + offset * item;
  // What no derivative leads through holds no history.
  if (!v->has(needs_grad)) v->base = holder_of(n, data);
  if (!v->base) {
    v->base = n->base ? n->base : n;
    retain(v->base);
  }
  if (in_steps) {
    new (v->local) Shape(std::move(own));
    v->flags |= strided;
  }
  v->data = data;  // last: another thread may be looking
}

Node* uniform_node(DType dtype, const Shape& shape, const void* value, Source source) {
  Node* n = new_node(Op::leaf, dtype, shape, source);
  if (n->count == 0) return n;
  std::memcpy(n->local, value, static_cast<std::size_t>(item_size(dtype)));
  if (n->count > 1) n->flags |= uniform;
  n->data = n->local;
  return n;
}

Node* uniform_number(DType dtype, const Shape& shape, double value, Source source) {
  alignas(8) char number[8];
  write_number(dtype, number, value);
  return uniform_node(dtype, shape, number, source);
}

}  // namespace xgrad::engine
