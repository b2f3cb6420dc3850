// Other ways to see the same numbers: shapes, axes, slices. Views of what has numbers; a copy where strides cannot say.
#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

// y = x in another shape:   gx = g in x's
void compute_reshape(Node* n) {
  Node* x = n->in[0];
  if (x->has(strided)) {
    char* memory = allocate(n);
    copy_broadcast(memory, x, x->shape);
    n->data = memory;
  } else {
    bind(n, x, nullptr, 0);
  }
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

// y[k] = x[begin + k step] along an axis; a = {axis, begin, step}.   gx = g padded with zeros
void compute_slice(Node* n) {
  const int axis = static_cast<int>(n->a[0]);
  Shape strides = strides_of(n->in[0]);
  const Size offset = n->a[1] * strides[axis];
  strides[axis] *= n->a[2];
  bind(n, n->in[0], &strides, offset);
}
Tensors vjp_slice(const Step& s) {
  const int axis = static_cast<int>(s.a(0));
  return {pad_at(s.g, axis, s.a(1), s.a(2), s.n->in[0]->shape[axis], s.source())};
}
Tensor batch_slice(const Replayed& r) {
  const int axis = static_cast<int>(r.n->a[0]);
  return slice_at(r.in[0], axis + 1, r.n->a[1], r.n->a[2], r.n->shape[axis], r.source());
}
Tensor gather_slice(const Part* const* parts, std::size_t count) {
  std::vector<Size> places;
  Tensors all;
  for (std::size_t i = 0; i < count; ++i) {
    places.insert(places.end(), parts[i]->n->a, parts[i]->n->a + slice_numbers);
    all.push_back(parts[i]->g);
  }
  return slice_add(all, places.data(), parts[0]->n->in[0]->shape, {parts[0]->n->file, parts[0]->n->line});
}
Tensor slice_at(const Tensor& x, int axis, Size begin, Size step, Size extent, Source source) {
  Shape shape = x.node()->shape;
  shape[axis] = extent;
  Tensor y = record(Op::slice, x.node()->dtype, shape, {x.node()}, {{axis, begin, step, 0}}, source);
  turn_like(y.node(), x.node());
  return y;
}

// y[begin + k step] = x[k] along an axis, else 0; a = {axis, begin, step}.   gx = that slice of g
void compute_pad(Node* n) {
  const Tensor x = dense(n->in[0]);
  const Axis to = axis_of(n->shape, static_cast<int>(n->a[0])), from = axis_of(n->in[0]->shape, static_cast<int>(n->a[0]));
  const Size item = item_size(n->dtype), row = to.inner * item;
  char* out = allocate(n);
  std::memset(out, 0, static_cast<std::size_t>(n->count * item));
  for (Size o = 0; o < to.outer; ++o)
    for (Size k = 0; k < from.length; ++k)
      std::memcpy(out + (o * to.length + n->a[1] + k * n->a[2]) * row, x.node()->data + (o * from.length + k) * row,
                  static_cast<std::size_t>(row));
  n->data = out;
}
Tensors vjp_pad(const Step& s) {
  const int axis = static_cast<int>(s.a(0));
  return {slice_at(s.g, axis, s.a(1), s.a(2), s.n->in[0]->shape[axis], s.source())};
}
Tensor pad_at(const Tensor& x, int axis, Size begin, Size step, Size extent, Source source) {
  Shape shape = x.node()->shape;
  shape[axis] = extent;
  checked_numel(shape, x.node()->dtype, "pad", source);
  return record(Op::pad, x.node()->dtype, shape, {x.node()}, {{axis, begin, step, 0}}, source);
}

// y[begin_i + k step_i] += x_i[k] along axis_i, into zeros; the last input holds {axis, begin, step} of each x_i:
//   gx_i = that slice of g
namespace {
struct Place {
  Size axis, begin, step;
};
const Place* places_of(Node* n) { return n->input(n->inputs - 1)->data.as<const Place>(); }
}  // namespace
void compute_slice_add(Node* n) {
  char* out = allocate(n);
  const Unfinished guard{n, out};
  std::memset(out, 0, static_cast<std::size_t>(n->count * item_size(n->dtype)));
  for (int i = 0; i < n->inputs - 1; ++i) {
    const Place at = places_of(n)[i];
    const Tensor part = dense(n->input(i));
    const Axis to = axis_of(n->shape, static_cast<int>(at.axis));
    const Axis from = axis_of(part.node()->shape, static_cast<int>(at.axis));
    const Size rows = at.step == 1 ? from.length : 1;  // that lie side by side
    with_type(n->dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto* x = part.node()->data.as<const T>();
      for (Size o = 0; o < to.outer; ++o)
        for (Size k = 0; k < from.length; k += rows) {
          T* y = reinterpret_cast<T*>(out) + (o * to.length + at.begin + k * at.step) * to.inner;
          for (Size j = 0; j < rows * to.inner; ++j) y[j] = static_cast<T>(y[j] + *x++);
        }
    });
  }
  n->data = out;
}
Tensors vjp_slice_add(const Step& s) {
  Tensors gx;
  for (int i = 0; i < s.n->inputs - 1; ++i) {
    const Place at = places_of(s.n)[i];
    const int axis = static_cast<int>(at.axis);
    gx.push_back(s.wants(i) ? slice_at(s.g, axis, at.begin, at.step, s.n->input(i)->shape[axis], s.source()) : Tensor());
  }
  return gx;
}
Tensor batch_slice_add(const Replayed& r) {
  const int count = r.n->inputs - 1;
  std::vector<Place> places(places_of(r.n), places_of(r.n) + count);
  Tensors parts;
  for (int i = 0; i < count; ++i) {
    ++places[static_cast<std::size_t>(i)].axis;
    parts.push_back(r.all(i));
  }
  return slice_add(parts, &places[0].axis, r.shape(), r.source());
}
Tensor slice_add(const Tensors& parts, const Size* places, const Shape& shape, Source source) try {
  constexpr std::size_t most = most_inputs - 1;
  Tensor total;
  for (std::size_t from = 0; from < parts.size(); from += most) {
    const std::size_t to = std::min(parts.size(), from + most);
    const Tensor at = from_memory(places + from * slice_numbers, {static_cast<Size>(to - from), Size{slice_numbers}},
                                  DType::i64, source);
    NodeList in(current());
    for (std::size_t i = from; i < to; ++i) in.push_back(parts[i].node());
    in.push_back(at.node());
    const Tensor some =
        record(Op::slice_add, parts[0].node()->dtype, shape, in.data(), static_cast<int>(in.size()), {}, source);
    total = total.defined() ? total + some : some;
  }
  return total;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "slice_add");
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
  return r.n->has(needs_grad) || !r.in[0].requires_grad() ? r.in[0] : without_history(r.in[0].node(), r.n->flags & cuts);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::source_of;

