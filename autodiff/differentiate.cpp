#include "autodiff/differentiate.hpp"

#include <fmt/format.h>

#include "autodiff/engine/sweep.hpp"
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
  if (g.node()->dtype != y->dtype || !(g.node()->shape == y->shape))
    fail(source, fmt::format("[{}] expected a cotangent {} {}, got {} {}", op, name(y->dtype), y->shape,
                             name(g.node()->dtype), g.node()->shape));
  return g;
}

// Is n the target, or another value of its variable?
bool is_target(const Node* n, const Tensor& target) {
  return n == target.node() || (n->variable && n->variable == target.node()->variable);
}

Tensors grad_of(const In& y_in, const Wrt& x, const Tensor& cotangent, GradOptions options) {
  const Tensor y = engine::operand(y_in, "grad");
  const Source source = source_of(y_in);
  const Located at(source);
  for (const Tensor& target : x.list())
    if (!target.node()) fail(source, "[grad] expected tensors or parameters to differentiate by, got a number or an empty one");
  const Tensor g = checked_cotangent(y.node(), cotangent, "grad", source);
  engine::Thread& t = engine::current();
  Record record(t, y.node(), "grad", source);
  record.prune([&](const Node* n) {
    for (const Tensor& target : x.list())
      if (is_target(n, target)) return true;
    return false;
  });
  record.pull(g, options.create_graph);
  Tensors result;
  for (std::size_t i = 0; i < x.list().size(); ++i) {
    const Tensor& target = x.list()[i];
    Node* n = target.node();
    Tensor sum;
    bool reached = false;
    const auto plus = [&](const Record::Entry& e) {
      reached = true;
      if (e.g.defined()) sum = sum.defined() ? sum + e.g : e.g;
    };
    if (n->variable) {  // every value that the variable had
      for (const Record::Entry& e : record.leaves())
        if (is_target(e.n, target)) plus(e);
    } else if (const Record::Entry* e = record.find(n); e && n->has(engine::needs_grad)) {
      plus(*e);
    }
    if (!reached && !options.allow_unused)
      fail(source, fmt::format("[grad] the result does not depend on input {}, {} {}; differentiate by what led to it "
                               "(a Parameter or watch(x)), or pass {{.allow_unused = true}} for zeros",
                               i, name(n->dtype), n->shape));
    result.push_back(sum.defined() ? sum : zeros(n->shape, n->dtype));
  }
  return result;
}

}  // namespace

Tensors grad(const In& y, const Wrt& x, GradOptions options) { return grad_of(y, x, {}, options); }
Tensors grad(const In& y, const Wrt& x, const Tensor& cotangent, GradOptions options) { return grad_of(y, x, cotangent, options); }

Tensor watch(const In& x) {
  const Tensor t = engine::operand(x, "watch");
  if (!is_float(t.node()->dtype))
    fail(source_of(x), fmt::format("[watch] expected floats, got {}; cast it first", name(t.node()->dtype)));
  engine::Thread& thread = engine::current();
  const bool no_grad = std::exchange(thread.no_grad, false);
  Node* n = engine::new_node(engine::Op::identity, t.node()->dtype, t.node()->shape, source_of(x));
  Tensor watched = Tensor::adopt(n);
  Node* from = t.node();
  thread.no_grad = no_grad;
  engine::evaluate(from, "watch", source_of(x));
  engine::set_inputs(n, &from, 1);
  n->flags |= engine::watched | engine::needs_grad | engine::computed;
  engine::rule(engine::Op::identity).compute(n);
  ++thread.recorded;
  engine::link(thread, n);
  return watched;
}

void Tensor::backward(BackwardOptions options, Source source) const { backward(Tensor(), options, source); }

