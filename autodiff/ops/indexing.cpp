// Picking by index. Indices are checked where the op is written.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <xgrad/autodiff/memory.hpp>
#include "autodiff/engine/rows.hpp"
#include "autodiff/ops/rules.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

namespace {

const Size* indices(const Tensor& dense_index) { return dense_index.node()->data.as<const Size>(); }

// For rows[k] of x along an axis: f(row of the picked, row of the whole).
template <class F>
void along(const Axis& picked, const Axis& whole, const Size* index, const F& f) {
  for (Size o = 0; o < picked.outer; ++o)
    for (Size k = 0; k < picked.length; ++k) f(o * picked.length + k, o * whole.length + index[k]);
}
// The same with an index for each number: f(number of the picked, number of the whole).
template <class F>
void each(const Axis& picked, const Axis& whole, const Size* index, const F& f) {
  if (picked.inner == 1) {  // along the last axis, as pools do
    for (Size o = 0; o < picked.outer; ++o)
      for (Size k = o * picked.length; k < (o + 1) * picked.length; ++k) f(k, o * whole.length + index[k]);
    return;
  }
  for (Size o = 0; o < picked.outer; ++o)
    for (Size k = 0; k < picked.length; ++k)
      for (Size i = 0; i < picked.inner; ++i) {
        const Size at = (o * picked.length + k) * picked.inner + i;
        f(at, (o * whole.length + index[at]) * whole.inner + i);
      }
}

// The four ops, recorded: indices and shapes have been checked by who calls it. `most`: how many indices of a line name
// one place, at most; 0: any number.
Tensor record_picking(Op op, const Tensor& x, const Tensor& index, int axis, const Shape& shape, Source source,
                      Size most = 0) {
  return record(op, x.node()->dtype, shape, {x.node(), index.node()}, {{axis, most, 0, 0}}, source);
}
// Each rule is the op that goes the other way, to the shape that x had.
Tensors pick_back(Op op, const Step& s) {
  return {record_picking(op, s.g, s.x(1), static_cast<int>(s.a(0)), s.n->in[0]->shape, s.source(), s.a(1))};
}

// y[place] += x[row], into zeros, for what `walk` calls with (row, place), of which at most `most` go to one place. A running
// total is of 128 rows at most, and then goes into one of f64.
template <class T, class Inner, class Walk>
void add_rows(T* y, Size places, const T* x, Inner inner, Size most, const Walk& walk) {
  constexpr int together = 128;
  std::memset(y, 0, static_cast<std::size_t>(places * inner) * sizeof(T));
  const auto add = [=](Size row, Size place) {
    for (Size i = 0; i < inner; ++i) y[place * inner + i] = static_cast<T>(y[place * inner + i] + x[row * inner + i]);
  };
  if (!std::is_floating_point_v<T> || most <= together) return walk(add);
  std::vector<std::uint16_t> counts(static_cast<std::size_t>(places));  // of the running totals
  std::unordered_map<Size, std::vector<double>> totals;
  const auto put_away = [&](Size place) __attribute__((noinline)) {
    std::vector<double>& total = totals[place];
    total.resize(static_cast<std::size_t>(inner));
    for (Size i = 0; i < inner; ++i)
      total[static_cast<std::size_t>(i)] += static_cast<double>(std::exchange(y[place * inner + i], T(0)));
    counts[static_cast<std::size_t>(place)] = 0;
  };
  walk([=, count = counts.data(), &put_away](Size row, Size place) {
    add(row, place);
    if (++count[place] == together) put_away(place);
  });
  for (const auto& [place, total] : totals)
    for (Size i = 0; i < inner; ++i) {
      T& to = y[place * inner + i];
      to = static_cast<T>(total[static_cast<std::size_t>(i)] + static_cast<double>(to));
    }
}

struct Picked {
  Tensor x, index;
  Axis in, out;
  char* memory;
};
Picked pick_from(Node* n) {
  const int axis = static_cast<int>(n->a[0]);
  return {dense(n->in[0]), dense(n->in[1]), axis_of(n->in[0]->shape, axis), axis_of(n->shape, axis), allocate(n)};
}

// f(in, out, x, y, first) for runs of what is before the axis, from `first` on: what they pick, and what they add, is their
// own. Threads share them, and the zeros of one are still in a cache when something is added to them.
template <class T, class F>
void each_run(const Picked& p, const F& f) {
  constexpr Size worth_a_job = 1 << 14;  // numbers
  const Size from = p.in.length * p.in.inner, to = p.out.length * p.out.inner;
  share_out(p.in.outer, std::max<Size>(1, worth_a_job / std::max<Size>({1, from, to})), [&](Size first, Size end) {
    f(Axis{end - first, p.in.length, p.in.inner}, Axis{end - first, p.out.length, p.out.inner},
      p.x.node()->data.as<const T>() + first * from, reinterpret_cast<T*>(p.memory) + first * to, first);
  });
}

// Rows of so many bytes, shared among threads.
void copy_rows(const Picked& p, const Size* index, Size bytes) {
  constexpr Size worth_a_job = 1 << 16;  // bytes
  const Size length = p.out.length;
  share_out(p.out.outer * length, std::max<Size>(1, worth_a_job / std::max<Size>(1, bytes)), [&](Size first, Size end) {
    for (Size row = first, o = first / std::max<Size>(1, length); row < end; ++o)
      for (const Size stop = std::min(end, (o + 1) * length); row < stop; ++row)
        std::memcpy(p.memory + row * bytes, p.x.node()->data + (o * p.in.length + index[row - o * length]) * bytes,
                    static_cast<std::size_t>(bytes));
  });
}

}  // namespace

