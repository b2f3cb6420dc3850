#include "autodiff/engine/sweep.hpp"

#include <fmt/format.h>

#include <deque>

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

Tensor Step::x(int i) const { return share(n->input(i)); }
Tensor Step::y() const { return share(n); }
Size Step::a(int i) const { return n->a[i]; }

namespace {

// Storage for sweeps, one inside the other (a CustomOp's derivative may differentiate).
struct Sweeps {
  std::deque<Record::Storage> storage;
  std::size_t depth = 0;
};
Sweeps& sweeps() {
  static thread_local Sweeps s;
  return s;
}
Record::Storage& next_storage() {
  Sweeps& s = sweeps();
  if (s.storage.size() == s.depth) s.storage.emplace_back();
  return s.storage[s.depth++];
}

// Recording for differentiation or not, at the line of the op that a rule belongs to.
class RuleScope {
 public:
  RuleScope(Thread& t, bool record) : t_(t), no_grad_(t.no_grad), located_(t.located), at_(t.at) {
    t.no_grad = !record;
    t.located = true;
  }
  ~RuleScope() {
    t_.no_grad = no_grad_;
    t_.located = located_;
    t_.at = at_;
  }
  void at(const Node* n) { t_.at = {n->file, n->line}; }

 private:
  Thread& t_;
  bool no_grad_, located_;
  Source at_;
};

bool is_one(const Tensor& t) {
  const Node* n = t.node();
  return !n->pending() && is_number(n) && read_number(n->dtype, n->data) == 1;
}

// slope * g; numbers that change nothing are left out.
Tensor scaled(const Slope& slope, const Tensor& g) {
  if (!slope.tensor.defined()) {
    if (slope.number == 0) return {};
    if (slope.number == 1) return g;
    return slope.number == -1 ? -g : g * slope.number;
  }
  const Tensor& s = slope.tensor;
  if (s.node()->dtype == g.node()->dtype) {
    if (s.node()->shape == g.node()->shape && is_one(g)) return s;
    if (is_one(s) && (s.node()->shape == g.node()->shape || s.node()->shape.empty())) return g;
  }
  return s * g;
}

Slope slope_of(Node* n, int i) {
  const Tensor x = share(n->in[0]), z = share(n);
  return rule(n->op).slope(x, n->inputs > 1 ? share(n->in[1]) : z, z, i);
}

[[noreturn]] void fail_released(const char* op, Source source) {
  fail(source, fmt::format("[{}] an earlier backward() let go of the record that leads here; pass it "
                           "{{.keep_graph = true}}, or record again", op));
}

}  // namespace

Tensor pull_one(Node* n, int i, const Tensor& g) {
  const Rule& r = rule(n->op);
  return r.slope ? scaled(slope_of(n, i), g) : r.vjp(Step{n, g}, i);
}

Record::Record(Thread& t, Node* y, const char* op, Source source) : t_(t), y_(y), storage_(next_storage()) {
  std::vector<Entry>& all = storage_.entries;
  try {
    const auto follow = [&](Node* n) {
      if (!n->has(needs_grad) || n->op == Op::leaf) return false;
      if (n->has(released)) fail_released(op, source);
      if (n->owner.load(std::memory_order_relaxed) != &t)
        fail(source, fmt::format("[{}] part of the record is another thread's; differentiate there, or detach() what "
                                 "comes from it", op));
      return true;
    };
    walk(t, &y, 1, follow, storage_.walked);
    nodes_ = storage_.walked.size();
    if (sweeps().depth > 1)
      for (const Node* n : storage_.walked) outer_slots_.push_back(n->slot);
    for (Node* n : storage_.walked) {
      n->slot = static_cast<std::int32_t>(all.size());
      all.push_back({n, {}, true, false});
    }
    for (Node* n : storage_.walked)
      for (int i = 0; i < n->inputs; ++i) {
        Node* x = n->input(i);
        if (x->op == Op::leaf && x->has(needs_grad)) {
          if (find(x)) continue;
          if (x->owner.load(std::memory_order_relaxed) == &t) x->slot = static_cast<std::int32_t>(all.size());
          all.push_back({x, {}, true});
        } else if (x->has(released) && n->order < x->order) {
          fail_released(op, source);
        }
      }
    if (nodes_ == 0 && y->has(needs_grad)) {
      if (y->owner.load(std::memory_order_relaxed) == &t) y->slot = 0;
      all.push_back({y, {}, true});
    }
  } catch (...) {
    all.clear();
    --sweeps().depth;
    throw;
  }
}

Record::~Record() {
  for (std::size_t i = 0; i < outer_slots_.size(); ++i) storage_.entries[i].n->slot = outer_slots_[i];
  storage_.entries.clear();
  --sweeps().depth;
}

