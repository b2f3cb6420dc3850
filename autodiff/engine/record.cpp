#include "autodiff/engine/record.hpp"

#include <fmt/format.h>

#include <cstring>
#include <algorithm>

#include "autodiff/engine/compute.hpp"
#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/strided.hpp"

namespace xgrad::engine {

namespace {

constexpr Size most_pending = 4096;                // nodes
constexpr Size most_pending_bytes = Size{1} << 30;  // of their results, as if all were stored

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

[[noreturn]] void fail_foreign(Node* x, const char* op, Source source) {
  fail(source, fmt::format("[{}] got a pending tensor of another thread, {} {}; call evaluate(...) on it where it was "
                           "recorded", op, name(x->dtype), x->shape));
}

[[noreturn]] void fail_empty(const char* op, Source source) {
  fail(source, fmt::format("[{}] expected a tensor, got an empty one (default-constructed); give it a value first", op));
}

Node* node_of(const In& x, const char* op) {
  if (!x.node()) fail_empty(op, source_of(x));
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

Tensor operand(const In& x, const char* op, DType number) {
  if (!x.is_number()) return share(node_of(x, op));
  return share(number_node(current(), number, x.number(), source_of(x)));
}
Tensor operand(const In& x, const char* op) {
  if (!x.is_number()) return share(node_of(x, op));
  return static_cast<Tensor>(x);
}

Tensor record(Op op, DType dtype, const Shape& shape, Node* const* in, int count, const Args& args, Source source) {
  Thread& t = current();
  if (t.has_foreign.load(std::memory_order_relaxed)) collect_foreign(t);
  ++t.recorded;
  bool ready = true, grad = false;
  for (int i = 0; i < count; ++i) {
    Node* x = in[i];
    grad |= x->has(needs_grad);
    if (!x->pending()) continue;
    ready = false;
    if (x->owner.load(std::memory_order_relaxed) != &t) fail_foreign(x, rule(op).name, source);
  }
  Node* n = new_node(op, dtype, shape, source);
  Tensor result = Tensor::adopt(n);
  set_inputs(n, in, count);
  for (int i = 0; i < 4; ++i) n->a[i] = args.a[i];
  if (args.axes) extra_of(n).axes = *args.axes;
  if (args.custom) extra_of(n).custom = args.custom;
  if (grad && !t.no_grad && is_float(dtype)) n->flags |= needs_grad;

  if (n->pending()) {
    if (!ready && t.eager) {
      for (int i = 0; i < count; ++i) evaluate(t, in[i]);
      ready = true;
    }
    const Kind kind = kind_of(op);
    if (ready && (t.eager || small(n) || kind == Kind::view || op == Op::custom ||
                  (kind == Kind::elementwise && all_numbers(n)))) {
      if (kind == Kind::elementwise && n->count > small_count && all_numbers(n)) compute_small(t, n);
      else compute(t, n);
      n->flags |= computed;
      ++t.evaluated;
    }
  }
  if (n->pending()) {
    link(t, n);
    t.pending_bytes += n->count * item_size(dtype);
    if (++t.pending_nodes > most_pending || t.pending_bytes > most_pending_bytes) flush(t);
  } else if (n->has(needs_grad)) {
    link(t, n);
  } else {
    forget_inputs(n);
  }
  return result;
}

void flush(Thread& t) {
  std::vector<Tensor> waiting;  // held: an evaluation lets go of nodes
  const std::uint32_t used = ++t.walks;
  for (Node* n = t.newest; n && static_cast<Size>(waiting.size()) < t.pending_nodes; n = n->previous) {
    if (!n->waiting()) continue;
    waiting.push_back(share(n));
    for (int i = 0; i < n->inputs; ++i)
      if (Node* x = n->input(i); x->pending()) x->mark = used;
  }
  std::vector<Tensor> roots;
  for (const Tensor& w : waiting)
    if (w.node()->mark != used) roots.push_back(w);
  waiting.clear();
  std::vector<Node*> targets;
  for (const Tensor& r : roots) targets.push_back(r.node());
  evaluate(t, targets.data(), targets.size());
}

DType meet(const In& x, const In& y, const char* op, Source source) {
  if (x.is_number() && y.is_number()) {
    if (!is_float(x.number_dtype()) && !is_float(y.number_dtype())) return DType::i64;
    return x.number_dtype() == DType::f32 && y.number_dtype() == DType::f32 ? DType::f32 : DType::f64;
  }
  if (x.is_number() || y.is_number()) {
    const In& number = x.is_number() ? x : y;
    const DType tensor = node_of(x.is_number() ? y : x, op)->dtype;
    if (is_float(tensor)) return tensor;
    if (is_float(number.number_dtype()))
      fail(source, fmt::format("[{}] the fractional number {} next to {}; cast the tensor: cast(x, f32)", op,
                               number.number(), name(tensor)));
    return tensor == DType::boolean && number.number_dtype() == DType::i64 ? DType::i64 : tensor;
  }
  const DType a = node_of(x, op)->dtype, b = node_of(y, op)->dtype;
  if (a == b) return a;
  if (is_float(a) && is_float(b))
    fail(source, fmt::format("[{}] {} next to {}; cast one: cast(x, {}), or write numbers as 0.5f", op, name(a), name(b),
                             name(a)));
  if (is_float(a)) return a;
  if (is_float(b)) return b;
  return DType::i64;
}

Tensor converted(const Tensor& t, DType dtype) {
  if (t.node()->dtype == dtype) return t;
  Node* n = t.node();
  return record(Op::cast, dtype, n->shape, {n}, {}, {n->file, n->line});
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

void require_kernel(Op op, DType dtype, Source source) {
  const bool logic = op == Op::logical_and || op == Op::logical_or || op == Op::logical_not;
  if (kind_of(op) != Kind::elementwise || op == Op::cast) return;
  if (!current().kernels->elementwise[static_cast<int>(op) - 1][static_cast<int>(dtype)][0])
    fail(source, fmt::format("[{}] expected {}, got {}; cast it first: cast(x, {})", rule(op).name,
                             logic                    ? "boolean"
                             : dtype == DType::boolean ? "numbers"
                                                       : "floats",
                             name(dtype), logic ? "boolean" : dtype == DType::boolean ? "i64" : "f32"));
}

void require_no_zero(Node* divisor, Source source) {
  evaluate(divisor);
  const Tensor d = dense(divisor);
  const Size* at = reinterpret_cast<const Size*>(d.node()->data);
  if (std::find(at, at + divisor->count, 0) != at + divisor->count)
    fail(source, "[div] division of i64 by zero; mask the zeros with where, or cast to f64");
}

bool is_comparison(Op op) { return op >= Op::equal && op <= Op::greater_equal; }

}  // namespace

Tensor unary(Op op, const In& x) {
  const Source source = source_of(x);
  const Tensor held = x.is_number() ? operand(x, rule(op).name) : Tensor();
  Node* n = x.is_number() ? held.node() : node_of(x, rule(op).name);
  require_kernel(op, n->dtype, source);
  return record(op, n->dtype, n->shape, &n, 1, {}, source);
}

Tensor binary(Op op, const In& x, const In& y) {
  if (op == Op::pow && y.is_number() && !x.is_number() && is_float(node_of(x, "pow")->dtype)) {
    if (y.number() == 1) return share(x.node());
    if (y.number() == 2) return unary(Op::square, x);
    if (y.number() == 0.5) return unary(Op::sqrt, x);
    if (y.number() == -1) return unary(Op::reciprocal, x);
  }
  const char* what = rule(op).name;
  const Source source = source_of(x);
  const DType dtype = meet(x, y, what, source);
  Tensor held[2];
  Node* in[2];
  for (int i = 0; i < 2; ++i) {
    const In& v = i == 0 ? x : y;
    if (v.is_number()) {
      if (dtype == DType::i64) {
        Node* n = new_node(Op::leaf, DType::i64, Shape{}, source);
        const Size number = v.integer();
        std::memcpy(n->local, &number, sizeof number);
        n->data = n->local;
        held[i] = Tensor::adopt(n);
      } else {
        held[i] = share(number_node(current(), dtype, v.number(), source));
      }
    } else if (v.node()->dtype != dtype) {
      held[i] = record(Op::cast, dtype, v.node()->shape, {v.node()}, {}, source);
    }
    in[i] = held[i].defined() ? held[i].node() : v.node();
  }
  require_kernel(op, dtype, source);
  if (op == Op::div && dtype == DType::i64) require_no_zero(in[1], source);
  const DType result = is_comparison(op) ? DType::boolean : dtype;
  const Shape &a = in[0]->shape, &b = in[1]->shape;
  if (b.rank() == 0 || a == b) return record(op, result, a, in, 2, {}, source);
  if (a.rank() == 0) return record(op, result, b, in, 2, {}, source);
  const Shape shape = broadcast(a, b, what, source);
  checked_numel(shape, result, what, source);
  return record(op, result, shape, in, 2, {}, source);
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
  require_kernel(Op::where, dtype, source);
  return record(Op::where, dtype, shape, {c.node(), a.node(), b.node()}, {}, source);
}

Tensor replay(Node* n, Node* const* in) {
  Args args;
  for (int i = 0; i < 4; ++i) args.a[i] = n->a[i];
  if (n->extra && n->op == Op::permute) args.axes = &n->extra->axes;
  return record(n->op, n->dtype, n->shape, in, n->inputs, args, {n->file, n->line});
}

int checked_axis(Size axis, int rank, const char* op, Source source) {
  if (axis < -rank || axis >= rank)
    fail(source, fmt::format("[{}] axis {} of a tensor of {} axes; expected {} ... {}", op, axis, rank, -rank, rank - 1));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace xgrad::engine
