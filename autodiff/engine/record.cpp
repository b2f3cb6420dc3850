#include "autodiff/engine/record.hpp"

#include <fmt/format.h>

#include <cstring>
#include <algorithm>
#include <new>

#include "autodiff/engine/compute.hpp"
#include "autodiff/engine/dtypes.hpp"
#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/strided.hpp"

namespace xgrad::engine {

namespace {

constexpr Size most_pending = 4096;                // nodes
constexpr Size most_pending_bytes = Size{1} << 30;  // that they keep, or would take if all were stored

// Numbers written in formulas come again each step: the last few are kept.
Node* number_node(Thread& t, DType dtype, double value, Source source) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const std::size_t slot = (bits * 0x9E3779B97F4A7C15ull >> 60) ^ static_cast<std::size_t>(dtype);
  Tensor& kept = t.numbers[slot & 15];
  if (Node* n = kept.node(); n && n->dtype == dtype && std::memcmp(&n->a[0], &bits, sizeof bits) == 0) return n;
  Node* n = uniform_number(dtype, Shape{}, value, source);
  std::memcpy(&n->a[0], &bits, sizeof bits);
  kept = Tensor::adopt(n);
  return n;
}

// Where x is a temporary that has the only handle of its node, this op is the last to look at it through that.
inline void lend(const In& x) {
  if (!x.is_temporary()) return;
  if (Node* n = x.node(); n && n->home == this_thread && n->pending() && n->refs == 1) n->lent = 1;
}

Node* node_of(const In& x, const char* op) {
  if (!x.node()) fail_empty(op, source_of(x));
  lend(x);
  return x.node();
}

// Is the work on n little enough to be done now?
bool small(Node* n) {
  if (n->count > small_count) return false;
  for (int i = 0; i < n->inputs; ++i)
    if (const Node* x = n->input(i); x->count > small_count && !x->has(uniform)) return false;
  return true;
}

bool all_numbers(Node* n) {
  for (int i = 0; i < n->inputs; ++i)
    if (!is_number(n->in[i])) return false;
  return true;
}

}  // namespace

void fail_empty(const char* op, Source source) {
  fail(source, fmt::format("[{}] expected a tensor, got an empty one (default-constructed); give it a value first", op));
}

Tensor operand(const In& x, const char* op, DType number) {
  if (!x.is_number()) return share(node_of(x, op));
  if (number == DType::i64) {  // a double may not hold it
    const Size whole = x.integer();
    return Tensor::adopt(uniform_node(number, Shape{}, &whole, source_of(x)));
  }
  return share(number_node(current(), number, x.number(), source_of(x)));
}
Tensor operand(const In& x, const char* op) {
  if (!x.is_number()) return share(node_of(x, op));
  return static_cast<Tensor>(x);
}

