// Softmax and its logarithm, over the last axis, row by row; another axis is brought there by a transpose.
#include <fmt/format.h>

#include "autodiff/kernels/rows.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {

// some(first, count): that many of the rows.
template <class Some>
void share_rows(Size rows, Size columns, const Some& some) {
  share_out(rows, std::max<Size>(1, 16384 / columns), [&](Size first, Size last) { some(first, last - first); });
}

template <class Rows>
void compute_rows(Node* n, const Rows& rows_of) {
  const Tensor x = dense(n->in[0]);
  char* out = allocate(n);
  const Size columns = n->shape.back(), bytes = columns * item_size(n->dtype);
  share_rows(n->count / columns, columns, [&](Size first, Size count) {
    rows_of(n->dtype, out + first * bytes, x.node()->data + first * bytes, count, columns);
  });
  n->data = out;
}

template <class Rows>
void compute_rows_of_two(Node* n, const Rows& rows_of) {
  const Tensor x = dense(n->in[0]), y = dense(n->in[1]);
  char* out = allocate(n);
  const Size columns = n->shape.back(), bytes = columns * item_size(n->dtype);
  share_rows(n->count / columns, columns, [&](Size first, Size count) {
    rows_of(n->dtype, out + first * bytes, x.node()->data + first * bytes, y.node()->data + first * bytes, count,
            columns);
  });
  n->data = out;
}

Tensor over_last(Op op, const In& x, Size axis) {
  const char* what = rule(op).name;
  const Tensor t = floats(operand(x, what));
  const Source source = source_of(x);
  const int rank = t.node()->shape.rank(), a = checked_axis(axis, rank, what, source);
  const Located at(x, what);
  if (a == rank - 1) return record(op, t.node()->dtype, t.node()->shape, {t.node()}, {}, source);
  const Tensor turned = transpose(t, a, -1);
  return transpose(record(op, t.node()->dtype, turned.node()->shape, {turned.node()}, {}, source), a, -1);
}

}  // namespace

// y = x - log sum exp x:   gx = g - exp(y) sum g
void compute_log_softmax(Node* n) { compute_rows(n, kernels::log_softmax_rows); }
Tensors vjp_log_softmax(const Step& s) {
  return {record(Op::log_softmax_vjp, s.n->dtype, s.n->shape, {s.g.node(), s.n}, {}, s.source())};
}

// z = x - exp(y) sum x:   gx = g - sum g exp(y)    gy = - g exp(y) sum x
void compute_log_softmax_vjp(Node* n) { compute_rows_of_two(n, kernels::log_softmax_vjp_rows); }
Tensors vjp_log_softmax_vjp(const Step& s) {
  const Tensor weighted = s.g * exp(s.x(1));
  return {s.wants(0) ? s.g - sum(weighted, -1, true) : Tensor(),
          s.wants(1) ? -weighted * sum(s.x(0), -1, true) : Tensor()};
}

// y = (x - log sum exp x)[i]:   gx = g (1 [c = i] - softmax x)
void compute_log_softmax_at(Node* n) {
  const Tensor x = dense(n->in[0]), index = dense(n->in[1]);
  char* out = allocate(n);
  const Size columns = n->in[0]->shape.back(), item = item_size(n->dtype);
  share_rows(n->count, columns, [&](Size first, Size count) {
    kernels::log_softmax_at(n->dtype, out + first * item, x.node()->data + first * columns * item,
                            index.node()->data.as<const Size>() + first, count, columns);
  });
  n->data = out;
}
Tensors vjp_log_softmax_at(const Step& s) {
  Node *x = s.n->in[0], *index = s.n->in[1];
  return {record(Op::log_softmax_at_vjp, s.n->dtype, x->shape, {s.g.node(), x, index}, {}, s.source())};
}
Tensor batch_log_softmax_at(const Replayed& r) {
  require_index(r.in[1], r.n->in[0]->shape.back(), "log_softmax", r.source());
  return batch_leading(r);
}

