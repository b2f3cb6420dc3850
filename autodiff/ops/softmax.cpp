// Softmax and its logarithm, row by row.
#include <fmt/format.h>

#include "autodiff/kernels/rows.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {

// These ops are told a = {axes behind}: rows go along the axis that so many axes are behind of, in x.
Size axis_of_rows(const Step& s) { return -1 - s.a(0); }  // from the last one

// some(rows): those that a job takes, of a tensor of this shape.
template <class Some>
void share_rows(const Node* n, const Shape& shape, const Some& some) {
  const int axis = shape.rank() - 1 - static_cast<int>(n->a[0]);
  const Axis of = axis_of(shape, axis);
  share_out(of.outer * of.inner, std::max<Size>(1, 16384 / of.length), [&](Size first, Size last) {
    some(kernels::Rows{first, last - first, of.length, of.inner});
  });
}

template <class Kernel>
void compute_rows(Node* n, const Kernel& kernel) {
  const Tensor x = dense(n->in[0]);
  char* out = allocate(n);
  share_rows(n, n->shape, [&](const kernels::Rows& rows) { kernel(n->dtype, out, x.node()->data, rows); });
  n->data = out;
}

template <class Kernel>
void compute_rows_of_two(Node* n, const Kernel& kernel) {
  const Tensor x = dense(n->in[0]), y = dense(n->in[1]);
  char* out = allocate(n);
  share_rows(n, n->shape,
             [&](const kernels::Rows& rows) { kernel(n->dtype, out, x.node()->data, y.node()->data, rows); });
  n->data = out;
}

// t with its axis where rows are taken as they lie, or last; `behind` says how many are behind it.
Tensor with_rows(const Tensor& t, int axis, Size& behind) {
  const int last = t.node()->shape.rank() - 1;
  const Axis of = axis_of(t.node()->shape, axis);
  behind = last - axis;
  const bool side_by_side = of.length <= kernels::longest_apart && of.inner >= 8;  // enough of them for a vector
  if (behind == 0 || side_by_side) return t;
  behind = 0;
  Shape order;
  for (int k = 0; k <= last; ++k)
    if (k != axis) order.push_back(k);
  order.push_back(axis);
  return permute(t, order);
}

Tensor along(Op op, const In& x, Size axis) {
  const char* what = rule(op).name;
  const Tensor t = floats(operand(x, what));
  const Source source = source_of(x);
  const int last = t.node()->shape.rank() - 1, a = checked_axis(axis, last + 1, what, source);
  const Located at(x, what);
  Size behind;
  const Tensor rows = with_rows(t, a, behind);
  const Tensor y = record(op, t.node()->dtype, rows.node()->shape, {rows.node()}, {{behind}}, source);
  if (behind == last - a) return y;
  Shape order;  // and back
  for (int k = 0; k <= last; ++k) order.push_back(k < a ? k : k == a ? last : k - 1);
  return permute(y, order);
}

}  // namespace

// y = x - log sum exp x:   gx = g - exp(y) sum g
void compute_log_softmax(Node* n) { compute_rows(n, kernels::log_softmax_rows); }
Tensors vjp_log_softmax(const Step& s) {
  return {record(Op::log_softmax_vjp, s.n->dtype, s.n->shape, {s.g.node(), s.n}, {{s.a(0)}}, s.source())};
}

// z = x - exp(y) sum x:   gx = g - sum g exp(y)    gy = - g exp(y) sum x
void compute_log_softmax_vjp(Node* n) { compute_rows_of_two(n, kernels::log_softmax_vjp_rows); }
Tensors vjp_log_softmax_vjp(const Step& s) {
  const Tensor weighted = s.g * exp(s.x(1));
  const Size axis = axis_of_rows(s);
  return {s.wants(0) ? s.g - sum(weighted, axis, true) : Tensor(),
          s.wants(1) ? -weighted * sum(s.x(0), axis, true) : Tensor()};
}

