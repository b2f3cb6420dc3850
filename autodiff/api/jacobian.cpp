// Jacobians of recorded results.
#include <xgrad/autodiff/differentiate.hpp>

#include <algorithm>
#include <vector>

#include "autodiff/engine/batch.hpp"
#include "autodiff/engine/gradients.hpp"
#include "autodiff/engine/targets.hpp"
#include "autodiff/engine/unused.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad {

using engine::Node;
using engine::Sweep;
using engine::Targets;
using engine::Unused;

namespace {

Shape joined(Shape x, const Shape& y) {
  for (const Size e : y) x.push_back(e);
  return x;
}

// The most numbers that a node of the record has.
Size widest(Sweep& sweep, const Node* y) {
  Size most = y->count;
  for (const Sweep::Entry& e : sweep.nodes()) most = std::max(most, e.n->count);
  return most;
}

// Rows from ... to - 1 of the unit matrix of n: all of it may be more than memory holds.
Tensor unit_rows(Size from, Size to, Size n, DType dtype) {
  return from == 0 && to == n ? eye(n, dtype) : one_hot(arange(from, to), n, dtype);
}

// f(from, to) for as many of `count` rows or columns at once as do not take much memory, one behind the other; f(from, -1), of
// one alone, where that fails because a CustomOp's derivative reads numbers.
template <class F>
Tensors in_turn(Size count, Size width, Source source, const F& f) {
  constexpr Size most_numbers = Size{1} << 24;
  const Size together = std::max<Size>(1, most_numbers / std::max<Size>(1, width));
  std::vector<Tensors> parts;
  bool one_by_one = false;
  try {
    for (Size from = 0; from < count; from += together) parts.push_back(f(from, std::min(count, from + together)));
  } catch (const NoNumbers&) {
    one_by_one = true;
  }
  if (!one_by_one && parts.size() == 1) return parts[0];
  if (one_by_one) {
    parts.clear();
    for (Size i = 0; i < count; ++i) parts.push_back(f(i, -1));
  }
  Tensors all;
  for (std::size_t k = 0; k < parts[0].size(); ++k) {
    Tensors list;
    for (const Tensors& part : parts) list.push_back(part[k]);
    all.push_back(one_by_one ? stack(list, 0, source) : concat(list, 0, source));
  }
  return all;
}

// What was asked for.
struct Asked {
  const Tensor& y;
  const Wrt& wrt;
  const Tensors& x = wrt.list();
  bool create_graph;
  Unused unused;
  const char* op;
  Source source;
  Size m = y.node()->count, n = 0;

