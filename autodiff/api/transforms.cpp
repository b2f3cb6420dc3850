// Derivatives of functions: value_and_grad, jvp, vjp, hvp, jacobian, hessian.
#include <xgrad/autodiff/differentiate.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "autodiff/engine/batch.hpp"
#include "autodiff/engine/gradients.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/unused.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad {

using engine::Node;
using engine::Sweep;
using engine::source_of;

namespace {

// Does a derivative lead through y other than to the watched x?
bool leads_elsewhere(Node* y, Node* x, Source source) try {
  Sweep sweep(engine::current(), y, "vjp", source);
  if (x->inputs > 0 && x->in[0]->has(engine::needs_grad)) return true;
  for (const Sweep::Entry& e : sweep.nodes())
    if (e.n != x && e.n->has(engine::watched)) return true;
  return !sweep.leaves().empty();
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
  engine::ThreadState& t = engine::current();
  boost::container::small_vector<Node*, 4> nodes;
  for (const Tensor& x : watched) nodes.push_back(x.node());
  const engine::Watching watching(t, nodes.data(), nodes.size());
  Tensor y;
  {
    const engine::UsersOwn scope(t);
    y = f(watched);
  }
  if (!y.defined()) fail(source.named(op), "the function gave an empty tensor");
  if (!watching.any_cut() || options.allow_unused || !is_float(y.node()->dtype)) return y;
  Sweep sweep(t, y.node(), op, source);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (watching.cut_at(i) && !sweep.find(nodes[i])) engine::fail_lost(op, i, watching.cut_at(i), source);
  return y;
}

struct Applied {
  Tensor x, y;
  bool elsewhere;
  Tensor value() const { return elsewhere ? y : value_only(y); }
};
Applied apply(const Function& f, const In& x, const char* op, TransformOptions options) try {
  const Source source = source_of(x);
  if (!f) fail(source.named(op), "expected a function, got an empty one");
  Applied a{watch(x), {}, false};
  a.y = call([&f](const Tensors& in) { return f(in[0]); }, {a.x}, op, options, source);
  a.elsewhere = !engine::current().no_grad && leads_elsewhere(a.y.node(), a.x.node(), source);
  return a;
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(x), op);
}

// The derivative of y by x: 0 where y does not depend on it.
Tensor pulled(const Tensor& y, const Tensor& x, const Tensor& cotangent, bool create_graph) {
  return engine::gradients(y, {x}, cotangent, create_graph, engine::Unused::zeros)[0];
}

Tensor pushed(const Tensor& y, const Tensor& x, const Tensor& t, Source source) try {
  if (!is_float(y.node()->dtype))
    fail(source.named("jvp"), "a derivative of {} does not exist; expected floats", name(y.node()->dtype));
  engine::ThreadState& thread = engine::current();
  Sweep sweep(thread, y.node(), "jvp", source);
  if (thread.no_grad) engine::note_sweep(thread, sweep);
  if (!sweep.prune([&](const Node* n) { return n == x.node(); })) return zeros(y.node()->shape, y.node()->dtype);
  sweep.find(x.node())->g = t;
  const Tensor tangent = sweep.push(!thread.no_grad);
  return tangent.defined() ? tangent : zeros(y.node()->shape, y.node()->dtype);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "jvp");
}

void require_like(const Tensor& t, const Tensor& x, const char* op, const char* what, Source source) {
  if (t.node()->dtype != x.node()->dtype || !(t.node()->shape == x.node()->shape))
    fail(source.named(op), "expected a {} {} {}, got {} {}", what, name(x.node()->dtype), x.node()->shape,
         name(t.node()->dtype), t.node()->shape);
}

}  // namespace

ValueAndGrad value_and_grad(const Function& f, const In& x, TransformOptions options) {
  const Applied a = apply(f, x, "value_and_grad", options);
  const Located at(x, "value_and_grad");
  Tensor g = pulled(a.y, a.x, {}, a.elsewhere);
  Tensor value = a.value();
  evaluate(Tensors{value, g});
  return {std::move(value), std::move(g)};
}

ValueAndGrads value_and_grad(const FunctionOfMany& f, const Tensors& x, TransformOptions options, Source source) try {
  source = source_of(source, "value_and_grad");
  const Located at(source);
  if (!f) fail(source, "expected a function, got an empty one");
  engine::ThreadState& t = engine::current();
  Tensors watched;
  bool elsewhere = false;
  for (const Tensor& v : x) watched.push_back(watch(v));
  const Tensor y = call(f, watched, "value_and_grad", options, source);
  {
    Sweep sweep(t, y.node(), "value_and_grad", source);
    elsewhere = !sweep.leaves().empty();
    for (const Sweep::Entry& e : sweep.nodes()) {
      bool own = false;
      for (const Tensor& w : watched) own |= e.n == w.node();
      elsewhere |= own ? e.n->inputs > 0 && e.n->in[0]->has(engine::needs_grad) : e.n->has(engine::watched);
    }
    elsewhere &= !t.no_grad;
  }
  Tensors grads = engine::gradients(y, Wrt(watched), {}, elsewhere, engine::Unused::zeros);
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
  const bool create =
      !engine::current().no_grad && (cotangent.requires_grad() || leads_elsewhere(y_.node(), x_.node(), source_of(g)));
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
    fail(source_of(x, op), "expected a function of one element, got shape {}", a.y.node()->shape);
  Tensor g = pulled(a.y, a.x, {}, true);
  return {std::move(a), std::move(g)};
}

// dy/dx of the x that was watched.
Tensor jacobian_of(const Applied& a, const Tensor& y, const char* op, Source source) {
  return engine::jacobians(y, {a.x}, a.elsewhere, engine::Unused::zeros, op, source)[0];
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
  return jacobian_of(a, a.y, "jacobian", source_of(x));
}

Tensor hessian(const Function& f, const In& x, TransformOptions options) {
  const Gradient d = gradient(f, x, "hessian", options);
  const Located at(x);
  return jacobian_of(d.a, d.g, "hessian", source_of(x));
}

}  // namespace xgrad
