#include <xgrad/autodiff/differentiate.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "autodiff/engine/accumulate.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/unused.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad {

using engine::Node;
using engine::Record;
using engine::source_of;

Wrt::Wrt(std::initializer_list<In> list) {
  for (const In& x : list) list_.push_back(x.is_number() ? Tensor() : static_cast<Tensor>(x));
}
Wrt::Wrt(const Parameters& list) {
  for (const Parameters::Entry& e : list) list_.push_back(e.value());
}

namespace {

Tensor checked_cotangent(Node* y, const Tensor& g, const char* op, Source source) {
  if (!is_float(y->dtype))
    fail(source, fmt::format("[{}] a derivative of {} does not exist; expected floats", op, name(y->dtype)));
  if (!g.defined()) {
    if (y->count != 1)
      fail(source, fmt::format("[{}] expected one element, got shape {}; reduce it (sum, mean), or give a cotangent", op,
                               y->shape));
    return Tensor::adopt(engine::uniform_number(y->dtype, y->shape, 1, source));
  }
  if (g.node()->has(engine::weak) && y->shape.empty() && is_float(g.node()->dtype))  // a number
    return engine::converted(g, y->dtype);
  if (g.node()->dtype != y->dtype || !(g.node()->shape == y->shape))
    fail(source, fmt::format("[{}] expected a cotangent {} {}, got {} {}", op, name(y->dtype), y->shape,
                             name(g.node()->dtype), g.node()->shape));
  return g;
}

// What to differentiate by, and which of it a node is: one of the tensors, or any value of one of the variables.
class Targets {
 public:
  explicit Targets(const Tensors& list) {
    for (std::size_t i = 0; i < list.size(); ++i) places_.emplace_back(key(list[i].node()), i);
    std::sort(places_.begin(), places_.end());
  }
  static constexpr std::size_t none = ~std::size_t{0};
  std::size_t find(const Node* n) const {  // the first such
    const auto at = std::lower_bound(places_.begin(), places_.end(), Place(key(n), 0));
    return at != places_.end() && at->first == key(n) ? at->second : none;
  }

 private:
  using Place = std::pair<std::uintptr_t, std::size_t>;
  static std::uintptr_t key(const Node* n) {
    return n->variable ? reinterpret_cast<std::uintptr_t>(n->variable) : reinterpret_cast<std::uintptr_t>(n);
  }
  boost::container::small_vector<Place, 16> places_;
};

// A gradient that is not to be differentiated may be a value of the record's (d(x tanh y)/dx is tanh y): without history.
Tensor value_of(const Tensor& g) { return g.requires_grad() ? engine::without_history(g.node(), engine::cut_sweep) : g; }

enum class Unused { fails, fails_if_lost, zeros };

Tensors grad_of(const In& y_in, const Wrt& x, const Tensor& cotangent, bool create_graph, Unused unused) try {
  const Tensor y = engine::operand(y_in, "grad");
  const Source source = source_of(y_in);
  const Located at(source);
  for (const Tensor& target : x.list())
    if (!target.node()) fail(source, "[grad] expected tensors or parameters to differentiate by, got a number or an empty one");
  const Tensor g = checked_cotangent(y.node(), cotangent, "grad", source);
  engine::Thread& t = engine::current();
  Record record(t, y.node(), "grad", source);
  if (!create_graph) engine::note_sweep(t, record);
  const Targets targets(x.list());
  record.prune([&](const Node* n) { return targets.find(n) != Targets::none; });
  record.pull(g, create_graph);
  struct Sum {
    Tensor g;
    bool reached = false;
    void add(const Tensor& part) {
      reached = true;
      if (part.defined()) g = g.defined() ? g + part : part;
    }
  };
  boost::container::small_vector<Sum, 8> sums(x.list().size());
  for (const Record::Entry& e : record.leaves())
    if (e.n->variable)
      if (const std::size_t i = targets.find(e.n); i != Targets::none) sums[i].add(e.g);
  Tensors result;
  for (std::size_t i = 0; i < x.list().size(); ++i) {
    Node* n = x.list()[i].node();
    Sum& sum = sums[targets.find(n)];
    if (!n->variable && !sum.reached)
      if (const Record::Entry* e = record.find(n); e && n->has(engine::needs_grad)) sum.add(e->g);
    if (!sum.reached && (unused == Unused::fails || (unused == Unused::fails_if_lost && engine::is_lost(y.node()))))
      engine::fail_unused(record, y.node(), n, i, source);
    const Tensor all = sum.g.defined() ? sum.g : zeros(n->shape, n->dtype);
    result.push_back(create_graph ? all : value_of(all));
  }
  return result;
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(y_in), "grad");
}

}  // namespace

