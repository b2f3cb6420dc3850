// Other ways to see the same numbers: shapes and axes. Views of what has numbers; a copy where strides cannot say.
#include <fmt/format.h>

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {

// The strides by which `to`, of as many numbers, sees what lies so; none where there are none, or where fewer numbers than
// these lie side by side: to read such ones again and again costs more than to copy them once.
constexpr Size worth_a_view = 16;
Shape strides_as(const Layout& from, const Shape& to) {
  Shape strides = to;
  if (from.strides.empty() || from.strides.back() != 1 || from.extents.back() < worth_a_view) return {};
  int axis = from.extents.rank() - 1;
  Size left = from.extents[axis],
       step = 1;  // of that axis: numbers that no axis of `to` has yet, and from one to the next
  for (int i = to.rank(); i-- > 0;) {
    if (to[i] == 1) {
      strides[i] = step;
      continue;
    }
    if (left == 1) left = from.extents[--axis], step = from.strides[axis];
    if (left % to[i] != 0) return {};
    strides[i] = step;
    left /= to[i], step *= to[i];
  }
  return strides;
}

}  // namespace

// y = x in another shape:   gx = g in x's
void compute_reshape(Node* n) {
  Node* x = n->in[0];
  if (!x->has(strided)) return bind(n, x, nullptr, 0);
  if (const Shape strides = strides_as(layout_of(x->shape, strides_of(x)), n->shape); !strides.empty())
    return bind(n, x, &strides, 0);
  char* memory = allocate(n);
  copy_broadcast(memory, x, x->shape);
  n->data = memory;
}
Tensors vjp_reshape(const Step& s) { return {reshape(s.g, s.n->in[0]->shape)}; }
Tensor batch_reshape(const Replayed& r) { return reshape_to(r.in[0], r.shape(), r.source()); }
Tensor reshape_to(const Tensor& x, const Shape& shape, Source source) {
  return record(Op::reshape, x.node()->dtype, shape, {x.node()}, {}, source);
}

// axis i of y is axis p[i] of x; p is kept in the bytes of a:   axis p[i] of gx is axis i of g
namespace {
constexpr int most_axes = sizeof(Args::a);
signed char* axes_in(Size* a) { return reinterpret_cast<signed char*>(a); }
}  // namespace
void compute_permute(Node* n) {
  const Shape from = strides_of(n->in[0]);
  const signed char* p = axes_in(n->a);
  Shape strides = from;
  for (int i = 0; i < strides.rank(); ++i) strides[i] = from[p[i]];
  bind(n, n->in[0], &strides, 0);
}
bool swaps_last_axes(Node* n) {
  const signed char* p = axes_in(n->a);
  const int rank = n->shape.rank();
  for (int i = 0; i < rank - 2; ++i)
    if (p[i] != i) return false;
  return rank >= 2 && p[rank - 2] == rank - 1;
}
namespace {
// Do the columns of y come from an axis before that of its rows? The last two axes of a turned x count the other way round.
bool turns(const Node* x, const signed char* p, int rank) {
  if (rank < 2) return false;
  const auto place = [&](int axis) { return x->has(turned) && axis >= rank - 2 ? 2 * rank - 3 - axis : axis; };
  return place(p[rank - 2]) > place(p[rank - 1]);
}
Tensor permuted(const Tensor& x, const Shape& shape, const Args& order, Source source) {
  Node* n = x.node();
  Args args = order;
  Tensor y = record(Op::permute, n->dtype, shape, {n}, args, source);
  if (turns(n, axes_in(args.a), shape.rank())) y.node()->flags |= turned;
  return y;
}
}  // namespace
Tensors vjp_permute(const Step& s) {
  const signed char* p = axes_in(s.n->a);
  Shape inverse = s.n->shape;
  for (int i = 0; i < inverse.rank(); ++i) inverse[p[i]] = i;
  return {permute(s.g, inverse)};
}
Tensor batch_permute(const Replayed& r) {
  Shape axes{0};
  for (int i = 0; i < r.n->shape.rank(); ++i) axes.push_back(axes_in(r.n->a)[i] + 1);
  return permute(r.in[0], axes);
}

// y = x repeated, as broadcasting does:   gx = g (the engine sums what was repeated)
void compute_expand(Node* n) {
  Node* x = n->in[0];
  const Shape own = strides_of(x);
  const int lead = n->shape.rank() - x->shape.rank();
  Shape strides;
  strides.resize(n->shape.rank());
  for (int i = 0; i < own.rank(); ++i)
    if (x->shape[i] != 1) strides[lead + i] = own[i];
  bind(n, x, &strides, 0);
}
Tensors vjp_expand(const Step& s) { return {s.g}; }
Tensor batch_expand(const Replayed& r) {
  Shape from = r.in[0].node()->shape;
  while (from.rank() <= r.n->shape.rank()) from.insert(1, 1);
  return expand_to(reshape_to(r.in[0], from, r.source()), r.shape(), r.source());
}
Tensor expand_to(const Tensor& x, const Shape& shape, Source source) {
  if (x.node()->shape == shape) return x;
  Tensor y = record(Op::expand, x.node()->dtype, shape, {x.node()}, {}, source);
  turn_like(y.node(), x.node());
  return y;
}