// y = x[.., index, ..] along an axis, a = {axis}:   gx = g added into zeros, row by row
void compute_index_select(Node* n) {
  const Picked p = pick_from(n);
  const Size item = item_size(n->dtype);
  const Size bytes = p.out.inner * item;
  const auto pick = [&](auto number) {  // as many bytes as one has, no call for each
    using T = decltype(number);
    T* y = reinterpret_cast<T*>(p.memory);
    const T* x = p.x.node()->data.as<const T>();
    along(p.out, p.in, indices(p.index), [=](Size to, Size from) { y[to] = x[from]; });
  };
  if (bytes == 4) pick(std::uint32_t{});
  else if (bytes == 8) pick(std::uint64_t{});
  else if (bytes == 1) pick(std::uint8_t{});
  else copy_rows(p, indices(p.index), bytes);
  n->data = p.memory;
}
Tensors vjp_index_select(const Step& s) { return pick_back(Op::index_add, s); }

namespace {
// Those along one axis, below each other.
struct Picks {
  Tensor index, g;
};
Picks picks_of(const Part* const* parts, std::size_t count, Size axis) {
  Tensors index, g;
  for (std::size_t i = 0; i < count; ++i) {
    if (parts[i]->n->a[0] != axis) continue;
    index.push_back(share(parts[i]->n->in[1]));
    g.push_back(parts[i]->g);
  }
  const Node* n = parts[0]->n;
  return {concat(index, 0, {n->file, n->line}), concat(g, axis, {n->file, n->line})};
}
}  // namespace

Tensor gather_index_select(const Part* const* parts, std::size_t count) {
  const Node* n = parts[0]->n;
  Tensor total;
  for (Size axis = 0; axis < n->in[0]->shape.rank(); ++axis) {
    if (std::none_of(parts, parts + count, [&](const Part* p) { return p->n->a[0] == axis; })) continue;
    const Picks p = picks_of(parts, count, axis);
    const Tensor g =
        record_picking(Op::index_add, p.g, p.index, static_cast<int>(axis), n->in[0]->shape, {n->file, n->line});
    total = total.defined() ? total + g : g;
  }
  return total;
}

namespace {
struct Rows {
  std::vector<Size> order, place;
};
// Equal rows are added, in the order in which they lie.
RowGradient each_once(const Tensor& index, const Tensor& values) {
  const Tensor held = dense(index.node());
  const Size* at = indices(held);
  const Size count = index.node()->count;
  const Workspace<Rows, Use::rows> room(current());
  auto& [order, place] = *room;
  order.assign(at, at + count);
  std::sort(order.begin(), order.end());
  order.erase(std::unique(order.begin(), order.end()), order.end());
  const auto rows = static_cast<Size>(order.size());
  const Source source{values.node()->file, values.node()->line};
  if (rows == count && std::equal(order.begin(), order.end(), at)) return {index, values};
  place.resize(static_cast<std::size_t>(count));
  for (Size i = 0; i < count; ++i)
    place[static_cast<std::size_t>(i)] = std::lower_bound(order.begin(), order.end(), at[i]) - order.begin();
  Shape shape = values.node()->shape;
  shape[0] = rows;
  const Tensor places = from_memory(place.data(), {count}, DType::i64, source);
  return {from_memory(order.data(), {rows}, DType::i64, source),
          record_picking(Op::index_add, values, places, 0, shape, source)};
}
}  // namespace

RowGradient rows_of(const Part* const* parts, std::size_t count) {
  const auto by_rows = [](const Part* p) {
    return p->n->op == Op::index_select && p->n->a[0] == 0 && !p->n->has(traced) && !p->n->in[1]->pending();
  };
  if (!std::all_of(parts, parts + count, by_rows)) return {};
  const Picks p = picks_of(parts, count, 0);
  evaluate(p.index);
  return each_once(p.index, p.g);
}
RowGradient sum(const RowGradient& x, const RowGradient& y) {
  const Tensor index = evaluate(concat({x.index, y.index}));
  return each_once(index, concat({x.values, y.values}));
}
Tensor dense_rows(const RowGradient& x, const Shape& shape, Source source) {
  return record_picking(Op::index_add, x.values, x.index, 0, shape, source);
}

