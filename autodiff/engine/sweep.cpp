#include "autodiff/engine/sweep.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include <xgrad/autodiff/differentiate.hpp>
#include <xgrad/autodiff/ops.hpp>
#include "autodiff/engine/batch.hpp"
#include "autodiff/engine/primitives.hpp"
#include "autodiff/engine/record.hpp"

namespace xgrad::engine {

Tensor Step::x(int i) const { return share(n->input(i)); }
Tensor Step::y() const { return share(n); }
Size Step::a(int i) const { return n->a[i]; }
Source Step::source() const { return {n->file, n->line}; }
bool Step::wants(int i) const {
  if (!sweep) return only < 0 || only == i;
  const Sweep::Entry* e = sweep->entry(n->input(i));
  return e && e->useful;
}

namespace {

// Recording for differentiation or not, at the line of the op that a rule belongs to.
class RuleScope {
 public:
  RuleScope(ThreadState& t, bool record)
      : t_(t), no_grad_(t.no_grad), located_(t.located), cut_as_(t.cut_as), at_(t.at) {
    t.no_grad = !record;
    t.cut_as = cut_sweep;
    t.located = true;
  }
  ~RuleScope() {
    t_.no_grad = no_grad_;
    t_.cut_as = cut_as_;
    t_.located = located_;
    t_.at = at_;
  }
  void at(const Node* n) { t_.at = {n->file, n->line}; }