Tensor reshape(const In& x, const Shape& shape) {
  const Tensor t = operand(x, "reshape");
  const Source source = source_of(x);
  Shape to = shape;
  int unknown = -1;
  Size known = 1;
  for (int i = 0; i < to.rank(); ++i) {
    if (to[i] == -1 && unknown < 0) {
      unknown = i;
    } else if (to[i] < 0 || __builtin_mul_overflow(known, to[i], &known)) {
      fail(source, fmt::format("[reshape] {} is no shape; extents are 0 or more, and one may be -1", shape));
    }
  }
  const Size n = t.node()->count;
  if (unknown >= 0 && known > 0 && n % known == 0) {
    to[unknown] = n / known;
    known = n;
  }
  if (known != n || (unknown >= 0 && to[unknown] < 0))
    fail(source, fmt::format("[reshape] {} elements, of shape {}, do not fill {}", n, t.node()->shape, shape));
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
    fail(source_of(x), fmt::format("[permute] expected each of {} once, got {}",
                                   rank == 0   ? "no axes"
                                   : rank == 1 ? "1 axis"
                                               : fmt::format("{} axes", rank),
                                   axes));
  if (same) return engine::as_it_is(t);
  if (rank > engine::most_axes)
    fail(source_of(x), fmt::format("[permute] expected at most {} axes, got {}", engine::most_axes, rank));
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
  const Source source = source_of(x);
  Shape to = t.node()->shape;
  const int a = engine::checked_axis(axis, to.rank(), "squeeze", source);
  if (to[a] != 1) fail(source, fmt::format("[squeeze] expected an extent of 1 at axis {}, got shape {}", axis, to));
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
  const Source source = source_of(x);
  engine::checked_numel(shape, t.node()->dtype, "expand", source);
  if (!(engine::broadcast(t.node()->shape, shape, "expand", source) == shape))
    fail(source, fmt::format("[expand] {} does not expand to {}", t.node()->shape, shape));
  if (t.node()->shape == shape) return engine::as_it_is(t);
  return engine::expand_to(t, shape, source);
}