void compute_index_add(Node* n) {
  const Picked p = pick_from(n);
  with_type(n->dtype, [&](auto zero) {
    each_run<decltype(zero)>(p, [&](const Axis& in, const Axis& out, const auto* x, auto* y, Size) {
      const auto add_all = [&](auto inner) {
        add_rows(y, out.outer * out.length, x, inner, in.length,
                 [&](const auto& add) { along(in, out, indices(p.index), add); });
      };
      if (in.inner == 1) add_all(std::integral_constant<Size, 1>());
      else add_all(in.inner);
    });
  });
  n->data = p.memory;
}
Tensors vjp_index_add(const Step& s) { return pick_back(Op::index_select, s); }

// y[..k..] = x[..index[..k..]..] along an axis, a = {axis}:   gx = g added into zeros at index
void compute_gather(Node* n) {
  const Picked p = pick_from(n);
  with_type(n->dtype, [&](auto zero) {
    each_run<decltype(zero)>(p, [&](const Axis& in, const Axis& out, const auto* x, auto* y, Size first) {
      each(out, in, indices(p.index) + first * out.length * out.inner, [=](Size to, Size from) { y[to] = x[from]; });
    });
  });
  n->data = p.memory;
}
Tensors vjp_gather(const Step& s) { return pick_back(Op::scatter_add, s); }

void compute_scatter_add(Node* n) {
  const Picked p = pick_from(n);
  with_type(n->dtype, [&](auto zero) {
    each_run<decltype(zero)>(p, [&](const Axis& in, const Axis& out, const auto* x, auto* y, Size first) {
      const Size* index = indices(p.index) + first * in.length * in.inner;
      add_rows(y, out.outer * out.length * out.inner, x, std::integral_constant<Size, 1>(),
               n->a[1] > 0 ? n->a[1] : in.length, [&](const auto& add) { each(in, out, index, add); });
    });
  });
  n->data = p.memory;
}
Tensors vjp_scatter_add(const Step& s) { return pick_back(Op::gather, s); }

void require_index(const Tensor& index, Size extent, const char* op, Source source) {
  if (index.node()->dtype != i64)
    fail(source.named(op), "expected i64 indices, got {}; cast them: cast(index, i64)", name(index.node()->dtype));
  if (index.node()->has(traced)) return;
  evaluate(index.node(), op, source);
  const Tensor d = dense(index.node());
  const Size* at = d.node()->data.as<const Size>();
  const Size n = index.node()->count;
  bool outside = false;
  for (Size i = 0; i < n; ++i) outside |= static_cast<std::uint64_t>(at[i]) >= static_cast<std::uint64_t>(extent);
  if (outside && extent == 0)
    fail(source.named(op), "index {} of an axis of no elements; there is nothing to pick", at[0]);
  for (Size i = 0; outside && i < n; ++i)
    if (at[i] < 0 || at[i] >= extent)
      fail(source.named(op), "index {} at position {}; expected 0 ... {}", at[i], i, extent - 1);
}

namespace {

// Indices of each example among the rows of all, which lie below each other: i + (example) extent.
Tensor index_among_all(const Tensor& index, Size extent, Source source) {
  const Size many = index.node()->shape[0];
  return reshape_to(index + reshape_to(arange(many) * extent, {many, 1}, source), {index.node()->count}, source);
}

// Where each example has indices of its own: x's axis comes first, rows of all examples lie below each other, and the op
// works on those. `to`: how many rows of an example the result has.
Tensor pick_for_each(Op op, const Replayed& r, Size extent, Size to) {
  const int axis = static_cast<int>(r.n->a[0]);
  const Source source = r.source();
  require_index(r.in[1], extent, rule(op).name, source);
  const Tensor front = transpose(r.all(0), 1, axis + 1);
  Shape rows = front.node()->shape;
  rows.erase(0);
  rows[0] *= r.count;
  const Tensor x = reshape_to(front, rows, source);
  rows[0] = r.count * to;
  Shape apart = rows;
  apart[0] = to;
  apart.insert(0, r.count);
  const Tensor y = record_picking(op, x, index_among_all(r.in[1], extent, source), 0, rows, source);
  return transpose(reshape_to(y, apart, source), 1, axis + 1);
}

}  // namespace

