// Slices, what is padded around them, and the sum of both back into a whole.
#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstring>
#include <vector>

#include <xgrad/autodiff/memory.hpp>
#include "autodiff/parallel.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

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
  boost::container::small_vector<Size, 16 * slice_numbers> places;
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

namespace {

struct SlicePlace {
  Size axis, begin, step;
};
enum class Put { set, add };

// y[begin + k step] = or += x[k] along an axis: pieces whose numbers lie side by side, or single ones a stride apart.
template <Put how, class T>
void put_slice(T* y, const Axis& to, const T* x, const Axis& from, Size begin, Size step) {
  const auto put = [](T& z, T number) { z = how == Put::set ? number : static_cast<T>(z + number); };
  const Size rows = step == 1 ? from.length : 1, together = rows * to.inner;
  y += begin * to.inner;
  if (together == 1 && from.length == 1) {
    for (Size o = 0; o < to.outer; ++o) put(y[o * to.length], x[o]);
  } else if (together == 1) {
    for (Size o = 0; o < to.outer; ++o, y += to.length, x += from.length)
      for (Size k = 0; k < from.length; ++k) put(y[k * step], x[k]);
  } else {
    for (Size o = 0; o < to.outer; ++o, y += to.length * to.inner)
      for (Size k = 0; k < from.length; k += rows, x += together)
        if (T* const out = y + k * step * to.inner; how == Put::set && together >= 16)
          std::memcpy(out, x, static_cast<std::size_t>(together) * sizeof(T));
        else
          for (Size j = 0; j < together; ++j) put(out[j], x[j]);
  }
}

// Parts of a whole, at `out`, all along the axis of the first of them. Some numbers before that axis at a time, of all parts, so
// that memory is written in its order.
template <Put how>
void put_parts(char* out, Node* whole, Node* const* parts, const SlicePlace* places, int count) {
  constexpr Size worth_a_job = 1 << 14, most = 1 << 11;  // numbers; of a strided part that are copied first
  const int axis = static_cast<int>(places[0].axis);
  const Axis to = axis_of(whole->shape, axis);
  const Size of_whole = to.length * to.inner;
  with_type(whole->dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto put = [&](Node* part, const SlicePlace& place, Size first, Size end) {
      const Axis from = axis_of(part->shape, axis);
      const Size each = from.length * from.inner;
      if (each == 0) return;
      const auto some = [&](const T* x, Size begin, Size rows) {
        put_slice<how>(reinterpret_cast<T*>(out) + begin * of_whole, {rows, to.length, to.inner}, x,
                       {rows, from.length, from.inner}, place.begin, place.step);
      };
      if (part->row_major()) return some(part->data.as<const T>() + first * each, first, end - first);
      const Layout layout = layout_of(part->shape, strides_of(part));
      alignas(64) T copied[most];
      for (Size o = first; o < end; o += most / each) {
        const Size rows = std::min(end - o, most / each);
        gather_elements(reinterpret_cast<char*>(copied), part->data, layout, sizeof(T), o * each, rows * each);
        some(copied, o, rows);
      }
    };
    Tensors held;
    boost::container::small_vector<Node*, 16> all(parts, parts + count);
    for (Node*& part : all) {
      const Axis from = axis_of(part->shape, axis);
      if (part->row_major() || from.length * from.inner <= most) continue;
      held.push_back(dense(part));
      part = held[held.size() - 1].node();
    }
    share_out(to.outer, std::max<Size>(1, worth_a_job / std::max<Size>(1, of_whole)), [&](Size first, Size end) {
      for (int i = 0; i < count; ++i) put(all[static_cast<std::size_t>(i)], places[i], first, end);
    });
  });
}

}  // namespace

