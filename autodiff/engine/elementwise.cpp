// Elementwise ops, recorded: what they make of numbers, dtypes and shapes.
#include <algorithm>
#include <cstring>

#include "autodiff/engine/dtypes.hpp"
#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/record.hpp"
#include "autodiff/engine/strided.hpp"

namespace xgrad::engine {

namespace {

// Numbers written in formulas come again each step: the last few are kept.
Node* number_node(ThreadState& t, DType dtype, double value, const Source& source) {
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

// Where x is a temporary that has the only handle of its node, this op is the last to look at it through that handle.
inline void note_last_use(const In& x) {
  if (!x.is_temporary()) return;
  if (Node* n = x.node(); n && n->home == this_thread && n->pending() && n->refs == 1) n->temporaries = 1;
}

Node* node_of(const In& x, const char* op) {
  if (!x.node()) fail_empty(op, source_of(x));
  note_last_use(x);
  return x.node();
}

bool is_arithmetic(Op op) { return op == Op::add || op == Op::sub || op == Op::mul || op == Op::div; }

template <class T>
T arithmetic(Op op, const char* x, const char* y) {
  const T a = *reinterpret_cast<const T*>(x), b = *reinterpret_cast<const T*>(y);
  return op == Op::add ? a + b : op == Op::sub ? a - b : op == Op::mul ? a * b : a / b;
}

// Arithmetic on two numbers that are known: nothing is kept but the result, and what derivatives need.
inline Tensor record_numbers(ThreadState& t, Op op, DType dtype, const Shape& shape, Size elements, Node* const* in,
                             const Source& source) {
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

}  // namespace

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

Shape broadcast(const Shape& x, const Shape& y, const char* op, Source source) {
  const Shape& longer = x.rank() >= y.rank() ? x : y;
  const Shape& shorter = x.rank() >= y.rank() ? y : x;
  Shape shape = longer;
  const int lead = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    Size& e = shape[lead + i];
    if (e == shorter[i] || shorter[i] == 1) continue;
    if (e != 1)
      fail(source.named(op), "shapes do not broadcast: {} and {}; axes must be equal or 1, counted from the last", x,
           y);
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
    fail(source.named(rule(op).name), "division of integers by zero; mask the zeros with where, or cast to floats");
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

Tensor record_arrays(ThreadState& t, Op op, DType dtype, Node* const* in, bool like_a, const Source& source) {
  const Shape &a = in[0]->shape, &b = in[1]->shape;
  require_divisor(op, dtype, in, source);
  const DType result = is_comparison(op) ? DType::boolean : dtype;
  if (like_a) return record_elementwise(t, op, result, a, in[0]->count, in, 2, source);
  if (a.rank() == 0) return record_elementwise(t, op, result, b, in[1]->count, in, 2, source);
  const Shape shape = broadcast(a, b, rule(op).name, source);
  return record_elementwise(t, op, result, shape, checked_numel(shape, result, rule(op).name, source), in, 2, source);
}

// Arithmetic on numbers comes first, and inline: it is what small programs are made of.
inline __attribute__((always_inline)) Tensor record_binary(ThreadState& t, Op op, DType dtype, Node* const* in,
                                                           const Source& source) {
  const Shape &a = in[0]->shape, &b = in[1]->shape;
  const bool like_a = b.rank() == 0 || a == b;
  if (in[0]->data && in[1]->data && is_number(in[0]) && is_number(in[1]) && (like_a || a.rank() == 0) &&
      is_arithmetic(op) && is_float(dtype))
    return record_numbers(t, op, dtype, like_a ? a : b, like_a ? in[0]->count : in[1]->count, in, source);
  return record_arrays(t, op, dtype, in, like_a, source);
}

// Operands of two dtypes, whole numbers, and what is no tensor.
Tensor binary_converted(ThreadState& t, Op op, const In& x, const In& y, const Source& source) {
  const DType dtype = computed_in(*t.kernels, op, meet(x, y, rule(op).name, source));
  const Tensor a = converted(operand(x, rule(op).name), dtype), b = converted(operand(y, rule(op).name), dtype);
  Node* const in[] = {a.node(), b.node()};
  return record_binary(t, op, dtype, in, source);
}

// Powers that have ops of their own.
Tensor simple_power(const In& x, double y) {
  if (y == 1) return current().no_grad ? Tensor(share(x.node())).detach() : share(x.node());
  if (y == 2) return unary(Op::square, x);
  if (y == 3) return binary(Op::mul, unary(Op::square, x), x);
  if (y == 0.5) return unary(Op::pow_half, x);
  if (y == -1) return unary(Op::reciprocal, x);
  return {};
}

}  // namespace

Tensor binary(Op op, const In& x, const In& y) {
  ThreadState& t = current();
  const Source own = x.source();
  const Source& source = t.located ? t.at : own;
  Node *a = x.node(), *b = y.node();
  note_last_use(x);
  note_last_use(y);
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
  ThreadState& t = current();
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
  const Source source = source_of(condition, "where");
  const Tensor c = operand(condition, "where");
  if (c.node()->dtype != DType::boolean)
    fail(source, "expected a boolean condition, got {}; compare first: x > 0", name(c.node()->dtype));
  const DType dtype = meet(x, y, "where", source);
  const Tensor a = converted(operand(x, "where", dtype), dtype), b = converted(operand(y, "where", dtype), dtype);
  const Shape shape =
      broadcast(broadcast(a.node()->shape, b.node()->shape, "where", source), c.node()->shape, "where", source);
  checked_numel(shape, dtype, "where", source);
  return record(Op::where, dtype, shape, {c.node(), a.node(), b.node()}, {}, source);
}

}  // namespace xgrad::engine
