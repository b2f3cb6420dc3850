// Softmax and its logarithm, over the last axis, row by row; another axis is brought there by a transpose.
#include <fmt/format.h>

#include "autodiff/kernels/rows.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {

// some(first, count): that many numbers, whole rows of them.
template <class Some>
void share_rows(Node* n, const Some& some) {
  const Size columns = n->shape.back(), rows = n->count / columns, together = std::max<Size>(1, 16384 / columns);
  share_out(rows, together, [&](Size first, Size last) { some(first * columns, (last - first) * columns); });
}

template <class Rows>
void compute_rows(Node* n, const Rows& rows_of) {
  const Tensor x = dense(n->in[0]);
  char* out = allocate(n);
  const Size columns = n->shape.back(), item = item_size(n->dtype);
  share_rows(n, [&](Size first, Size count) {
    rows_of(n->dtype, out + first * item, x.node()->data + first * item, count / columns, columns);
  });
  n->data = out;
}

template <class Rows>
void compute_rows_of_two(Node* n, const Rows& rows_of) {
  const Tensor x = dense(n->in[0]), y = dense(n->in[1]);
  char* out = allocate(n);
  const Size columns = n->shape.back(), item = item_size(n->dtype);
  share_rows(n, [&](Size first, Size count) {
    rows_of(n->dtype, out + first * item, x.node()->data + first * item, y.node()->data + first * item, count / columns, columns);
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
  return {s.wants(0) ? s.g - sum(weighted, -1, true) : Tensor(), s.wants(1) ? -weighted * sum(s.x(0), -1, true) : Tensor()};
}

// y = exp x / sum exp x:   gx = y (g - sum g y)
void compute_softmax(Node* n) { compute_rows(n, kernels::softmax_rows); }
Tensors vjp_softmax(const Step& s) {
  if (current().no_grad) return {record(Op::softmax_vjp, s.n->dtype, s.n->shape, {s.g.node(), s.n}, {}, s.source())};
  const Tensor y = s.y();
  return {y * (s.g - sum(s.g * y, -1, true))};
}
void compute_softmax_vjp(Node* n) { compute_rows_of_two(n, kernels::softmax_vjp_rows); }

}  // namespace xgrad::engine

namespace xgrad {

Tensor log_softmax(const In& x, At axis) { return engine::over_last(engine::Op::log_softmax, x, axis); }
Tensor softmax(const In& x, At axis) { return engine::over_last(engine::Op::softmax, x, axis); }

}  // namespace xgrad