// y = x; where no derivative leads through it, it holds nothing of x's history
void compute_identity(Node* n) {
  if (!n->has(needs_grad)) return bind_detached(n, n->in[0]);
  const Shape strides = strides_of(n->in[0]);
  bind(n, n->in[0], n->in[0]->has(strided) ? &strides : nullptr, 0);
}
Tensors vjp_identity(const Step& s) { return {s.g}; }
Tensor batch_identity(const Replayed& r) {
  return r.n->has(needs_grad) || !r.in[0].requires_grad() ? r.in[0]
                                                          : without_history(r.in[0].node(), r.n->flags & cuts);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::source_of;

Tensor reshape(const In& x, const Shape& shape) {
  const Tensor t = operand(x, "reshape");
  const Source source = source_of(x, "reshape");
  Shape to = shape;
  int unknown = -1;
  Size known = 1;
  for (int i = 0; i < to.rank(); ++i) {
    if (to[i] == -1 && unknown < 0) {
      unknown = i;
    } else if (to[i] < 0 || __builtin_mul_overflow(known, to[i], &known)) {
      fail(source, "{} is no shape; extents are 0 or more, and one may be -1", shape);
    }
  }
  const Size n = t.node()->count;
  if (unknown >= 0 && known > 0 && n % known == 0) {
    to[unknown] = n / known;
    known = n;
  }
  if (known != n || (unknown >= 0 && to[unknown] < 0))
    fail(source, "{} elements, of shape {}, do not fill {}", n, t.node()->shape, shape);
  if (to == t.node()->shape) return engine::as_it_is(t);
  engine::checked_numel(to, t.node()->dtype, "reshape", source);
  return engine::reshape_to(t, to, source);
}

Tensor flatten(const In& x, At from) {
  const Tensor t = operand(x, "flatten");
  const Shape& s = t.node()->shape;
  const Located at(x, "flatten");
  if (s.rank() == 0) return reshape(t, {1});
  const int first = engine::checked_axis(from, s.rank(), "flatten", source_of(x));
  Shape to;
  Size rest = 1;
  for (int i = 0; i < s.rank(); ++i) i < first ? to.push_back(s[i]) : void(rest *= s[i]);
  to.push_back(rest);
  return reshape(t, to);
}

Tensor permute(const In& x, const Shape& axes) {
  const Tensor t = operand(x, "permute");
  const int rank = t.node()->shape.rank();
  Shape order = axes, shape = axes, seen = axes;
  bool right = axes.rank() == rank, same = true;
  for (Size& s : seen) s = 0;
  for (int i = 0; right && i < rank; ++i) {
    order[i] = engine::checked_axis(axes[i], rank, "permute", source_of(x));
    shape[i] = t.node()->shape[order[i]];
    right = seen[order[i]]++ == 0;
    same &= order[i] == i;
  }
  if (!right)
    fail(source_of(x, "permute"), "expected each of {} once, got {}",
         rank == 0   ? "no axes"
         : rank == 1 ? "1 axis"
                     : fmt::format("{} axes", rank),
         axes);
  if (same) return engine::as_it_is(t);
  if (rank > engine::most_axes)
    fail(source_of(x, "permute"), "expected at most {} axes, got {}", engine::most_axes, rank);
  engine::Args args;
  for (int i = 0; i < rank; ++i) engine::axes_in(args.a)[i] = static_cast<signed char>(order[i]);
  return engine::permuted(t, shape, args, source_of(x));
}

Tensor transpose(const In& x, At axis, At other) {
  const Tensor t = operand(x, "transpose");
  const int rank = t.node()->shape.rank();
  const int a = engine::checked_axis(axis, rank, "transpose", source_of(x));
  const int b = engine::checked_axis(other, rank, "transpose", source_of(x));
  const Located at(x, "transpose");
  Shape axes;
  for (int i = 0; i < rank; ++i) axes.push_back(i == a ? b : i == b ? a : i);
  return permute(t, axes);
}
Tensor transpose(const In& x) {
  const Tensor t = operand(x, "transpose");
  if (const Shape& s = t.node()->shape; s.rank() == 2) {
    engine::Args swap;
    engine::axes_in(swap.a)[0] = 1;
    return engine::permuted(t, {s[1], s[0]}, swap, source_of(x));
  }
  const Located at(x, "transpose");
  return t.node()->shape.rank() < 2 ? engine::as_it_is(t) : transpose(t, -1, -2);
}

Tensor squeeze(const In& x, At axis) {
  const Tensor t = operand(x, "squeeze");
  const Source source = source_of(x, "squeeze");
  Shape to = t.node()->shape;
  const int a = engine::checked_axis(axis, to.rank(), "squeeze", source);
  if (to[a] != 1) fail(source, "expected an extent of 1 at axis {}, got shape {}", axis.index, to);
  to.erase(a);
  return engine::reshape_to(t, to, source);
}
Tensor unsqueeze(const In& x, At axis) {
  const Tensor t = operand(x, "unsqueeze");
  Shape to = t.node()->shape;
  to.insert(engine::checked_axis(axis, to.rank() + 1, "unsqueeze", source_of(x)), 1);
  return engine::reshape_to(t, to, source_of(x));
}

Tensor expand(const In& x, const Shape& shape) {
  const Tensor t = operand(x, "expand");
  const Source source = source_of(x, "expand");
  engine::checked_numel(shape, t.node()->dtype, "expand", source);
  if (!(engine::broadcast(t.node()->shape, shape, "expand", source) == shape))
    fail(source, "{} does not expand to {}", t.node()->shape, shape);
  if (t.node()->shape == shape) return engine::as_it_is(t);
  return engine::expand_to(t, shape, source);
}

}  // namespace xgrad