// y[begin + k step] = x[k] along an axis, else 0; a = {axis, begin, step}.   gx = that slice of g
void compute_pad(Node* n) {
  char* out = allocate(n);
  std::memset(out, 0, static_cast<std::size_t>(n->count * item_size(n->dtype)));
  const SlicePlace place{n->a[0], n->a[1], n->a[2]};
  put_parts<Put::set>(out, n, n->in, &place, 1);
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
const SlicePlace* places_of(Node* n) { return n->input(n->inputs - 1)->data.as<const SlicePlace>(); }

// Do the parts, slices along one axis, cover all of it, and nothing twice? They come in the order of their places, or the
// other way round; else the answer is no. Which of them is the first; -1: no.
int first_of_all(Node* n) {
  const int count = n->inputs - 1;
  const SlicePlace* places = places_of(n);
  const int axis = static_cast<int>(places[0].axis);
  const bool backwards = places[0].begin > places[count - 1].begin;
  Size end = 0;
  for (int k = 0; k < count; ++k) {
    const int i = backwards ? count - 1 - k : k;
    if (places[i].axis != axis || places[i].step != 1 || places[i].begin != end) return -1;
    end += n->input(i)->shape[axis];
  }
  if (end != n->shape[axis]) return -1;
  return backwards ? count - 1 : 0;
}

// Do parts that cover all lie in one memory, where the whole would have them?
bool in_place(Node* n, const Node* first) {
  const SlicePlace* places = places_of(n);
  const Shape whole = row_major_strides(n->shape);
  const auto memory = [](const Node* part) -> const Node* {
    return part->base ? static_cast<const Node*>(part->base) : part;
  };
  for (int i = 0; i < n->inputs - 1; ++i) {
    const Node* part = n->input(i);
    if (part->has(uniform) || part->count <= 1 || memory(part) != memory(first)) return false;
    const Size begin = places[i].begin * whole[static_cast<int>(places[i].axis)];
    if (part->data != first->data + begin * item_size(n->dtype)) return false;
    const Shape strides = strides_of(part);
    for (int k = 0; k < strides.rank(); ++k)
      if (part->shape[k] != 1 && strides[k] != whole[k]) return false;
  }
  return true;
}

}  // namespace
void compute_slice_add(Node* n) {
  const int at = first_of_all(n);
  if (at >= 0 && in_place(n, n->input(at))) return bind(n, n->input(at), nullptr, 0);
  char* out = allocate(n);
  const int count = n->inputs - 1;
  const SlicePlace* places = places_of(n);
  boost::container::small_vector<Node*, 16> parts;
  for (int i = 0; i < count; ++i) parts.push_back(n->input(i));
  if (at >= 0) {
    put_parts<Put::set>(out, n, parts.data(), places, count);
  } else {
    std::memset(out, 0, static_cast<std::size_t>(n->count * item_size(n->dtype)));
    for (int i = 0, end = 0; i < count; i = end) {
      while (end < count && places[end].axis == places[i].axis) ++end;
      put_parts<Put::add>(out, n, parts.data() + i, places + i, end - i);
    }
  }
  n->data = out;
}
Tensors vjp_slice_add(const Step& s) {
  Tensors gx;
  for (int i = 0; i < s.n->inputs - 1; ++i) {
    const SlicePlace at = places_of(s.n)[i];
    const int axis = static_cast<int>(at.axis);
    gx.push_back(s.wants(i) ? slice_at(s.g, axis, at.begin, at.step, s.n->input(i)->shape[axis], s.source())
                            : Tensor());
  }
  return gx;
}
Tensor batch_slice_add(const Replayed& r) {
  const int count = r.n->inputs - 1;
  std::vector<SlicePlace> places(places_of(r.n), places_of(r.n) + count);
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

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::source_of;

Tensor flip(const In& x, At axis) {
  const Tensor t = operand(x, "flip");
  const Shape& s = t.node()->shape;
  const int a = engine::checked_axis(axis, s.rank(), "flip", source_of(x, "flip"));
  return engine::slice_at(t, a, std::max<Size>(0, s[a] - 1), -1, s[a], source_of(x, "flip"));
}

Tensor select(const In& x, At axis, At i) {
  const Tensor t = operand(x, "select");
  const Source source = source_of(x, "select");
  const Shape& s = t.node()->shape;
  const int a = engine::checked_axis(axis, s.rank(), "select", source);
  if (i < -s[a] || i >= s[a])
    fail(source, "index {} along axis {} of {}; expected {} ... {}", i.index, axis.index, s, -s[a], s[a] - 1);
  const Located at(x, "select");
  return squeeze(engine::slice_at(t, a, i < 0 ? i + s[a] : i.index, 1, 1, source), a);
}

namespace {
Tensor slice_checked(const In& x, Size axis, Size begin, Size end, bool to_end, Size step) {
  const Tensor t = operand(x, "slice");
  const Source source = source_of(x, "slice");
  const Shape& s = t.node()->shape;
  const int a = engine::checked_axis(axis, s.rank(), "slice", source);
  const Size n = s[a];
  if (step < 1) fail(source, "expected a step of 1 or more, got {}; flip goes backwards", step);
  const Size from = begin < 0 ? begin + n : begin, to = to_end ? n : end < 0 ? end + n : end;
  if (from < 0 || from > n || to < 0 || to > n || to < from)
    fail(source, "{} ... {} of axis {} of {}; expected 0 <= begin <= end <= {}", begin, to_end ? n : end, axis, s, n);
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
  const Source source = source_of(x, "pad");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "pad", source);
  Size extent = 0;
  if (before < 0 || after < 0 || __builtin_add_overflow(t.node()->shape[a], before, &extent) ||
      __builtin_add_overflow(extent, after, &extent))
    fail(source, "expected counts of 0 or more, got {} and {}", before, after);
  return engine::pad_at(t, a, before, 1, extent, source);
}

Tensor Tensor::operator[](At at) const {
  const Source source = source_of(at.source, "x[i]");
  const Size i = at.index;
  if (!defined()) fail(source, "expected a tensor, got an empty one (default-constructed); give it a value first");
  const Shape& s = node()->shape;
  if (s.empty()) fail(source, "index {} of a 0-d tensor, which has no axis; item() reads its number", i);
  if (s[0] == 0) fail(source, "index {} of a tensor of shape {}, which has no rows", i, s);
  if (i < -s[0] || i >= s[0])
    fail(source, "index {} of a tensor of shape {}; expected {} ... {}", i, s, -s[0], s[0] - 1);
  Shape rest = s;
  rest.erase(0);
  return engine::reshape_to(engine::slice_at(*this, 0, i < 0 ? i + s[0] : i, 1, 1, source), rest, source);
}

}  // namespace xgrad