void Tensor::backward(const Tensor& cotangent, BackwardOptions options, Source source) const {
  source = source_of(source);
  if (!defined()) fail(source, "[backward] expected a tensor, got an empty one");
  Node* y = node();
  const Tensor start = checked_cotangent(y, cotangent, "backward", source);
  if (!y->has(engine::needs_grad)) {
    if (y->has(engine::released))
      fail(source, "[backward] an earlier backward() let go of this record; pass it {.keep_graph = true} to call it twice");
    fail(source, "[backward] no parameter leads here; was it made under NoGrad, detached, or from tensors alone?");
  }
  engine::Thread& t = engine::current();
  engine::collect_foreign(t);
  Record record(t, y, "backward", source);
  record.pull(start, options.create_graph);
  // New gradients first, together with the value; then they are stored: an error changes nothing.
  static thread_local std::vector<std::pair<engine::Variable*, Tensor>> sums;
  static thread_local std::vector<Node*> targets;
  sums.clear();
  targets.clear();
  {
    const Located at(source);
    const bool no_grad = std::exchange(t.no_grad, !options.create_graph);
    for (Record::Entry& e : record.leaves()) {
      engine::Variable* v = e.n->variable;
      const Tensor g = std::move(e.g);
      if (!g.defined() || !v || !engine::alive(v)) continue;
      Tensor* sum = nullptr;
      for (auto& s : sums)
        if (s.first == v) sum = &s.second;
      if (sum) *sum = *sum + g;
      else sums.emplace_back(v, v->grad.defined() ? v->grad + g : g);
    }
    t.no_grad = no_grad;
  }
  targets.push_back(y);
  for (const auto& s : sums) targets.push_back(s.second.node());
  try {
    engine::evaluate(t, targets.data(), targets.size());
  } catch (...) {
    sums.clear();
    throw;
  }
  for (auto& s : sums) s.first->grad = std::move(s.second);
  sums.clear();
  if (!options.keep_graph && !options.create_graph) record.release();
}

namespace {

// Does a derivative lead through y other than to the watched x?
bool leads_elsewhere(Node* y, Node* x, Source source) {
  if (x->in[0]->has(engine::needs_grad)) return true;
  Record record(engine::current(), y, "vjp", source);
  for (const Record::Entry& e : record.nodes())
    if (e.n != x && e.n->has(engine::watched)) return true;
  return !record.leaves().empty();
}

// f at a watched x, recorded whatever the scope.
struct Applied {
  Tensor x, y;
  bool elsewhere;
  Tensor value() const { return elsewhere ? y : y.detach(); }
};
Applied apply(const Function& f, const In& x, const char* op) {
  const Source source = source_of(x);
  if (!f) fail(source, fmt::format("[{}] expected a function, got an empty one", op));
  engine::Thread& t = engine::current();
  Applied a{watch(x), {}, false};
  struct Restore {
    engine::Thread& t;
    bool no_grad;
    ~Restore() { t.no_grad = no_grad; }
  } restore{t, std::exchange(t.no_grad, false)};
  a.y = f(a.x);
  if (!a.y.defined()) fail(source, fmt::format("[{}] the function gave an empty tensor", op));
  a.elsewhere = !restore.no_grad && leads_elsewhere(a.y.node(), a.x.node(), source);
  return a;
}

Tensor pushed(const Tensor& y, const Tensor& x, const Tensor& t, Source source) {
  if (!is_float(y.node()->dtype))
    fail(source, fmt::format("[jvp] a derivative of {} does not exist; expected floats", name(y.node()->dtype)));
  Record record(engine::current(), y.node(), "jvp", source);
  if (!record.prune([&](const Node* n) { return n == x.node(); }))
    return zeros(y.node()->shape, y.node()->dtype);
  record.find(x.node())->g = t;
  const Tensor tangent = record.push();
  return tangent.defined() ? tangent : zeros(y.node()->shape, y.node()->dtype);
}

void require_like(const Tensor& t, const Tensor& x, const char* op, const char* what, Source source) {
  if (t.node()->dtype != x.node()->dtype || !(t.node()->shape == x.node()->shape))
    fail(source, fmt::format("[{}] expected a {} {} {}, got {} {}", op, what, name(x.node()->dtype), x.node()->shape,
                             name(t.node()->dtype), t.node()->shape));
}

}  // namespace

ValueAndGrad value_and_grad(const Function& f, const In& x) {
  const Applied a = apply(f, x, "value_and_grad");
  const Located at(x);
  Tensor g = grad(a.y, {a.x}, {.create_graph = a.elsewhere, .allow_unused = true})[0];
  Tensor value = a.value();
  evaluate(Tensors{value, g});
  return {std::move(value), std::move(g)};
}

ValueAndGrads value_and_grad(const FunctionOfMany& f, const Tensors& x, Source source) {
  source = source_of(source);
  const Located at(source);
  if (!f) fail(source, "[value_and_grad] expected a function, got an empty one");
  engine::Thread& t = engine::current();
  Tensors watched;
  bool elsewhere = false;
  for (const Tensor& v : x) watched.push_back(watch(v));
  const bool no_grad = std::exchange(t.no_grad, false);
  Tensor y;
  try {
    y = f(watched);
  } catch (...) {
    t.no_grad = no_grad;
    throw;
  }
  t.no_grad = no_grad;
  if (!y.defined()) fail(source, "[value_and_grad] the function gave an empty tensor");
  {
    Record record(t, y.node(), "value_and_grad", source);
    elsewhere = !record.leaves().empty();
    for (const Record::Entry& e : record.nodes()) {
      bool own = false;
      for (const Tensor& w : watched) own |= e.n == w.node();
      elsewhere |= own ? e.n->in[0]->has(engine::needs_grad) : e.n->has(engine::watched);
    }
    elsewhere &= !no_grad;
  }
  Tensors grads = grad(y, Wrt(watched), {.create_graph = elsewhere, .allow_unused = true});
  return {elsewhere ? y : y.detach(), std::move(grads)};
}