namespace {

// A node with its inputs. `ready`: all of them have numbers.
inline Node* begin(Thread& t, Op op, DType dtype, const Shape& shape, Size elements, Node* const* in, int count,
                   Source source, bool& ready) {
  if (t.has_foreign.load(std::memory_order_relaxed)) collect_foreign(t);
  ++t.recorded;
  unsigned flags = 0;
  ready = true;
  for (int i = 0; i < count; ++i) {
    Node* x = in[i];
    flags |= x->flags;
    if (!x->pending()) continue;
    ready = false;
    if (x->home != &t) fail_foreign(x, rule(op).name, source);
  }
  Node* n = new_node(t, op, dtype, shape, elements, source);
  if (count <= inline_inputs) {
    n->inputs = static_cast<std::uint16_t>(count);
    for (int i = 0; i < count; ++i) {
      retain(in[i]);
      n->in[i] = in[i];
    }
  } else {
    set_inputs(n, in, count);
  }
  if (flags & (needs_grad | cuts) && is_float(dtype)) n->flags |= history(t, flags, in, count);
  if (flags & traced && n->count > 0) [[unlikely]] n->flags |= traced;
  return n;
}

// Its result, or numbers that it keeps for the while.
Size bytes_of_waiting(Node* n) {
  Size bytes = n->count * item_size(n->dtype);
  for (int i = 0; i < n->inputs; ++i)
    if (const Node* x = n->input(i); !x->pending() && !x->has(uniform))
      bytes = std::max(bytes, x->count * item_size(x->dtype));
  return bytes;
}

// What has numbers by now keeps its inputs only where derivatives need them; what has not waits.
inline void finish(Thread& t, Node* n) {
  if (n->has(traced)) {
    link(t, n);
  } else if (n->pending()) {
    link(t, n);
    n->waits = static_cast<std::uint32_t>(std::min<Size>(bytes_of_waiting(n) / 64, UINT32_MAX));
    t.pending_bytes += waiting_bytes(n);
    if (++t.pending_nodes > most_pending || t.pending_bytes > most_pending_bytes) flush(t);
  } else if (n->has(needs_grad)) {
    link(t, n);
  } else {
    forget_inputs(n);
  }
}

bool is_arithmetic(Op op) { return op == Op::add || op == Op::sub || op == Op::mul || op == Op::div; }

template <class T>
T arithmetic(Op op, const char* x, const char* y) {
  const T a = *reinterpret_cast<const T*>(x), b = *reinterpret_cast<const T*>(y);
  return op == Op::add ? a + b : op == Op::sub ? a - b : op == Op::mul ? a * b : a / b;
}

// Arithmetic on two numbers that are known: nothing is kept but the result, and what derivatives need.
inline Tensor record_numbers(Thread& t, Op op, DType dtype, const Shape& shape, Size elements, Node* const* in,
                             Source source) {
  if (t.has_foreign.load(std::memory_order_relaxed)) collect_foreign(t);
  Node* n = new_node(t, op, dtype, shape, elements, source);
  if (dtype == DType::f32) *reinterpret_cast<float*>(n->local) = arithmetic<float>(op, in[0]->data, in[1]->data);
  else *reinterpret_cast<double*>(n->local) = arithmetic<double>(op, in[0]->data, in[1]->data);
  ++t.recorded;
  ++t.evaluated;
  unsigned flags = elements == 1 ? computed : computed | uniform;
  if (const unsigned both = in[0]->flags | in[1]->flags; both & (needs_grad | cuts)) flags |= history(t, both, in, 2);
  n->flags = flags;
  n->data = n->local;
  if (flags & needs_grad) {
    n->inputs = 2;
    for (int i = 0; i < 2; ++i) {
      retain(in[i]);
      n->in[i] = in[i];
    }
    link(t, n);
  }
  return Tensor::adopt(n);
}

Tensor record_elementwise(Thread& t, Op op, DType dtype, const Shape& shape, Size elements, Node* const* in, int count,
                          Source source) {
  bool ready;
  Node* n = begin(t, op, dtype, shape, elements, in, count, source, ready);
  Tensor result = Tensor::adopt(n);
  if (!ready && t.eager && n->pending() && !n->has(traced)) {
    for (int i = 0; i < count; ++i) evaluate(t, in[i]);
    ready = true;
  }
  if (ready && n->pending() && (small(n) || t.eager || all_numbers(n))) {
    if (n->count <= small_count || all_numbers(n)) compute_small(t, n);
    else compute(t, n);
    n->flags |= computed;
    ++t.evaluated;
  }
  finish(t, n);
  return result;
}

}  // namespace

Tensor record(Op op, DType dtype, const Shape& shape, Node* const* in, int count, const Args& args, Source source) {
  Thread& t = current();
  if (kind_of(op) == Kind::elementwise) return record_elementwise(t, op, dtype, shape, shape.numel(), in, count, source);
  bool ready;
  Node* n = begin(t, op, dtype, shape, shape.numel(), in, count, source, ready);
  Tensor result = Tensor::adopt(n);
  for (int i = 0; i < 4; ++i) n->a[i] = args.a[i];
  if (args.told) extra_of(n).told = args.told;
  const bool now = t.eager || rule(op).at_once;
  if (!ready && now && n->pending() && !n->has(traced)) {
    for (int i = 0; i < count; ++i) evaluate(t, in[i]);
    ready = true;
  }
  if (ready && n->pending() && (now || small(n) || kind_of(op) == Kind::view)) {
    try {
      compute(t, n);
    } catch (const std::bad_alloc&) {  // for what it needs besides its result
      fail_no_memory(source, rule(op).name);
    }
    n->flags |= computed;
    ++t.evaluated;
  }
  finish(t, n);
  return result;
}

namespace {
struct Flushed {
  std::vector<Tensor> waiting, roots;  // held: an evaluation lets go of nodes
  std::vector<Node*> targets;
};
struct Cleared {
  Flushed& f;
  ~Cleared() { f.waiting.clear(), f.roots.clear(), f.targets.clear(); }
};
}  // namespace