Tensors grad(const In& y, const Wrt& x, GradOptions options) { return grad(y, x, Tensor(), options); }
Tensors grad(const In& y, const Wrt& x, const Tensor& cotangent, GradOptions options) {
  return grad_of(y, x, cotangent, options.create_graph, options.allow_unused ? Unused::fails_if_lost : Unused::fails);
}

Parameters variables_of(const In& y_in) {
  const Tensor y = engine::operand(y_in, "variables_of");
  Record record(engine::current(), y.node(), "variables_of", source_of(y_in));
  Parameters list;
  boost::container::small_vector<const engine::Variable*, 16> known;
  for (const Record::Entry& e : record.leaves()) {
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
    fail(source_of(x), fmt::format("[watch] expected floats, got {}; cast it first", name(t.node()->dtype)));
  engine::Thread& thread = engine::current();
  Node* n = engine::new_node(engine::Op::identity, t.node()->dtype, t.node()->shape, source_of(x));
  Tensor watched = Tensor::adopt(n);
  Node* from = t.node();
  engine::evaluate(from, "watch", source_of(x));
  engine::set_inputs(n, &from, 1);
  n->flags |= engine::watched | engine::needs_grad | engine::computed | (from->flags & engine::cuts);
  engine::turn_like(n, from);
  engine::rule(engine::Op::identity).compute(n);
  ++thread.recorded;
  engine::link(thread, n);
  return watched;
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(x), "watch");
}

void Tensor::backward(BackwardOptions options, Source source) const { backward(Tensor(), options, source); }

void Tensor::backward(const Tensor& cotangent, BackwardOptions options, Source source) const try {
  source = source_of(source);
  if (!defined()) fail(source, "[backward] expected a tensor, got an empty one");
  Node* y = node();
  const Tensor start = checked_cotangent(y, cotangent, "backward", source);
  if (!y->has(engine::needs_grad)) {
    if (y->has(engine::released))
      fail(source, "[backward] an earlier backward() let go of this record; pass it {.keep_graph = true} to call it twice");
    engine::fail_no_parameter(y, source);
  }
  engine::Thread& t = engine::current();
  Record record(t, y, "backward", source);
  if (!options.create_graph) engine::note_sweep(t, record);
  record.pull(start, options.create_graph);
  engine::accumulate(t, y, record.leaves(), options.create_graph, source);
  if (!options.keep_graph && !options.create_graph) record.release();
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(source), "backward");
}

namespace {

// Does a derivative lead through y other than to the watched x?
bool leads_elsewhere(Node* y, Node* x, Source source) try {
  Record record(engine::current(), y, "vjp", source);
  if (x->inputs > 0 && x->in[0]->has(engine::needs_grad)) return true;
  for (const Record::Entry& e : record.nodes())
    if (e.n != x && e.n->has(engine::watched)) return true;
  return !record.leaves().empty();
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "vjp");
}

// What a transform gives holds no history where it depends on nothing but the x that was watched.
Tensor value_only(const Tensor& x) {
  if (!x.requires_grad()) return x;
  return engine::without_history(x.node(), engine::current().no_grad ? unsigned{engine::cut_no_grad} : 0u);
}