// y = (x - log sum exp x)[i]:   gx = g (1 [c = i] - softmax x)
void compute_log_softmax_at(Node* n) {
  const Tensor x = dense(n->in[0]), index = dense(n->in[1]);
  char* out = allocate(n);
  share_rows(n, n->in[0]->shape, [&](const kernels::Rows& rows) {
    kernels::log_softmax_at(n->dtype, out, x.node()->data, index.node()->data.as<const Size>(), rows);
  });
  n->data = out;
}
Tensors vjp_log_softmax_at(const Step& s) {
  Node *x = s.n->in[0], *index = s.n->in[1];
  return {record(Op::log_softmax_at_vjp, s.n->dtype, x->shape, {s.g.node(), x, index}, {{s.a(0)}}, s.source())};
}
Tensor batch_log_softmax_at(const Replayed& r) {
  const Shape& shape = r.n->in[0]->shape;
  require_index(r.in[1], shape[shape.rank() - 1 - static_cast<int>(r.n->a[0])], "log_softmax", r.source());
  return batch_leading(r);
}

// z = g (1 [c = i] - p), p = exp log_softmax x:   gg = h_i - sum h p    gx = - g (h p - p sum h p), of z's cotangent h; the difference
// with h_i is taken first, and the other one by log_softmax_vjp, so that a p near 1 costs no digits
void compute_log_softmax_at_vjp(Node* n) {
  const Tensor g = dense(n->in[0]), x = dense(n->in[1]), index = dense(n->in[2]);
  char* out = allocate(n);
  share_rows(n, n->shape, [&](const kernels::Rows& rows) {
    kernels::log_softmax_at_vjp(n->dtype, out, g.node()->data, x.node()->data, index.node()->data.as<const Size>(),
                                rows);
  });
  n->data = out;
}
Tensors vjp_log_softmax_at_vjp(const Step& s) {
  const Size axis = axis_of_rows(s);
  const Tensor y = log_softmax(s.x(1), axis), p = exp(y);
  Tensor gg, gx;
  if (s.wants(0)) gg = -sum((s.g - gather(s.g, axis, unsqueeze(s.x(2), axis))) * p, axis);
  if (s.wants(1)) {
    const Tensor hp = s.g * p, rest = record(Op::log_softmax_vjp, s.n->dtype, s.n->shape, {hp.node(), y.node()},
                                             {{s.a(0)}}, s.source());
    gx = -unsqueeze(s.x(0), axis) * rest;
  }
  return {gg, gx};
}

// y = exp x / sum exp x:   gx = y (g - sum g y)
void compute_softmax(Node* n) { compute_rows(n, kernels::softmax_rows); }
Tensors vjp_softmax(const Step& s) {
  return {record(Op::softmax_vjp, s.n->dtype, s.n->shape, {s.g.node(), s.n}, {{s.a(0)}}, s.source())};
}

// z = y (x - sum x y):   gx = y (g - sum g y)    gy = g (x - sum x y) - x sum g y
void compute_softmax_vjp(Node* n) { compute_rows_of_two(n, kernels::softmax_vjp_rows); }
Tensors vjp_softmax_vjp(const Step& s) {
  const Tensor x = s.x(0), y = s.x(1);
  Tensor gx, gy;
  const Size axis = axis_of_rows(s);
  if (s.wants(0)) gx = record(Op::softmax_vjp, s.n->dtype, s.n->shape, {s.g.node(), y.node()}, {{s.a(0)}}, s.source());
  if (s.wants(1)) gy = s.g * (x - sum(x * y, axis, true)) - x * sum(s.g * y, axis, true);
  return {gx, gy};
}

}  // namespace xgrad::engine

namespace xgrad {

Tensor log_softmax(const In& x, At axis) { return engine::along(engine::Op::log_softmax, x, axis); }
Tensor log_softmax(const In& x, At axis, const In& index) {
  using namespace engine;
  const Located at(x, "log_softmax");
  const Source source = source_of(x, "log_softmax");
  Tensor t = floats(operand(x, "log_softmax"));
  const Tensor i = operand(index, "log_softmax");
  const int a = checked_axis(axis, t.node()->shape.rank(), "log_softmax", source);
  Shape lines = t.node()->shape;
  lines.erase(a);
  if (i.node()->shape != lines)
    fail(source, "expected an index for each line, shape {}, got {}", lines, i.node()->shape);
  require_index(i, t.node()->shape[a], "log_softmax", source);
  Size behind;
  t = with_rows(t, a, behind);
  return record(Op::log_softmax_at, t.node()->dtype, lines, {t.node(), i.node()}, {{behind}}, source);
}
Tensor softmax(const In& x, At axis) { return engine::along(engine::Op::softmax, x, axis); }

}  // namespace xgrad