void flush(Thread& t) {
  const Quiet quiet(t);
  try {
    const Workspace<Flushed, Kept::flushed> flushed(t);
    auto& [waiting, roots, targets] = *flushed;
    const Cleared cleared{*flushed};
    const std::uint64_t used = ++t.walks;
    for (Node* n = t.newest; n && static_cast<Size>(waiting.size()) < t.pending_nodes; n = n->previous) {
      if (!n->waiting()) continue;
      waiting.push_back(share(n));
      for (int i = 0; i < n->inputs; ++i)
        if (Node* x = n->input(i); x->pending()) x->mark = used;
    }
    for (const Tensor& w : waiting)
      if (w.node()->mark != used) roots.push_back(w);
    waiting.clear();
    for (const Tensor& r : roots) targets.push_back(r.node());
    evaluate(t, targets.data(), targets.size());
  } catch (const Error&) {  // no memory for what others wrote: they are told when they read it
  } catch (const std::bad_alloc&) {
  }
}

Shape broadcast(const Shape& x, const Shape& y, const char* op, Source source) {
  const Shape& longer = x.rank() >= y.rank() ? x : y;
  const Shape& shorter = x.rank() >= y.rank() ? y : x;
  Shape shape = longer;
  const int lead = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    Size& e = shape[lead + i];
    if (e == shorter[i] || shorter[i] == 1) continue;
    if (e != 1)
      fail(source, fmt::format("[{}] shapes do not broadcast: {} and {}; axes must be equal or 1, counted from the last",
                               op, x, y));
    e = shorter[i];
  }
  return shape;
}

namespace {

// A division by one of these is an Error: integers have no infinity.
void require_no_zero(Op op, Node* divisor, Source source) {
  if (divisor->has(traced)) return;  // when it has numbers
  evaluate(divisor, rule(op).name, source);
  const Tensor d = dense(divisor);
  const Size* at = d.node()->data.as<const Size>();
  if (std::find(at, at + divisor->count, 0) != at + divisor->count)
    fail(source, fmt::format("[{}] division of integers by zero; mask the zeros with where, or cast to floats", rule(op).name));
}

}  // namespace

void require_divisor(Op op, DType dtype, Node* const* in, Source source) {
  if (dtype == DType::i64 && (op == Op::floor_divide || op == Op::remainder)) require_no_zero(op, in[1], source);
}

Tensor unary(Op op, const In& x) {
  const Source source = source_of(x);
  Tensor held = x.is_number() ? operand(x, rule(op).name) : Tensor();
  Node* n = x.is_number() ? held.node() : node_of(x, rule(op).name);
  if (const DType dtype = computed_in(*current().kernels, op, n->dtype); dtype != n->dtype) {
    held = converted(share(n), dtype);
    n = held.node();
  }
  return record_elementwise(current(), op, n->dtype, n->shape, n->count, &n, 1, source);
}

namespace {

Tensor record_arrays(Thread& t, Op op, DType dtype, Node* const* in, bool like_a, Source source) {
  const Shape &a = in[0]->shape, &b = in[1]->shape;
  require_divisor(op, dtype, in, source);
  const DType result = is_comparison(op) ? DType::boolean : dtype;
  if (like_a) return record_elementwise(t, op, result, a, in[0]->count, in, 2, source);
  if (a.rank() == 0) return record_elementwise(t, op, result, b, in[1]->count, in, 2, source);
  const Shape shape = broadcast(a, b, rule(op).name, source);
  return record_elementwise(t, op, result, shape, checked_numel(shape, result, rule(op).name, source), in, 2, source);
}

// Arithmetic on numbers comes first, and inline: it is what small programs are made of.
inline __attribute__((always_inline)) Tensor record_binary(Thread& t, Op op, DType dtype, Node* const* in,
                                                           Source source) {
  const Shape &a = in[0]->shape, &b = in[1]->shape;
  const bool like_a = b.rank() == 0 || a == b;
  if (in[0]->data && in[1]->data && is_number(in[0]) && is_number(in[1]) && (like_a || a.rank() == 0) &&
      is_arithmetic(op) && is_float(dtype))
    return record_numbers(t, op, dtype, like_a ? a : b, like_a ? in[0]->count : in[1]->count, in, source);
  return record_arrays(t, op, dtype, in, like_a, source);
}

// Operands of two dtypes, whole numbers, and what is no tensor.
Tensor binary_converted(Thread& t, Op op, const In& x, const In& y, Source source) {
  const DType dtype = computed_in(*t.kernels, op, meet(x, y, rule(op).name, source));
  const Tensor a = converted(operand(x, rule(op).name), dtype), b = converted(operand(y, rule(op).name), dtype);
  Node* const in[] = {a.node(), b.node()};
  return record_binary(t, op, dtype, in, source);
}

// Powers that have ops of their own.
Tensor simple_power(const In& x, double y) {
  if (y == 1) return current().no_grad ? Tensor(share(x.node())).detach() : share(x.node());
  if (y == 2) return unary(Op::square, x);
  if (y == 0.5) return unary(Op::pow_half, x);
  if (y == -1) return unary(Op::reciprocal, x);
  return {};
}

}  // namespace

