// The logarithm of softmax at one place of each row: what cross entropy of classes is made of. The others are not stored.
#include <fmt/format.h>

#include "autodiff/kernels/rows.hpp"
#include "autodiff/ops/rules.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

namespace {

// f(first row, how many), shared among threads
template <class F>
void share_rows(const Shape& of, Size rows, const F& f) {
  share_out(rows, std::max<Size>(1, 16384 / of.back()), [&](Size first, Size last) { f(first, last - first); });
}
const Size* indices_of(const Tensor& t) { return t.node()->data.as<const Size>(); }

// The op, of all examples.
Tensor of_all(const Replayed& r, int index) {
  Tensors held;
  Node* in[3];
  for (int i = 0; i < r.n->inputs; ++i) {
    held.push_back(r.all(i));
    in[i] = held[i].node();
  }
  const Shape& x = in[index - 1]->shape;
  require_index(held[index], x.back(), rule(r.n->op).name, r.source());
  return record(r.n->op, r.n->dtype, r.shape(), in, r.n->inputs, {}, r.source());
}

}  // namespace

// y = x[index] - log sum exp x:   gx = g (1 at the index, else 0) - g softmax x
void compute_log_softmax_at(Node* n) {
  const Tensor x = dense(n->in[0]), index = dense(n->in[1]);
  char* out = allocate(n);
  const Shape& shape = n->in[0]->shape;
  const Size columns = shape.back(), item = item_size(n->dtype);
  share_rows(shape, n->count, [&](Size first, Size count) {
    kernels::log_softmax_at_rows(n->dtype, out + first * item, x.node()->data + first * columns * item, indices_of(index) + first,
                                 count, columns);
  });
  n->data = out;
}
Tensors vjp_log_softmax_at(const Step& s) {
  if (!s.wants(0)) return {};
  const Tensor x = s.x(), index = s.x(1);
  if (current().no_grad)
    return {record(Op::log_softmax_at_vjp, s.n->dtype, x.node()->shape, {s.g.node(), x.node(), index.node()}, {}, s.source())};
  const Tensor g = unsqueeze(s.g, -1);
  return {scatter_add(g, -1, unsqueeze(index, -1), x.node()->shape.back()) - g * softmax(x, -1)};
}
Tensor batch_log_softmax_at(const Replayed& r) { return of_all(r, 1); }

void compute_log_softmax_at_vjp(Node* n) {
  const Tensor g = dense(n->in[0]), x = dense(n->in[1]), index = dense(n->in[2]);
  char* out = allocate(n);
  const Size columns = n->shape.back(), item = item_size(n->dtype);
  share_rows(n->shape, n->count / columns, [&](Size first, Size count) {
    kernels::log_softmax_at_vjp_rows(n->dtype, out + first * columns * item, g.node()->data + first * item,
                                     x.node()->data + first * columns * item, indices_of(index) + first, count, columns);
  });
  n->data = out;
}
Tensor batch_log_softmax_at_vjp(const Replayed& r) { return of_all(r, 2); }

}  // namespace xgrad::engine

namespace xgrad {

Tensor log_softmax_at(const In& x_in, const In& index_in) {
  const Tensor x = engine::floats(engine::operand(x_in, "log_softmax_at")), index = engine::operand(index_in, "log_softmax_at");
  const Source source = engine::source_of(x_in, "log_softmax_at");
  Shape shape = x.node()->shape;
  if (shape.empty() || shape.back() == 0) fail(source, "expected x [..., classes], got {}", shape);
  const Size classes = shape.back();
  shape.resize(shape.rank() - 1);
  if (!(index.node()->shape == shape)) fail(source, "expected an index of the shape {}, got {}", shape, index.node()->shape);
  const Located at(source, "log_softmax_at");
  engine::require_index(index, classes, "log_softmax_at", source);
  return engine::record(engine::Op::log_softmax_at, x.node()->dtype, shape, {x.node(), index.node()}, {}, source);
}

}  // namespace xgrad
