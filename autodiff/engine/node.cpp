#include "autodiff/engine/node.hpp"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <new>

#include "autodiff/engine/record.hpp"
#include "autodiff/engine/strided.hpp"
#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

Node* new_node(Op op, DType dtype, const Shape& shape, Source source) {
  Thread& t = current();
  if (t.has_foreign.load(std::memory_order_relaxed)) collect_foreign(t);
  return new_node(t, op, dtype, shape, shape.numel(), source);
}

void copy_deep_shape(Thread& t, Node* n, const Shape& shape) {
  try {
    new (&n->shape) Shape(shape);
  } catch (...) {
    give_node(t, n);
    throw;
  }
}

void Unfinished::undo() noexcept { give_buffer(memory, std::exchange(n->pool, 0)); }

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

void Quiet::give_resting(Thread& t) noexcept {
  while (Extra* extra = t.resting) {
    t.resting = extra->next;
    destroy(extra);
  }
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

Size checked_numel(const Shape& shape, DType dtype, const char* op, Source source) {
  const Size most = std::numeric_limits<Size>::max() / 16 / item_size(dtype);
  bool empty = false;
  Size n = 1;
  for (Size e : shape) {
    if (e < 0) fail(source, fmt::format("[{}] extents must not be negative, got {}", op, shape));
    empty |= e == 0;
    // an extent of 0 excuses no others: a product of some of them must have a value too
    if (e > 0 && (__builtin_mul_overflow(n, e, &n) || n > most))
      fail(source, fmt::format("[{}] the shape {} has more elements than memory can hold", op, shape));
  }
  return empty ? 0 : n;
}

Shape row_major_strides(const Shape& shape) {
  Shape strides;
  strides.resize(shape.rank());
  Size step = 1;
  for (int i = shape.rank(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

Shape strides_of(const Node* n) {
  if (n->has(uniform)) {
    Shape zeros;
    zeros.resize(n->shape.rank());
    return zeros;
  }
  return n->has(strided) ? n->strides() : row_major_strides(n->shape);
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

namespace {

// What to hold for the numbers at `data`, which n sees, instead of n and its history: counted, null where there is none.
// Memory of a node with a history moves to a node without.
Node* keep(Node* n, char*& data) {
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

}  // namespace

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
  if (!v->has(needs_grad)) v->base = keep(n, data);
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

void bind_detached(Node* d, Node* n) {
  turn_like(d, n);
  const bool few = static_cast<std::size_t>(n->count * item_size(n->dtype)) <= inline_bytes;
  if (n->count == 0 || is_number(n)) {
    bind(d, n, nullptr, 0);
  } else if (char* data = n->data; Node* k = few ? nullptr : keep(n, data)) {
    d->base = k;
    if (n->has(strided)) {
      new (d->local) Shape(n->strides());  // d holds k, and goes where this fails
      d->flags |= strided;
    }
    d->data = data;
  } else {
    char* memory = allocate(d, "detach");
    copy_broadcast(memory, n, n->shape);
    d->data = memory;
  }
}

Node* detached(Node* n, Source source) {
  Node* d = new_node(Op::leaf, n->dtype, n->shape, source);
  Tensor holder = Tensor::adopt(d);
  bind_detached(d, n);
  retain(d);  // the caller's
  return d;
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

double read_number(DType dtype, const void* at) {
  switch (dtype) {
    case DType::f32: return *static_cast<const float*>(at);
    case DType::f64: return *static_cast<const double*>(at);
    case DType::i64: return static_cast<double>(*static_cast<const Size*>(at));
    default: return *static_cast<const unsigned char*>(at) != 0;
  }
}

void write_number(DType dtype, void* at, double value) {
  switch (dtype) {
    case DType::f32: *static_cast<float*>(at) = static_cast<float>(value); break;
    case DType::f64: *static_cast<double*>(at) = value; break;
    case DType::i64: *static_cast<Size*>(at) = static_cast<Size>(value); break;
    default: *static_cast<unsigned char*>(at) = value != 0; break;
  }
}

}  // namespace xgrad::engine