Record::Entry* Record::find(const Node* n) {
  std::vector<Entry>& all = storage_.entries;
  if (n->owner.load(std::memory_order_relaxed) == &t_) {
    const auto at = static_cast<std::size_t>(n->slot);
    return at < all.size() && all[at].n == n ? &all[at] : nullptr;
  }
  for (std::size_t i = nodes_; i < all.size(); ++i)  // another thread's leaf: its scratch is not ours
    if (all[i].n == n) return &all[i];
  return nullptr;
}

void Record::add(Entry& e, Tensor g, Source source) {
  if (!(g.node()->shape == e.n->shape)) g = sum_to(g, e.n->shape, source);
  e.g = e.g.defined() ? e.g + g : std::move(g);
}

void Record::pull(const Tensor& g, bool create_graph) {
  RuleScope scope(t_, create_graph);
  std::vector<Entry>& all = storage_.entries;
  if (Entry* e = find(y_)) e->g = g;
  for (std::size_t i = 0; i < nodes_; ++i) {
    if (!all[i].useful || !all[i].g.defined()) continue;
    Node* n = all[i].n;
    scope.at(n);
    const Tensor own = all[i].keep ? all[i].g : std::move(all[i].g);
    for (int k = 0; k < n->inputs; ++k) {
      Node* x = n->input(k);
      if (!x->has(needs_grad)) continue;
      Entry* to = find(x);
      if (!to->useful) continue;
      if (Tensor part = pull_one(n, k, own); part.defined()) add(*to, std::move(part), {n->file, n->line});
    }
  }
}

namespace {

// The transpose of a vjp is the jvp: v(g) is linear in g, so (dv/dg)^T t.
Tensor transposed_vjp(Node* n, int i, const Tensor& tangent) {
  Thread& t = current();
  const bool no_grad = t.no_grad;
  Tensor g, v;
  {
    RuleScope scope(t, true);
    g = watch(zeros_like(share(n)));
    v = rule(n->op).vjp(Step{n, g}, i);
  }
  if (!v.defined()) return {};
  return grad(v, Wrt{g}, tangent, {.create_graph = !no_grad, .allow_unused = true})[0];
}

}  // namespace

Tensor Record::push() {
  std::vector<Entry>& all = storage_.entries;
  RuleScope scope(t_, !t_.no_grad);
  for (std::size_t i = nodes_; i-- > 0;) {
    Node* n = all[i].n;
    if (all[i].g.defined() || !all[i].useful) continue;
    scope.at(n);
    const Forward forward = rule(n->op).forward;
    const auto tangent = [&](int k) -> Tensor {
      const Entry* e = n->input(k)->has(needs_grad) ? find(n->input(k)) : nullptr;
      return e ? e->g : Tensor();
    };
    Tensor sum;
    const auto plus = [&](const Tensor& part) {
      if (part.defined()) sum = sum.defined() ? sum + part : part;
    };
    std::vector<Tensor> held;
    std::vector<Node*> in;
    bool any = false;
    for (int k = 0; k < n->inputs; ++k) any |= tangent(k).defined();
    if (!any) continue;
    if (forward == Forward::linear) {
      for (int k = 0; k < n->inputs; ++k) {
        Node* x = n->input(k);
        Tensor part = tangent(k);
        if (!part.defined()) part = is_float(x->dtype) ? zeros_like(share(x)) : share(x);
        in.push_back(part.node());
        held.push_back(std::move(part));
      }
      plus(replay(n, in.data()));
    } else {
      for (int k = 0; k < n->inputs; ++k) {
        const Tensor part = tangent(k);
        if (!part.defined()) continue;
        if (forward == Forward::slopes) {
          plus(scaled(slope_of(n, k), part));
        } else if (forward == Forward::bilinear) {
          Node* both[] = {n->in[0], n->in[1]};
          both[k] = part.node();
          plus(replay(n, both));
        } else {
          plus(transposed_vjp(n, k, part));
        }
      }
    }
    if (sum.defined()) all[i].g = expand_to(sum, n->shape, {n->file, n->line});
  }
  const Entry* y = find(y_);
  return y ? y->g : Tensor();
}

void Record::release() {
  std::vector<Entry>& all = storage_.entries;
  const std::uint64_t now = t_.order;
  for (std::size_t i = nodes_; i-- > 0;) {  // the oldest first: what a node lets go of has been visited
    Node* n = all[i].n;
    all[i].g = Tensor();
    if (n->pending()) continue;
    unlink(t_, n);
    n->flags |= released;
    n->order = now;
    if (n == y_) n->flags &= static_cast<std::uint16_t>(~needs_grad);
    forget_inputs(n);
  }
  all.clear();
  nodes_ = 0;
}

}  // namespace xgrad::engine
