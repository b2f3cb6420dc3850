// Convolutions of many examples at once. Where they share a weight, their images are one batch; else each example is a
// group, or some groups, of its own.
#include "autodiff/ops/convolution.hpp"

namespace xgrad::engine {

namespace {

Ref<const Told> with_groups(const Node* n, Size times, Source source) {
  const Window& from = told<Window>(n);
  auto* w = new (rule(n->op).name, source) Window;
  Ref<const Told> held(w);
  w->axes = from.axes;
  w->groups = from.groups * times;
  for (int i = 0; i < Window::most_axes; ++i) {
    w->kernel[i] = from.kernel[i];
    w->stride[i] = from.stride[i], w->padding[i] = from.padding[i], w->dilation[i] = from.dilation[i];
  }
  return held;
}

// [many, a, b, ...] as [many a, b, ...]
Tensor below_each_other(const Tensor& x, Source source) {
  Shape shape = x.node()->shape;
  shape[1] *= shape[0];
  shape.erase(0);
  return reshape_to(x, shape, source);
}
// [many, a, b, ...] as [a, many b, ...]; and back
Tensor beside_each_other(const Tensor& x, Source source) {
  const Tensor y = transpose(x, 0, 1);
  Shape shape = y.node()->shape;
  shape[2] *= shape[1];
  shape.erase(1);
  return reshape_to(y, shape, source);
}
Tensor apart(const Tensor& x, int axis, Size many, Source source) {
  Shape shape = x.node()->shape;
  shape[axis] /= many;
  shape.insert(axis, many);
  return axis_to_front(reshape_to(x, shape, source), axis);
}

// A bias has one axis less in front of its channels than the result has.
Tensor plus_bias(const Tensor& y, const Replayed& r) {
  if (r.n->inputs < 3) return y;
  return y + (r.each[2] ? unsqueeze(r.in[2], 1) : r.in[2]);
}

// The first operand and the result are images.
Tensor batch_images(const Replayed& r) {
  const Source source = r.source();
  Shape shape = r.n->shape;
  if (!r.each[1]) {
    shape[0] *= r.count;
    return plus_bias(reshape_to(convolved(r.n->op, below_each_other(r.all(0), source), r.in[1], Tensor(), shape,
                                          r.n->extra->told, rule(r.n->op).name, source),
                                r.shape(), source),
                     r);
  }
  shape[1] *= r.count;
  const Tensor y = convolved(r.n->op, beside_each_other(r.all(0), source), below_each_other(r.all(1), source), Tensor(),
                             shape, with_groups(r.n, r.count, source), rule(r.n->op).name, source);
  return plus_bias(apart(y, 1, r.count, source), r);
}

}  // namespace

Tensor batch_convolution(const Replayed& r) { return batch_images(r); }
Tensor batch_convolution_transposed(const Replayed& r) { return batch_images(r); }

Tensor batch_convolution_weight(const Replayed& r) {
  const Source source = r.source();
  Shape shape = r.n->shape;
  shape[0] *= r.count;
  const Tensor w = convolved(r.n->op, beside_each_other(r.all(0), source), beside_each_other(r.all(1), source),
                             Tensor(), shape, with_groups(r.n, r.count, source), rule(r.n->op).name, source);
  return apart(w, 0, r.count, source);
}

Tensor batch_max_pool_places(const Replayed& r) {
  const Tensor x = below_each_other(r.in[0], r.source());
  Shape shape = r.n->shape;
  shape[0] *= r.count;
  return reshape_to(record(r.n->op, r.n->dtype, shape, {x.node()}, {{0, 0, 0, 0}, r.n->extra->told}, r.source()),
                    r.shape(), r.source());
}

}  // namespace xgrad::engine