Tensor binary(Op op, const In& x, const In& y) {
  Thread& t = current();
  const Source source = t.located ? t.at : x.source();
  Node *a = x.node(), *b = y.node();
  lend(x);
  lend(y);
  if (a && b && a->dtype == b->dtype && computed_in(*t.kernels, op, a->dtype) == a->dtype) {
    Node* const in[] = {a, b};
    return record_binary(t, op, a->dtype, in, source);
  }
  if (a && y.is_number() && is_float(a->dtype)) {
    if (op == Op::pow)
      if (Tensor z = simple_power(x, y.number()); z.defined()) return z;
    Node* const in[] = {a, number_node(t, a->dtype, y.number(), source)};
    return record_binary(t, op, a->dtype, in, source);
  }
  if (b && x.is_number() && is_float(b->dtype)) {
    Node* const in[] = {number_node(t, b->dtype, x.number(), source), b};
    return record_binary(t, op, b->dtype, in, source);
  }
  return binary_converted(t, op, x, y, source);
}

Tensor ternary(Op op, const In& x, const In& y, const In& z) {
  Thread& t = current();
  const char* what = rule(op).name;
  const Source source = source_of(x);
  Tensors in{operand(x, what), operand(y, what), operand(z, what)};
  const DType dtype = computed_in(*t.kernels, op, meet(in));
  Shape shape;
  Node* nodes[3];
  for (std::size_t i = 0; i < 3; ++i) {
    in[i] = converted(in[i], dtype);
    nodes[i] = in[i].node();
    shape = broadcast(shape, nodes[i]->shape, what, source);
  }
  return record_elementwise(t, op, dtype, shape, checked_numel(shape, dtype, what, source), nodes, 3, source);
}

Tensor select(const In& condition, const In& x, const In& y) {
  const Source source = source_of(condition);
  const Tensor c = operand(condition, "where");
  if (c.node()->dtype != DType::boolean)
    fail(source, fmt::format("[where] expected a boolean condition, got {}; compare first: x > 0",
                             name(c.node()->dtype)));
  const DType dtype = meet(x, y, "where", source);
  const Tensor a = converted(operand(x, "where", dtype), dtype), b = converted(operand(y, "where", dtype), dtype);
  const Shape shape =
      broadcast(broadcast(a.node()->shape, b.node()->shape, "where", source), c.node()->shape, "where", source);
  checked_numel(shape, dtype, "where", source);
  return record(Op::where, dtype, shape, {c.node(), a.node(), b.node()}, {}, source);
}

Args args_of(const Node* n) {
  Args args;
  for (int i = 0; i < 4; ++i) args.a[i] = n->a[i];
  if (n->extra) args.told = n->extra->told;
  return args;
}

Tensor replay(Node* n, Node* const* in, int count) {
  Tensor again = record(n->op, n->dtype, n->shape, in, count, args_of(n), {n->file, n->line});
  turn_like(again.node(), n);
  return again;
}

int checked_axis(Size axis, int rank, const char* op, Source source) {
  if (rank == 0)
    fail(source, fmt::format("[{}] axis {} of a 0-d tensor, which has none; reshape(x, {{1}}) gives it one", op, axis));
  if (rank == 1 && axis != 0 && axis != -1)
    fail(source, fmt::format("[{}] axis {} of a vector; expected -1 or 0", op, axis));
  if (axis < -rank || axis >= rank)
    fail(source, fmt::format("[{}] axis {} of a tensor of {} axes; expected {} ... {}", op, axis, rank, -rank, rank - 1));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace xgrad::engine