Tensor batch_index_select(const Replayed& r) {
  if (!r.each[1])
    return record_picking(Op::index_select, r.in[0], r.in[1], static_cast<int>(r.n->a[0]) + 1, r.shape(), r.source());
  return pick_for_each(Op::index_select, r, r.n->in[0]->shape[static_cast<int>(r.n->a[0])], r.n->in[1]->count);
}
Tensor batch_index_add(const Replayed& r) {
  if (!r.each[1])
    return record_picking(Op::index_add, r.in[0], r.in[1], static_cast<int>(r.n->a[0]) + 1, r.shape(), r.source());
  const Size extent = r.n->shape[static_cast<int>(r.n->a[0])];
  return pick_for_each(Op::index_add, r, extent, extent);
}
Tensor batch_gather(const Replayed& r) {
  const int axis = static_cast<int>(r.n->a[0]);
  require_index(r.in[1], r.n->in[0]->shape[axis], "gather", r.source());
  return batch_axis(r);
}
Tensor batch_scatter_add(const Replayed& r) {
  const int axis = static_cast<int>(r.n->a[0]);
  require_index(r.in[1], r.n->shape[axis], "scatter_add", r.source());
  return batch_axis(r);
}

Tensor gathered(const Tensor& x, const Tensor& index, int axis, Size most, Source source) {
  return record_picking(Op::gather, x, index, axis, index.node()->shape, source, most);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::require_index;
using engine::source_of;

Tensor index_select(const In& x, At axis, const In& index) {
  const Tensor t = operand(x, "index_select"), i = operand(index, "index_select");
  const Source source = source_of(x, "index_select");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "index_select", source);
  if (i.node()->shape.rank() != 1) fail(source, "expected a vector of indices, got shape {}", i.node()->shape);
  require_index(i, t.node()->shape[a], "index_select", source);
  Shape shape = t.node()->shape;
  shape[a] = i.node()->count;
  engine::checked_numel(shape, t.node()->dtype, "index_select", source);
  return engine::record_picking(engine::Op::index_select, t, i, a, shape, source);
}

namespace {
void require_adding(const Tensor& t, Size extent, const char* op, Source source) {
  if (t.node()->dtype == boolean) fail(source.named(op), "expected numbers, got boolean");
  if (extent < 0) fail(source.named(op), "expected an extent of 0 or more, got {}", extent);
}
}  // namespace

Tensor index_add(const In& x, At axis, const In& index, At extent) {
  const Tensor t = operand(x, "index_add"), i = operand(index, "index_add");
  const Source source = source_of(x, "index_add");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "index_add", source);
  require_adding(t, extent, "index_add", source);
  if (!(i.node()->shape == Shape{t.node()->shape[a]}))
    fail(source, "expected {} indices, got shape {}", t.node()->shape[a], i.node()->shape);
  require_index(i, extent, "index_add", source);
  Shape shape = t.node()->shape;
  shape[a] = extent;
  engine::checked_numel(shape, t.node()->dtype, "index_add", source);
  return engine::record_picking(engine::Op::index_add, t, i, a, shape, source);
}

Tensor gather(const In& x, At axis, const In& index) {
  const Tensor t = operand(x, "gather"), i = operand(index, "gather");
  const Source source = source_of(x, "gather");
  const Shape &from = t.node()->shape, &shape = i.node()->shape;
  const int a = engine::checked_axis(axis, from.rank(), "gather", source);
  Shape same = shape;
  if (same.rank() == from.rank()) same[a] = from[a];
  if (!(same == from)) fail(source, "index {} must be of x's shape {} but along axis {}", shape, from, axis.index);
  require_index(i, from[a], "gather", source);
  return engine::record_picking(engine::Op::gather, t, i, a, shape, source);
}

Tensor scatter_add(const In& x, At axis, const In& index, At extent) {
  const Tensor t = operand(x, "scatter_add"), i = operand(index, "scatter_add");
  const Source source = source_of(x, "scatter_add");
  Shape shape = t.node()->shape;
  const int a = engine::checked_axis(axis, shape.rank(), "scatter_add", source);
  require_adding(t, extent, "scatter_add", source);
  if (!(i.node()->shape == shape)) fail(source, "expected an index for each of {}, got {}", shape, i.node()->shape);
  require_index(i, extent, "scatter_add", source);
  shape[a] = extent;
  engine::checked_numel(shape, t.node()->dtype, "scatter_add", source);
  return engine::record_picking(engine::Op::scatter_add, t, i, a, shape, source);
}

Tensor one_hot(const In& index, At classes, DType dtype) {
  const Tensor i = operand(index, "one_hot");
  const Located at(index, "one_hot");
  if (classes < 1) fail(source_of(index, "one_hot"), "expected 1 class or more, got {}", classes.index);
  require_index(i, classes, "one_hot", source_of(index));
  return cast(unsqueeze(i, -1) == arange(classes.index), dtype);
}

}  // namespace xgrad