Jvp jvp(const Function& f, const In& x, const In& t) {
  const Applied a = apply(f, x, "jvp");
  const Located at(x);
  const Tensor tangent = engine::operand(t, "jvp", a.x.node()->dtype);
  require_like(tangent, a.x, "jvp", "tangent", source_of(x));
  const Tensor pushed_tangent = pushed(a.y, a.x, tangent, source_of(x));
  return {a.value(), a.elsewhere || tangent.requires_grad() ? pushed_tangent : pushed_tangent.detach()};
}

Vjp vjp(const Function& f, const In& x) {
  const Applied a = apply(f, x, "vjp");
  return {a.value(), Pullback(a.x, a.y)};
}

Tensor Pullback::operator()(const In& g) const {
  const Located at(g);
  const Tensor cotangent = engine::operand(g, "pullback", y_.node()->dtype);
  const bool create = !engine::current().no_grad &&
                      (cotangent.requires_grad() || leads_elsewhere(y_.node(), x_.node(), source_of(g)));
  return grad(y_, {x_}, cotangent, {.create_graph = create, .allow_unused = true})[0];
}

namespace {

// The gradient of f at x, recorded so that it can be differentiated again.
struct Gradient {
  Applied a;
  Tensor g;
};
Gradient gradient(const Function& f, const In& x, const char* op) {
  Applied a = apply(f, x, op);
  const Located at(x);
  if (a.y.node()->count != 1)
    fail(source_of(x), fmt::format("[{}] expected a function of one element, got shape {}", op, a.y.node()->shape));
  Tensor g = grad(a.y, {a.x}, {.create_graph = true, .allow_unused = true})[0];
  return {std::move(a), std::move(g)};
}

// d(of)/d(x), one column at a time: shape of `of`, then x's.
Tensor columns(const Tensor& of, const Tensor& x, bool keep, Source source) {
  const Size n = x.node()->count;
  Tensors list;
  for (Size i = 0; i < n; ++i) {
    const Tensor basis = reshape(slice(eye(n, x.node()->dtype), 0, i, i + 1), x.node()->shape);
    const Tensor column = pushed(of, x, basis, source);
    list.push_back(reshape(keep ? column : column.detach(), {of.node()->count}));
  }
  Shape shape = of.node()->shape;
  for (Size e : x.node()->shape) shape.push_back(e);
  if (list.empty()) return zeros(shape, x.node()->dtype);
  return reshape(stack(list, 1), shape);
}

}  // namespace

Tensor hvp(const Function& f, const In& x, const In& t) {
  const Gradient d = gradient(f, x, "hvp");
  const Located at(x);
  const Tensor tangent = engine::operand(t, "hvp", d.a.x.node()->dtype);
  require_like(tangent, d.a.x, "hvp", "tangent", source_of(x));
  const Tensor y = pushed(d.g, d.a.x, tangent, source_of(x));
  return d.a.elsewhere || tangent.requires_grad() ? y : y.detach();
}

Tensor jacobian(const Function& f, const In& x) {
  const Applied a = apply(f, x, "jacobian");
  const Located at(x);
  const Size m = a.y.node()->count, n = a.x.node()->count;
  if (n < m) return columns(a.y, a.x, a.elsewhere, source_of(x));
  Shape shape = a.y.node()->shape;
  for (Size e : a.x.node()->shape) shape.push_back(e);
  Tensors rows;
  for (Size i = 0; i < m; ++i) {
    const Tensor basis = reshape(slice(eye(m, a.y.node()->dtype), 0, i, i + 1), a.y.node()->shape);
    rows.push_back(grad(a.y, {a.x}, basis, {.create_graph = a.elsewhere, .allow_unused = true})[0]);
  }
  return rows.empty() ? zeros(shape, a.x.node()->dtype) : reshape(stack(rows), shape);
}

Tensor hessian(const Function& f, const In& x) {
  const Gradient d = gradient(f, x, "hessian");
  const Located at(x);
  return columns(d.g, d.a.x, d.a.elsewhere, source_of(x));
}

}  // namespace xgrad