Tensor flip(const In& x, At axis) {
  const Tensor t = operand(x, "flip");
  const Shape& s = t.node()->shape;
  const int a = engine::checked_axis(axis, s.rank(), "flip", source_of(x));
  return engine::slice_at(t, a, std::max<Size>(0, s[a] - 1), -1, s[a], source_of(x));
}

Tensor select(const In& x, At axis, At i) {
  const Tensor t = operand(x, "select");
  const Source source = source_of(x);
  const Shape& s = t.node()->shape;
  const int a = engine::checked_axis(axis, s.rank(), "select", source);
  if (i < -s[a] || i >= s[a])
    fail(source, fmt::format("[select] index {} along axis {} of {}; expected {} ... {}", i.index, axis.index, s, -s[a], s[a] - 1));
  const Located at(x, "select");
  return squeeze(engine::slice_at(t, a, i < 0 ? i + s[a] : i.index, 1, 1, source), a);
}

namespace {
Tensor slice_checked(const In& x, Size axis, Size begin, Size end, bool to_end, Size step) {
  const Tensor t = operand(x, "slice");
  const Source source = source_of(x);
  const Shape& s = t.node()->shape;
  const int a = engine::checked_axis(axis, s.rank(), "slice", source);
  const Size n = s[a];
  if (step < 1) fail(source, fmt::format("[slice] expected a step of 1 or more, got {}; flip goes backwards", step));
  const Size from = begin < 0 ? begin + n : begin, to = to_end ? n : end < 0 ? end + n : end;
  if (from < 0 || from > n || to < 0 || to > n || to < from)
    fail(source, fmt::format("[slice] {} ... {} of axis {} of {}; expected 0 <= begin <= end <= {}", begin,
                             to_end ? n : end, axis, s, n));
  if (from == 0 && to == n && step == 1) return engine::as_it_is(t);
  step = std::min(step, std::max<Size>(n, 1));  // more is as much, and has no product
  return engine::slice_at(t, a, from, step, (to - from) / step + ((to - from) % step != 0), source);
}
}  // namespace
Tensor slice(const In& x, At axis, At begin) { return slice_checked(x, axis, begin, 0, true, 1); }
Tensor slice(const In& x, At axis, At begin, At end, At step) {
  return slice_checked(x, axis, begin, end, false, step);
}

Tensor pad(const In& x, At axis, At in_front, At behind) {
  const Tensor t = operand(x, "pad");
  const Size before = in_front, after = behind;
  const Source source = source_of(x);
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "pad", source);
  Size extent = 0;
  if (before < 0 || after < 0 || __builtin_add_overflow(t.node()->shape[a], before, &extent) ||
      __builtin_add_overflow(extent, after, &extent))
    fail(source, fmt::format("[pad] expected counts of 0 or more, got {} and {}", before, after));
  return engine::pad_at(t, a, before, 1, extent, source);
}

Tensor Tensor::operator[](At at) const {
  const Source source = source_of(at.source);
  const Size i = at.index;
  if (!defined()) fail(source, "[x[i]] expected a tensor, got an empty one (default-constructed); give it a value first");
  const Shape& s = node()->shape;
  if (s.empty())
    fail(source, fmt::format("[x[i]] index {} of a 0-d tensor, which has no axis; item() reads its number", i));
  if (s[0] == 0) fail(source, fmt::format("[x[i]] index {} of a tensor of shape {}, which has no rows", i, s));
  if (i < -s[0] || i >= s[0])
    fail(source, fmt::format("[x[i]] index {} of a tensor of shape {}; expected {} ... {}", i, s, -s[0], s[0] - 1));
  const Located here(source);
  return squeeze(engine::slice_at(*this, 0, i < 0 ? i + s[0] : i, 1, 1, source), 0);
}

}  // namespace xgrad