  Shape shape(std::size_t k) const { return joined(y.node()->shape, x[k].node()->shape); }
};

Tensors by_rows(engine::ThreadState& t, const Asked& a, Size width) {
  const auto basis = [&](Size from, Size to) {
    return reshape(unit_rows(from, to, a.m, a.y.node()->dtype), joined({to - from}, a.y.node()->shape));
  };
  const Tensors rows = in_turn(a.m, width, a.source, [&](Size from, Size to) {
    if (to < 0) return engine::gradients(a.y, a.wrt, basis(from, from + 1)[0], a.create_graph, a.unused);
    engine::Batch batch(t, to - from, Randomness::same, a.op, a.source);
    Tensors all;
    for (const Tensor& g : engine::gradients(a.y, a.wrt, batch.example(basis(from, to)), a.create_graph, a.unused))
      all.push_back(batch.all(g));
    return all;
  });
  Tensors result;
  for (std::size_t k = 0; k < a.x.size(); ++k) result.push_back(reshape(rows[k], a.shape(k)));
  return result;
}

// Column j is the derivative by the j-th number of all x, one behind the other.
Tensors by_columns(const Asked& a, Sweep& sweep, const Targets& targets, Size width) {
  const auto column_shape = [](Size many, const Shape& shape) { return many > 0 ? joined({many}, shape) : shape; };
  const Tensor columns = in_turn(a.n, width, a.source, [&](Size from, Size to) {
    const Size many = to < 0 ? 0 : to - from;
    std::vector<Tensor> basis;
    Size first = 0;
    for (const Tensor& x : a.x) {
      const Size last = first + x.node()->count;
      const Tensor part = slice(unit_rows(from, to < 0 ? from + 1 : to, a.n, x.node()->dtype), 1, first, last);
      basis.push_back(reshape(part, column_shape(many, x.node()->shape)));
      first = last;
    }
    for (auto* entries : {&sweep.leaves(), &sweep.nodes()})
      for (Sweep::Entry& e : *entries) {
        const std::size_t k = e.useful ? targets.find(e.n) : Targets::none;
        e.g = k != Targets::none ? basis[k] : Tensor();
      }
    Tensor column = sweep.push(a.create_graph, many);
    if (!column.defined()) column = zeros(column_shape(many, a.y.node()->shape), a.y.node()->dtype);
    return Tensors{a.create_graph ? column : engine::value_of(column)};
  })[0];
  const Tensor turned = transpose(reshape(columns, {a.n, a.m}));
  Tensors result;
  Size first = 0;
  for (std::size_t k = 0; k < a.x.size(); ++k) {
    const Size last = first + a.x[k].node()->count;
    result.push_back(reshape(slice(turned, 1, first, last), a.shape(k)));
    first = last;
  }
  return result;
}

// Number `index` of a view, as a number of what it is a view of: the first that is none, or a target.
struct Number {
  Node* of;
  Size index;
};
Number number_of(Node* n, Size index, const Targets& targets) {
  using engine::Op;
  while ((n->op == Op::slice || n->op == Op::reshape || n->op == Op::identity) && targets.find(n) == Targets::none) {
    if (n->op == Op::slice) {
      const engine::Axis from = engine::axis_of(n->in[0]->shape, static_cast<int>(n->a[0]));
      const Size length = n->shape[static_cast<int>(n->a[0])];
      const Size inner = index % from.inner, along = index / from.inner % length, outer = index / from.inner / length;
      index = (outer * from.length + n->a[1] + along * n->a[2]) * from.inner + inner;
    }
    n = n->in[0];
  }
  return {n, index};
}

// Is each number of y made of numbers of its own place, and of single numbers of x, by elementwise ops? As those of a model at m
// points are.
bool is_by_points(Sweep& sweep, const Asked& a, const Targets& targets) {
  const Shape& shape = a.y.node()->shape;
  const auto passed = [](const Node* n) { return engine::kind_of(n->op) == engine::Kind::elementwise; };
  const auto ends = [&](Node* n) {
    return n->count == 1 && targets.find(number_of(n, 0, targets).of) != Targets::none;
  };
  if (!passed(a.y.node())) return false;
  for (const Sweep::Entry& e : sweep.nodes()) {
    if (!e.useful || !passed(e.n)) continue;
    if (targets.find(e.n) != Targets::none || !(e.n->count == 1 || e.n->shape == shape)) return false;
    for (int k = 0; k < e.n->inputs; ++k) {
      Node* x = e.n->input(k);
      const Sweep::Entry* from = sweep.entry(x);
      if (from && from->useful && !passed(x) && !ends(x)) return false;
    }
  }
  return true;
}

// One sweep, whose cotangents are the columns.
Tensors by_points(const Asked& a, Sweep& sweep, const Targets& targets) {
  const Shape& shape = a.y.node()->shape;
  for (Sweep::Entry& e : sweep.nodes()) e.asked |= engine::kind_of(e.n->op) != engine::Kind::elementwise;
  sweep.keep_points();
  sweep.pull(ones(shape, a.y.node()->dtype), a.create_graph);
  std::vector<std::vector<Tensor>> columns;
  for (const Tensor& x : a.x) columns.emplace_back(static_cast<std::size_t>(x.node()->count));
  for (auto* entries : {&sweep.leaves(), &sweep.nodes()})
    for (const Sweep::Entry& e : *entries) {
      if (!e.useful || !e.g.defined()) continue;
      const Number at = number_of(e.n, 0, targets);
      Tensor& column = columns[targets.find(at.of)][static_cast<std::size_t>(at.index)];
      const Tensor part = a.create_graph ? e.g : engine::value_of(e.g);
      column = column.defined() ? column + part : part;
    }
  const Shape one_axis{a.m};
  Tensors result;
  for (std::size_t k = 0; k < a.x.size(); ++k) {
    const Size count = a.x[k].node()->count;
    Tensors list;
    for (const Tensor& column : columns[targets.find(a.x[k].node())]) {
      if (!column.defined()) list.push_back(zeros({a.m}, a.x[k].node()->dtype));
      else if (column.node()->shape == one_axis) list.push_back(column);
      else list.push_back(reshape(expand(column, shape), one_axis));
    }
    result.push_back(reshape(transpose(reshape(concat(list, 0, a.source), {count, a.m})), a.shape(k)));
  }
  return result;
}

}  // namespace

Tensors engine::jacobians(const Tensor& y, const Wrt& wrt, bool create_graph, Unused unused, const char* op,
                          Source source) try {
  ThreadState& t = current();
  source = source.named(op);
  const Located at(source);
  Asked a{.y = y, .wrt = wrt, .create_graph = create_graph, .unused = unused, .op = op, .source = source};
  for (const Tensor& x : a.x) {
    if (!x.node()) fail(source, "expected tensors or parameters to differentiate by, got a number or an empty one");
    a.n += x.node()->count;
  }
  if (!is_float(y.node()->dtype))
    fail(source, "a derivative of {} does not exist; expected floats", name(y.node()->dtype));
  Sweep sweep(t, y.node(), op, source);
  const Size width = widest(sweep, y.node());

  const Targets targets(a.x);
  std::vector<char> reached(a.x.size());
  sweep.prune([&](const Node* x) {
    const std::size_t k = targets.find(x);
    if (k != Targets::none && x->has(needs_grad)) reached[k] = true;
    return k != Targets::none;
  });
  bool nested = false;  // does one x lead to another?
  for (const Sweep::Entry& e : sweep.nodes())
    for (int k = 0; e.asked && k < e.n->inputs; ++k)
      if (const Sweep::Entry* from = sweep.entry(e.n->input(k))) nested |= from->useful;
  const bool must_reach = unused == Unused::fails || (unused == Unused::fails_if_lost && is_lost(y.node()));
  for (std::size_t k = 0; must_reach && k < a.x.size(); ++k)
    if (Node* x = a.x[k].node(); !reached[targets.find(x)]) fail_unused(sweep, y.node(), x, k, source);

  if (a.m == 0 || a.n == 0) {
    Tensors none;
    for (std::size_t k = 0; k < a.x.size(); ++k) none.push_back(zeros(a.shape(k), a.x[k].node()->dtype));
    return none;
  }
  if (a.m <= a.n || nested) return by_rows(t, a, width);
  if (!create_graph) note_sweep(t, sweep);
  if (is_by_points(sweep, a, targets)) return by_points(a, sweep, targets);
  return by_columns(a, sweep, targets, width);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, op);
}

Tensors jacobian(const In& y, const Wrt& x, GradOptions options) {
  const Source source = engine::source_of(y, "jacobian");
  return engine::jacobians(engine::operand(y, "jacobian"), x, options.create_graph,
                           options.allow_unused ? Unused::fails_if_lost : Unused::fails, "jacobian", source);
}

}  // namespace xgrad