// f at watched tensors, recorded whatever the scope.
Tensor call(const FunctionOfMany& f, const Tensors& watched, const char* op, TransformOptions options, Source source) {
  engine::Thread& t = engine::current();
  boost::container::small_vector<Node*, 4> nodes;
  for (const Tensor& x : watched) nodes.push_back(x.node());
  const engine::Watching watching(t, nodes.data(), nodes.size());
  Tensor y;
  {
    const engine::UsersOwn scope(t);
    y = f(watched);
  }
  if (!y.defined()) fail(source, fmt::format("[{}] the function gave an empty tensor", op));
  if (!watching.any_cut() || options.allow_unused || !is_float(y.node()->dtype)) return y;
  Record record(t, y.node(), op, source);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (watching.cut_at(i) && !record.find(nodes[i])) engine::fail_lost(op, i, watching.cut_at(i), source);
  return y;
}

struct Applied {
  Tensor x, y;
  bool elsewhere;
  Tensor value() const { return elsewhere ? y : value_only(y); }
};
Applied apply(const Function& f, const In& x, const char* op, TransformOptions options) try {
  const Source source = source_of(x);
  if (!f) fail(source, fmt::format("[{}] expected a function, got an empty one", op));
  Applied a{watch(x), {}, false};
  a.y = call([&f](const Tensors& in) { return f(in[0]); }, {a.x}, op, options, source);
  a.elsewhere = !engine::current().no_grad && leads_elsewhere(a.y.node(), a.x.node(), source);
  return a;
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(x), op);
}

// The derivative of y by x: 0 where y does not depend on it.
Tensor pulled(const Tensor& y, const Tensor& x, const Tensor& cotangent, bool create_graph) {
  return grad_of(y, {x}, cotangent, create_graph, Unused::zeros)[0];
}

Tensor pushed(const Tensor& y, const Tensor& x, const Tensor& t, Source source) try {
  if (!is_float(y.node()->dtype))
    fail(source, fmt::format("[jvp] a derivative of {} does not exist; expected floats", name(y.node()->dtype)));
  engine::Thread& thread = engine::current();
  Record record(thread, y.node(), "jvp", source);
  if (thread.no_grad) engine::note_sweep(thread, record);
  if (!record.prune([&](const Node* n) { return n == x.node(); }))
    return zeros(y.node()->shape, y.node()->dtype);
  record.find(x.node())->g = t;
  const Tensor tangent = record.push();
  return tangent.defined() ? tangent : zeros(y.node()->shape, y.node()->dtype);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "jvp");
}

void require_like(const Tensor& t, const Tensor& x, const char* op, const char* what, Source source) {
  if (t.node()->dtype != x.node()->dtype || !(t.node()->shape == x.node()->shape))
    fail(source, fmt::format("[{}] expected a {} {} {}, got {} {}", op, what, name(x.node()->dtype), x.node()->shape,
                             name(t.node()->dtype), t.node()->shape));
}

}  // namespace

ValueAndGrad value_and_grad(const Function& f, const In& x, TransformOptions options) {
  const Applied a = apply(f, x, "value_and_grad", options);
  const Located at(x);
  Tensor g = pulled(a.y, a.x, {}, a.elsewhere);
  Tensor value = a.value();
  evaluate(Tensors{value, g});
  return {std::move(value), std::move(g)};
}

ValueAndGrads value_and_grad(const FunctionOfMany& f, const Tensors& x, TransformOptions options, Source source) try {
  source = source_of(source);
  const Located at(source);
  if (!f) fail(source, "[value_and_grad] expected a function, got an empty one");
  engine::Thread& t = engine::current();
  Tensors watched;
  bool elsewhere = false;
  for (const Tensor& v : x) watched.push_back(watch(v));
  const Tensor y = call(f, watched, "value_and_grad", options, source);
  {
    Record record(t, y.node(), "value_and_grad", source);
    elsewhere = !record.leaves().empty();
    for (const Record::Entry& e : record.nodes()) {
      bool own = false;
      for (const Tensor& w : watched) own |= e.n == w.node();
      elsewhere |= own ? e.n->inputs > 0 && e.n->in[0]->has(engine::needs_grad) : e.n->has(engine::watched);
    }
    elsewhere &= !t.no_grad;
  }
  Tensors grads = grad_of(y, Wrt(watched), {}, elsewhere, Unused::zeros);
  return {elsewhere ? y : value_only(y), std::move(grads)};
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(source), "value_and_grad");
}