// z = g (1 [c = i] - p), p = exp log_softmax x:   gg = h_i - sum h p    gx = - g (h p - p sum h p), of z's cotangent h; the difference
// with h_i is taken first, and the other one by log_softmax_vjp, so that a p near 1 costs no digits
void compute_log_softmax_at_vjp(Node* n) {
  const Tensor g = dense(n->in[0]), x = dense(n->in[1]), index = dense(n->in[2]);
  char* out = allocate(n);
  const Size columns = n->shape.back(), item = item_size(n->dtype);
  share_rows(n->count / columns, columns, [&](Size first, Size count) {
    kernels::log_softmax_at_vjp(n->dtype, out + first * columns * item, g.node()->data + first * item,
                                x.node()->data + first * columns * item, index.node()->data.as<const Size>() + first,
                                count, columns);
  });
  n->data = out;
}
Tensors vjp_log_softmax_at_vjp(const Step& s) {
  const Tensor y = log_softmax(s.x(1), -1), p = exp(y);
  Tensor gg, gx;
  if (s.wants(0)) gg = -sum((s.g - gather(s.g, -1, unsqueeze(s.x(2), -1))) * p, -1);
  if (s.wants(1)) {
    const Tensor hp = s.g * p,
                 rest = record(Op::log_softmax_vjp, s.n->dtype, s.n->shape, {hp.node(), y.node()}, {}, s.source());
    gx = -unsqueeze(s.x(0), -1) * rest;
  }
  return {gg, gx};
}

// y = exp x / sum exp x:   gx = y (g - sum g y)
void compute_softmax(Node* n) { compute_rows(n, kernels::softmax_rows); }
Tensors vjp_softmax(const Step& s) {
  return {record(Op::softmax_vjp, s.n->dtype, s.n->shape, {s.g.node(), s.n}, {}, s.source())};
}

// z = y (x - sum x y):   gx = y (g - sum g y)    gy = g (x - sum x y) - x sum g y
void compute_softmax_vjp(Node* n) { compute_rows_of_two(n, kernels::softmax_vjp_rows); }
Tensors vjp_softmax_vjp(const Step& s) {
  const Tensor x = s.x(0), y = s.x(1);
  Tensor gx, gy;
  if (s.wants(0)) gx = record(Op::softmax_vjp, s.n->dtype, s.n->shape, {s.g.node(), y.node()}, {}, s.source());
  if (s.wants(1)) gy = s.g * (x - sum(x * y, -1, true)) - x * sum(s.g * y, -1, true);
  return {gx, gy};
}

}  // namespace xgrad::engine

namespace xgrad {

Tensor log_softmax(const In& x, At axis) { return engine::over_last(engine::Op::log_softmax, x, axis); }
Tensor log_softmax(const In& x, At axis, const In& index) {
  using namespace engine;
  const Located at(x, "log_softmax");
  const Source source = source_of(x, "log_softmax");
  Tensor t = floats(operand(x, "log_softmax"));
  const Tensor i = operand(index, "log_softmax");
  const int a = checked_axis(axis, t.node()->shape.rank(), "log_softmax", source), last = t.node()->shape.rank() - 1;
  Shape lines = t.node()->shape;
  lines.erase(a);
  if (i.node()->shape != lines)
    fail(source, "expected an index for each line, shape {}, got {}", lines, i.node()->shape);
  require_index(i, t.node()->shape[a], "log_softmax", source);
  if (a != last) {
    Shape order;
    for (int k = 0; k <= last; ++k)
      if (k != a) order.push_back(k);
    order.push_back(a);
    t = permute(t, order);
  }
  return record(Op::log_softmax_at, t.node()->dtype, lines, {t.node(), i.node()}, {}, source);
}
Tensor softmax(const In& x, At axis) { return engine::over_last(engine::Op::softmax, x, axis); }

}  // namespace xgrad
