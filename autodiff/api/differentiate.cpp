// Gradients of a recorded result: grad, backward, watch.
#include <xgrad/autodiff/differentiate.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "autodiff/engine/accumulate.hpp"
#include "autodiff/engine/gradients.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/targets.hpp"
#include "autodiff/engine/unused.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad {

using engine::Node;
using engine::Sweep;
using engine::source_of;
using engine::Unused;

Wrt::Wrt(std::initializer_list<In> list) {
  for (const In& x : list) list_.push_back(x.is_number() ? Tensor() : static_cast<Tensor>(x));
}
Wrt::Wrt(const Parameters& list) {
  for (const Parameters::Entry& e : list) list_.push_back(e.value());
}

namespace {

Tensor checked_cotangent(Node* y, const Tensor& g, const char* op, Source source) {
  if (!is_float(y->dtype)) fail(source.named(op), "a derivative of {} does not exist; expected floats", name(y->dtype));
  if (!g.defined()) {
    if (y->count != 1)
      fail(source.named(op), "expected one element, got shape {}; reduce it (sum, mean), or give a cotangent",
           y->shape);
    return Tensor::adopt(engine::uniform_number(y->dtype, y->shape, 1, source));
  }
  if (g.node()->has(engine::weak) && y->shape.empty() && is_float(g.node()->dtype))  // a number
    return engine::converted(g, y->dtype);
  if (g.node()->dtype != y->dtype || !(g.node()->shape == y->shape))
    fail(source.named(op), "expected a cotangent {} {}, got {} {}", name(y->dtype), y->shape, name(g.node()->dtype),
         g.node()->shape);
  return g;
}

}  // namespace

// It may be a value of the record's (d(x tanh y)/dx is tanh y).
Tensor engine::value_of(const Tensor& g) { return g.requires_grad() ? without_history(g.node(), cut_sweep) : g; }

Tensors engine::gradients(const In& y_in, const Wrt& x, const Tensor& cotangent, bool create_graph, Unused unused) try {
  const Tensor y = engine::operand(y_in, "grad");
  const Source source = source_of(y_in, "grad");
  const Located at(source);
  for (const Tensor& target : x.list())
    if (!target.node())
      fail(source, "expected tensors or parameters to differentiate by, got a number or an empty one");
  const Tensor g = checked_cotangent(y.node(), cotangent, "grad", source);
  engine::ThreadState& t = engine::current();
  Sweep sweep(t, y.node(), "grad", source);
  if (!create_graph) engine::note_sweep(t, sweep);
  const engine::Targets targets(x.list());
  sweep.prune([&](const Node* n) { return targets.find(n) != engine::Targets::none; });
  sweep.pull(g, create_graph);
  struct Sum {
    Tensor g;
    bool reached = false;
    void add(const Tensor& part) {
      reached = true;
      if (part.defined()) g = g.defined() ? g + part : part;
    }
  };
  boost::container::small_vector<Sum, 8> sums(x.list().size());
  for (const Sweep::Entry& e : sweep.leaves())
    if (e.n->variable)
      if (const std::size_t i = targets.find(e.n); i != engine::Targets::none) sums[i].add(e.g);
  Tensors result;
  for (std::size_t i = 0; i < x.list().size(); ++i) {
    Node* n = x.list()[i].node();
    Sum& sum = sums[targets.find(n)];
    if (!n->variable && !sum.reached)
      if (const Sweep::Entry* e = sweep.find(n); e && n->has(engine::needs_grad)) sum.add(e->g);
    if (!sum.reached && (unused == Unused::fails || (unused == Unused::fails_if_lost && engine::is_lost(y.node()))))
      engine::fail_unused(sweep, y.node(), n, i, source);
    const Tensor all = sum.g.defined() ? sum.g : zeros(n->shape, n->dtype);
    result.push_back(create_graph ? all : engine::value_of(all));
  }
  return result;
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(y_in), "grad");
}

Tensors grad(const In& y, const Wrt& x, GradOptions options) { return grad(y, x, Tensor(), options); }
Tensors grad(const In& y, const Wrt& x, const Tensor& cotangent, GradOptions options) {
  return engine::gradients(y, x, cotangent, options.create_graph,
                           options.allow_unused ? Unused::fails_if_lost : Unused::fails);
}

Parameters variables_of(const In& y_in) {
  const Tensor y = engine::operand(y_in, "variables_of");
  Sweep sweep(engine::current(), y.node(), "variables_of", source_of(y_in));
  Parameters list;
  boost::container::small_vector<const engine::Variable*, 16> known;
  for (const Sweep::Entry& e : sweep.leaves()) {
    engine::Variable* v = e.n->variable;
    if (!v || std::find(known.begin(), known.end(), v) != known.end()) continue;
    known.push_back(v);
    const bool alive = engine::alive(v);
    if (alive) engine::retain(v);
    list.add({fmt::format("{} {} of {}{}", name(e.n->dtype), e.n->shape, to_string(Source(e.n->file, e.n->line)),
                          alive ? "" : ", gone by now"),
              engine::VariableRef(alive ? v : nullptr)});
  }
  return list;
}

Tensor watch(const In& x) try {
  const Tensor t = engine::operand(x, "watch");
  if (!is_float(t.node()->dtype))
    fail(source_of(x, "watch"), "expected floats, got {}; cast it first", name(t.node()->dtype));
  engine::ThreadState& thread = engine::current();
  Node* n = engine::new_node(engine::Op::identity, t.node()->dtype, t.node()->shape, source_of(x));
  Tensor watched = Tensor::adopt(n);
  Node* from = t.node();
  const bool traced = from->has(engine::traced);
  if (!traced) engine::evaluate(from, "watch", source_of(x));
  engine::set_inputs(n, &from, 1);
  if (traced) engine::put_on_trace(n, source_of(x));
  n->flags |=
      engine::watched | engine::needs_grad | (traced ? 0u : unsigned{engine::computed}) | (from->flags & engine::cuts);
  engine::turn_like(n, from);
  if (!traced) engine::rule(engine::Op::identity).compute(n);
  ++thread.recorded;
  engine::link(thread, n);
  return watched;
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(x), "watch");
}

void Tensor::backward(BackwardOptions options, Source source) const { backward(Tensor(), options, source); }

void Tensor::backward(const Tensor& cotangent, BackwardOptions options, Source source) const try {
  source = source_of(source, "backward");
  if (!defined()) fail(source, "expected a tensor, got an empty one");
  Node* y = node();
  if (y->has(engine::traced))
    fail(source,
         "inside of vmap there are no numbers to be added to a Parameter's gradient; take grad(loss, "
         "{parameters}) of the example, and use what vmap gives");
  const Tensor start = checked_cotangent(y, cotangent, "backward", source);
  if (!y->has(engine::needs_grad)) {
    if (y->has(engine::released))
      fail(source, "an earlier backward() let go of this record; pass it {.keep_graph = true} to call it twice");
    engine::fail_no_parameter(y, source);
  }
  engine::ThreadState& t = engine::current();
  Sweep sweep(t, y, "backward", source);
  if (!options.create_graph) {
    engine::note_sweep(t, sweep);
    sweep.keep_rows();
  }
  sweep.pull(start, options.create_graph);
  engine::accumulate(t, y, sweep, options.create_graph, source);
  if (!options.keep_graph && !options.create_graph) sweep.release();
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(source), "backward");
}

}  // namespace xgrad