Jvp jvp(const Function& f, const In& x, const In& t, TransformOptions options) {
  const Applied a = apply(f, x, "jvp", options);
  const Located at(x);
  const Tensor tangent = engine::operand(t, "jvp", a.x.node()->dtype);
  require_like(tangent, a.x, "jvp", "tangent", source_of(x));
  const Tensor pushed_tangent = pushed(a.y, a.x, tangent, source_of(x));
  return {a.value(), a.elsewhere || tangent.requires_grad() ? pushed_tangent : value_only(pushed_tangent)};
}

Vjp vjp(const Function& f, const In& x, TransformOptions options) {
  const Applied a = apply(f, x, "vjp", options);
  return {a.value(), Pullback(a.x, a.y)};
}

Tensor Pullback::operator()(const In& g) const {
  const Located at(g);
  const Tensor cotangent = engine::operand(g, "pullback", y_.node()->dtype);
  const bool create = !engine::current().no_grad &&
                      (cotangent.requires_grad() || leads_elsewhere(y_.node(), x_.node(), source_of(g)));
  return pulled(y_, x_, cotangent, create);
}

namespace {

// The gradient of f at x, recorded so that it can be differentiated again.
struct Gradient {
  Applied a;
  Tensor g;
};
Gradient gradient(const Function& f, const In& x, const char* op, TransformOptions options) {
  Applied a = apply(f, x, op, options);
  const Located at(x);
  if (a.y.node()->count != 1)
    fail(source_of(x), fmt::format("[{}] expected a function of one element, got shape {}", op, a.y.node()->shape));
  Tensor g = pulled(a.y, a.x, {}, true);
  return {std::move(a), std::move(g)};
}

// d(of)/d(x), one column at a time: shape of `of`, then x's.
Tensor columns(const Tensor& of, const Tensor& x, bool keep, Source source) {
  const Size n = x.node()->count;
  const Tensor identity = eye(n, x.node()->dtype);
  Tensors list;
  for (Size i = 0; i < n; ++i) {
    const Tensor basis = reshape(identity[i], x.node()->shape);
    const Tensor column = pushed(of, x, basis, source);
    list.push_back(reshape(keep ? column : value_only(column), {of.node()->count}));
  }
  Shape shape = of.node()->shape;
  for (Size e : x.node()->shape) shape.push_back(e);
  if (list.empty()) return zeros(shape, x.node()->dtype);
  return reshape(stack(list, 1), shape);
}

}  // namespace

Tensor hvp(const Function& f, const In& x, const In& t, TransformOptions options) {
  const Gradient d = gradient(f, x, "hvp", options);
  const Located at(x);
  const Tensor tangent = engine::operand(t, "hvp", d.a.x.node()->dtype);
  require_like(tangent, d.a.x, "hvp", "tangent", source_of(x));
  const Tensor y = pushed(d.g, d.a.x, tangent, source_of(x));
  return d.a.elsewhere || tangent.requires_grad() ? y : value_only(y);
}

Tensor jacobian(const Function& f, const In& x, TransformOptions options) {
  const Applied a = apply(f, x, "jacobian", options);
  const Located at(x);
  const Size m = a.y.node()->count, n = a.x.node()->count;
  if (n < m) return columns(a.y, a.x, a.elsewhere, source_of(x));
  Shape shape = a.y.node()->shape;
  for (Size e : a.x.node()->shape) shape.push_back(e);
  const Tensor identity = eye(m, a.y.node()->dtype);
  Tensors rows;
  for (Size i = 0; i < m; ++i) {
    const Tensor basis = reshape(identity[i], a.y.node()->shape);
    rows.push_back(pulled(a.y, a.x, basis, a.elsewhere));
  }
  return rows.empty() ? zeros(shape, a.x.node()->dtype) : reshape(stack(rows), shape);
}

Tensor hessian(const Function& f, const In& x, TransformOptions options) {
  const Gradient d = gradient(f, x, "hessian", options);
  const Located at(x);
  return columns(d.g, d.a.x, d.a.elsewhere, source_of(x));
}

}  // namespace xgrad
