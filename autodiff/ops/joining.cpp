// Tensors side by side, and on top of each other.
#include <cstring>

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

// y = the parts side by side along an axis, a = {axis}:   each part's gx is its slice of g
void compute_concat(Node* n) {
  const int axis = static_cast<int>(n->a[0]);
  const Axis to = axis_of(n->shape, axis);
  const Size item = item_size(n->dtype);
  char* out = allocate(n);
  Size at = 0;
  for (int i = 0; i < n->inputs; ++i) {
    const Tensor x = dense(n->input(i));
    const Size length = n->input(i)->shape[axis], run = length * to.inner * item;
    for (Size o = 0; o < to.outer; ++o)
      std::memcpy(out + (o * to.length + at) * to.inner * item, x.node()->data + o * run,
                  static_cast<std::size_t>(run));
    at += length;
  }
  n->data = out;
}
Tensors vjp_concat(const Step& s) {
  const int axis = static_cast<int>(s.a(0));
  Tensors gx;
  Size begin = 0;
  for (int i = 0; i < s.n->inputs; ++i) {
    const Size length = s.n->input(i)->shape[axis];
    gx.push_back(s.wants(i) ? slice_at(s.g, axis, begin, 1, length, s.source()) : Tensor());
    begin += length;
  }
  return gx;
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::source_of;

namespace {

Tensor join(const Tensors& parts, int axis, Source source, DType dtype) try {
  constexpr std::size_t most = 60000;  // inputs of one node
  if (parts.size() > most) {
    Tensors halves[2], joined;
    for (std::size_t i = 0; i < parts.size(); ++i) halves[i >= parts.size() / 2].push_back(parts[i]);
    for (const Tensors& half : halves) joined.push_back(join(half, axis, source, dtype));
    return join(joined, axis, source, dtype);
  }
  engine::NodeList in(engine::current());
  Shape shape = parts[0].node()->shape;
  shape[axis] = 0;
  for (const Tensor& p : parts) {
    in.push_back(p.node());
    if (__builtin_add_overflow(shape[axis], p.node()->shape[axis], &shape[axis]))
      fail(source.named("concat"), "the parts have more rows along axis {} than memory can hold", axis);
  }
  engine::checked_numel(shape, dtype, "concat", source);
  return engine::record(engine::Op::concat, dtype, shape, in.data(), static_cast<int>(in.size()), {{axis, 0, 0, 0}},
                        source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "concat");
}

}  // namespace

Tensor concat(const Tensors& parts, At axis, Source source) {
  source = source_of(source, "concat");
  if (parts.empty()) fail(source, "expected one tensor or more, got none");
  for (const Tensor& p : parts)
    if (!p.defined()) fail(source, "expected tensors, got an empty one");
  const Shape& first = parts[0].node()->shape;
  if (first.rank() == 0) fail(source, "0-d tensors have no axis to be joined along; stack() makes one of them");
  const int a = engine::checked_axis(axis, first.rank(), "concat", source);
  for (const Tensor& p : parts) {
    Shape other = p.node()->shape;
    if (other.rank() == first.rank()) other[a] = first[a];
    if (!(other == first)) fail(source, "shapes differ off axis {}: {} and {}", axis.index, first, p.node()->shape);
  }
  if (parts.size() == 1) return parts[0];
  const DType dtype = engine::meet(parts);
  bool alike = true;
  for (const Tensor& p : parts) alike &= p.node()->dtype == dtype;
  if (alike) return join(parts, a, source, dtype);
  const Located at(source, "concat");
  Tensors met;
  for (const Tensor& p : parts) met.push_back(engine::converted(p, dtype));
  return join(met, a, source, dtype);
}

Tensor stack(const Tensors& parts, At axis, Source source) {
  source = source_of(source, "stack");
  const Located at(source, "stack");
  if (parts.empty()) fail(source, "expected one tensor or more, got none");
  for (const Tensor& p : parts)
    if (p.defined() && parts[0].defined() && !(p.node()->shape == parts[0].node()->shape))
      fail(source, "shapes differ: {} and {}", parts[0].node()->shape, p.node()->shape);
  for (const Tensor& p : parts)
    if (!p.defined()) fail(source, "expected tensors, got an empty one");
  const DType dtype = engine::meet(parts);  // before numbers among them become tensors with an axis
  Tensors raised;
  for (const Tensor& p : parts) raised.push_back(unsqueeze(engine::converted(p, dtype), axis));
  return concat(raised, axis, source);
}

}  // namespace xgrad