 private:
  ThreadState& t_;
  bool no_grad_, located_;
  unsigned cut_as_;
  Source at_;
};

// Is it the constant 1? What merely equals 1 here has derivatives of its own.
inline bool is_one(const Node* n) {
  if (!n->data || !is_number(n) || n->has(needs_grad)) return false;
  return n->dtype == DType::f32 ? *n->data.as<const float>() == 1
                                : n->dtype == DType::f64 && *n->data.as<const double>() == 1;
}

// slope * g, without the multiplication where either is the constant 1. Whether a constant has been computed yet may differ
// from run to run, and a matrix product reads a turned operand otherwise than a fresh result: so what is turned is multiplied
// always, for the same bits.
Tensor scaled(const Slope& slope, const Tensor& g) {
  if (!slope.tensor.defined()) {
    if (slope.number == 0) return {};
    if (slope.number == 1) return g;
    return slope.number == -1 ? -g : g * slope.number;
  }
  const Node *s = slope.tensor.node(), *c = g.node();
  if (s->dtype == c->dtype && !s->has(turned) && !c->has(turned)) {
    if (is_one(c) && s->shape == c->shape) return slope.tensor;
    if (is_one(s) && (s->shape.empty() || s->shape == c->shape)) return g;
  }
  return slope.tensor * g;
}

Slope slope_of(Node* n, int i) {
  const Borrowed x(n->in[0]), y(n->inputs > 1 ? n->in[1] : n), z(n);
  return rule(n->op).slope(x, y, z, i);
}

// dy/dx g. The slope's formula, in ops; or one op that computes it, with the same bits, for small work that is not to
// be differentiated.
Tensor along_slope(const ThreadState& t, Node* n, int i, const Tensor& g) {
  using kernels::SlopeOf;
  const SlopeOf of = rule(n->op).slope_of;
  if (of == SlopeOf::other || !t.no_grad || n->count > small_count) return scaled(slope_of(n, i), g);
  const Op vjp = static_cast<Op>(static_cast<int>(n->op) + static_cast<int>(Op::neg_vjp) - static_cast<int>(Op::neg));
  if (!kernels_of(*t.kernels, vjp, n->dtype)[0]) return scaled(slope_of(n, i), g);
  const Borrowed v(of == SlopeOf::x ? n->in[0] : n);
  return binary(vjp, static_cast<const Tensor&>(v), g);
}

// x += y where nobody else can see it: x is small, evaluated, and has no handle but its entry's.
bool add_in_place(const ThreadState& t, Node* x, const Node* y) {
  if (!x->data || !y->data || x->refs != 1 || x->count != y->count || ((x->flags | y->flags) & (needs_grad | strided)))
    return false;
  if (x->base || x->op == Op::leaf || x->owner().load(std::memory_order_relaxed) != &t ||
      x->shared().load(std::memory_order_acquire) != 0)
    return false;
  const bool numbers = is_number(x) && is_number(y);
  if (!numbers && (x->count > small_count || x->has(uniform) || y->has(uniform))) return false;
  kernels_of(*t.kernels, Op::add, x->dtype)[0](x->data, x->data, y->data, nullptr, numbers ? 1 : x->count);
  return true;
}

}  // namespace

void Sweep::add(Entry& e, Tensor&& g, const Node* by) {
  if (!keeps_points_ && !(g.node()->shape == e.n->shape)) g = sum_to(g, e.n->shape, {by->file, by->line});
  if (!e.g.defined()) e.g = std::move(g);
  else if (!t_.no_grad || !add_in_place(t_, e.g.node(), g.node())) e.g = e.g + g;
}

void Sweep::pull(const Tensor& g, bool create_graph) {
  RuleScope scope(t_, create_graph);
  if (Entry* e = find(y_)) e->g = g;
  for (Entry& e : nodes()) {
    if (!e.useful) continue;
    if (e.parts >= 0) gather_parts(e);
    if (!e.g.defined()) continue;
    Node* n = e.n;
    if (keeps_points_ && kind_of(n->op) == Kind::view) continue;
    scope.at(n);
    const Tensor own = e.asked ? e.g : std::move(e.g);
    const Rule& r = rule(n->op);
    if (r.gather) {
      if (Entry* to = entry(n->in[0]); to && to->useful) {
        storage_.parts.push_back({n, own, to->parts});
        to->parts = static_cast<std::int32_t>(storage_.parts.size()) - 1;
      }
      continue;
    }
    if (r.slope) {
      for (int k = 0; k < n->inputs; ++k) {
        Entry* to = entry(n->in[k]);
        if (!to || !to->useful) continue;
        if (Tensor part = along_slope(t_, n, k, own); part.defined()) add(*to, std::move(part), n);
      }
    } else {
      Tensors parts = r.vjp({n, own, this});
      const int count = std::min<int>(n->inputs, static_cast<int>(parts.size()));
      for (int k = 0; k < count; ++k) {
        Entry* to = entry(n->input(k));
        if (Tensor& part = parts[static_cast<std::size_t>(k)]; to && to->useful && part.defined())
          add(*to, std::move(part), n);
      }
    }
  }
  if (storage_.parts.empty()) return;
  for (Entry& e : leaves())
    if (e.parts >= 0) gather_parts(e);
}

// The cotangents of all uses of one tensor by one op come together: n rows cost one tensor of zeros, not n; or none, where
// they may stay rows.
void Sweep::gather_parts(Entry& e) {
  std::vector<const Part*>& order = storage_.order;  // as they came
  order.clear();
  for (std::int32_t i = std::exchange(e.parts, -1); i >= 0; i = order.back()->before)
    order.push_back(&storage_.parts[static_cast<std::size_t>(i)]);
  std::reverse(order.begin(), order.end());
  const Node* const by = order[0]->n;
  t_.at = {by->file, by->line};
  if (keeps_rows_ && e.n->variable && !e.g.defined()) {
    if (RowGradient rows = rows_of(order.data(), order.size()); rows.index.defined()) {
      e.rows = static_cast<std::int32_t>(storage_.rows.size());
      storage_.rows.push_back(std::move(rows));
      return;
    }
  }
  std::vector<const Part*>& alike = storage_.alike;
  while (!order.empty()) {
    const Op op = order[0]->n->op;
    alike.clear();
    std::size_t left = 0;
    for (const Part* p : order)
      if (p->n->op == op) alike.push_back(p);
      else order[left++] = p;
    order.resize(left);
    if (alike.size() > 1) {
      add(e, rule(op).gather(alike.data(), alike.size()), by);
      continue;
    }
    for (Tensor& part : rule(op).vjp({alike[0]->n, alike[0]->g}))
      if (part.defined()) add(e, std::move(part), by);
  }
}

namespace {

// The transpose of a vjp is the jvp: v(g) is linear in g, so (dv/dg)^T t. What led to n's inputs does not matter.
Tensor transposed_vjp(ThreadState& t, Node* n, int i, const Tensor& tangent) {
  const bool no_grad = t.no_grad;
  const Source source{n->file, n->line};
  Tensor g, v;
  {
    RuleScope scope(t, true);
    scope.at(n);
    g = watch(zeros_like(share(n)));
    const Tensors parts = rule(n->op).vjp({n, g, nullptr, i});
    if (static_cast<std::size_t>(i) < parts.size()) v = parts[static_cast<std::size_t>(i)];
  }
  if (!v.defined()) return {};
  Sweep sweep(t, v.node(), "jvp", source, g.node()->order);
  if (!sweep.prune([&](const Node* x) { return x == g.node(); })) {
    if (n->op == Op::custom && !v.requires_grad())
      fail(source.named("jvp"),
           "a CustomOp's vjp is not made of tensor ops, so it has no transpose; write it in ops of its g");
    return {};
  }
  sweep.pull(tangent, !no_grad);
  return sweep.find(g.node())->g;
}

// A tangent for each column, with the axes of what an op gives behind those: operands meet in their last axes.
Tensor behind_columns(const Tensor& x, int rank, Source source) {
  Shape shape = x.node()->shape;
  while (shape.rank() <= rank) shape.insert(1, 1);
  return reshape_to(x, shape, source);
}

}  // namespace

Tensor Sweep::push(bool create_graph, Size columns) {
  RuleScope scope(t_, create_graph);
  for (std::size_t i = nodes().size(); i-- > 0;) {
    Entry& own = nodes()[i];
    Node* n = own.n;
    if (own.g.defined() || !own.useful) continue;
    scope.at(n);
    const Source source{n->file, n->line};
    const Forward forward = rule(n->op).forward;
    const auto tangent = [&](int k) -> Tensor {
      const Entry* x = entry(n->input(k));
      return x ? x->g : Tensor();
    };
    Tensor sum;
    const auto plus = [&](const Tensor& part) {
      if (part.defined()) sum = sum.defined() ? sum + part : part;
    };
    Tensors held;
    boost::container::small_vector<bool, 4> each;  // of those held: does it have columns?
    bool any = false;
    for (int k = 0; k < n->inputs; ++k) {
      each.push_back(tangent(k).defined());
      any |= each.back();
    }
    if (!any) continue;
    const auto again = [&] {  // the op itself, on those held
      if (columns > 0) return rule(n->op).batch({n, held.begin(), each.data(), columns});
      storage_.in.clear();
      for (const Tensor& x : held) storage_.in.push_back(x.node());
      return replay(n, storage_.in.data(), static_cast<int>(held.size()));
    };
    if (forward == Forward::linear) {
      for (int k = 0; k < n->inputs; ++k) {
        Node* x = n->input(k);
        held.push_back(each[static_cast<std::size_t>(k)] ? tangent(k)
                       : is_float(x->dtype)              ? zeros_like(share(x))
                                                         : share(x));
      }
      plus(again());
    } else if (forward == Forward::bilinear) {
      const auto with_tangent = each;
      each.assign(3, false);
      for (int k = 0; k < n->inputs; ++k) {
        if (!with_tangent[static_cast<std::size_t>(k)]) continue;
        if (k == 2) {
          plus(columns > 0 ? behind_columns(tangent(k), n->shape.rank(), source) : tangent(k));
          continue;
        }
        held = {share(n->in[0]), share(n->in[1])};
        held[static_cast<std::size_t>(k)] = tangent(k);
        if (columns > 0 && n->inputs == 3) held.push_back(zeros({}, n->dtype));
        each[static_cast<std::size_t>(k)] = true;
        plus(again());
        each[static_cast<std::size_t>(k)] = false;
      }
    } else if (forward == Forward::slopes) {
      for (int k = 0; k < n->inputs; ++k)
        if (each[static_cast<std::size_t>(k)])
          plus(along_slope(t_, n, k, columns > 0 ? behind_columns(tangent(k), n->shape.rank(), source) : tangent(k)));
    } else {
      const auto alone = [&](const auto& x) -> Tensor {  // of one column
        if (forward == Forward::own) {
          for (int k = 0; k < n->inputs; ++k) held.push_back(each[static_cast<std::size_t>(k)] ? x(k) : Tensor());
          return rule(n->op).jvp(n, held);
        }
        Tensor all;
        for (int k = 0; k < n->inputs; ++k) {
          if (!each[static_cast<std::size_t>(k)]) continue;
          if (Tensor part = transposed_vjp(t_, n, k, x(k)); part.defined()) all = all.defined() ? all + part : part;
        }
        return all;
      };
      if (columns == 0) {
        plus(alone(tangent));
      } else {
        Batch batch(t_, columns, Randomness::same, rule(n->op).name, source);
        if (const Tensor one = alone([&](int k) { return batch.example(tangent(k)); }); one.defined())
          plus(batch.all(one));
      }
    }
    if (!sum.defined()) continue;
    Shape shape = n->shape;
    if (columns > 0) shape.insert(0, columns);
    own.g = expand_to(sum, shape, source);
  }
  const Entry* y = find(y_);
  return y ? y->g : Tensor();
}

}  // namespace xgrad::engine
