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
Sweeps& sweeps() { return kept<Sweeps, Kept::sweeps>(current()); }
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

// Is it the constant 1? What merely equals 1 here has derivatives of its own.
inline bool is_one(const Node* n) {
  if (!n->data || !is_number(n) || n->has(needs_grad)) return false;
  return n->dtype == DType::f32 ? *reinterpret_cast<const float*>(n->data) == 1
                                : n->dtype == DType::f64 && *reinterpret_cast<const double*>(n->data) == 1;
}

// slope * g; numbers that change nothing are left out.
Tensor scaled(const Slope& slope, const Tensor& g) {
  if (!slope.tensor.defined()) {
    if (slope.number == 0) return {};
    if (slope.number == 1) return g;
    return slope.number == -1 ? -g : g * slope.number;
  }
  const Node *s = slope.tensor.node(), *c = g.node();
  if (s->dtype == c->dtype) {
    if (is_one(c) && s->shape == c->shape) return slope.tensor;
    if (is_one(s) && (s->shape.empty() || s->shape == c->shape)) return g;
  }
  return slope.tensor * g;
}

Slope slope_of(Node* n, int i) {
  const Borrowed x(n->in[0]), y(n->inputs > 1 ? n->in[1] : n), z(n);
  return rule(n->op).slope(x, y, z, i);
}

// dy/dx g. The slope's formula, in ops; or one op that computes it, with the same bits, where it is not to be
// differentiated.
Tensor along_slope(const Thread& t, Node* n, int i, const Tensor& g) {
  using kernels::SlopeOf;
  const SlopeOf of = rule(n->op).slope_of;
  if (of == SlopeOf::other || !t.no_grad) return scaled(slope_of(n, i), g);
  const Op vjp = static_cast<Op>(static_cast<int>(n->op) + static_cast<int>(Op::neg_vjp) - static_cast<int>(Op::neg));
  const Borrowed v(of == SlopeOf::x ? n->in[0] : n);
  return binary(vjp, static_cast<const Tensor&>(v), g);
}

[[noreturn]] void fail_released(const char* op, Source source) {
  fail(source, fmt::format("[{}] an earlier backward() let go of the record that leads here; pass it "
                           "{{.keep_graph = true}}, or record again", op));
}

}  // namespace

Tensor pull_one(const Step& s, int i) {
  const Rule& r = rule(s.n->op);
  return r.slope ? along_slope(current(), s.n, i, s.g) : r.vjp(s, i);
}

Record::Record(Thread& t, Node* y, const char* op, Source source, std::uint64_t oldest, Older older)
    : t_(t), y_(y), storage_(next_storage()), nested_(sweeps().depth > 1),
      older_are_leaves_(older == Older::leaves), oldest_(oldest) {
  try {
    if (y->has(released) && y->op != Op::leaf) fail_released(op, source);  // a number by now
    const auto follow = [&](Node* n) {
      if (n->op == Op::leaf || !leads(n)) return false;
      if (n->has(released)) fail_released(op, source);
      if (n->home != &t)
        fail(source, fmt::format("[{}] part of the record is another thread's; differentiate there, or detach() what "
                                 "comes from it", op));
      return true;
    };
    walk(t, &y, 1, follow, storage_.walked);
    for (Node* n : storage_.walked) {
      set_slot(n, nodes().size());
      nodes().push_back({n, {}, true, false});
      for (int i = 0; i < n->inputs; ++i) {
        Node* x = n->input(i);
        if (x->op == Op::leaf) {
          if (leads(x)) add_leaf(x);
        } else if (x->has(released) && n->order < x->order) {
          fail_released(op, source);
        }
      }
    }
    if (y->op == Op::leaf && leads(y)) add_leaf(y);
    if (older_are_leaves_) {
      add_older_leaf(y);
      for (Node* n : storage_.walked)
        for (int i = 0; i < n->inputs; ++i) add_older_leaf(n->input(i));
    }
  } catch (...) {
    clear();
    --sweeps().depth;
    throw;
  }
}

Record::~Record() {
  clear();
  --sweeps().depth;
}

void Record::clear() {
  restore_slots();
  nodes().clear();
  leaves().clear();
  if (storage_.foreign_count) std::fill(storage_.foreign.begin(), storage_.foreign.end(), std::pair{nullptr, 0});
  storage_.foreign_count = 0;
}

namespace {
std::size_t hash(const Node* n) {
  return static_cast<std::size_t>((reinterpret_cast<std::uintptr_t>(n) / sizeof(Node) * 0x9E3779B97F4A7C15ull) >> 24);
}
}  // namespace

std::int32_t* Record::foreign_slot(const Node* x) const {
  auto& table = storage_.foreign;
  if (table.empty()) return nullptr;
  for (std::size_t i = hash(x);; ++i) {
    auto& place = table[i & (table.size() - 1)];
    if (place.first == x) return &place.second;
    if (!place.first) return nullptr;
  }
}
void Record::add_foreign_slot(const Node* x, std::int32_t slot) {
  auto& table = storage_.foreign;
  const auto put = [&](const Node* n, std::int32_t at) {
    std::size_t i = hash(n);
    while (table[i & (table.size() - 1)].first) ++i;
    table[i & (table.size() - 1)] = {n, at};
  };
  if (2 * ++storage_.foreign_count > table.size()) {
    auto before = std::exchange(table, {});
    table.resize(std::max<std::size_t>(16, 2 * before.size()));
    for (const auto& [n, at] : before)
      if (n) put(n, at);
  }
  put(x, slot);
}

void Record::set_slot(Node* n, std::size_t slot) {
  if (nested_) storage_.outer.emplace_back(n, n->slot);
  n->slot = static_cast<std::int32_t>(slot);
}
void Record::restore_slots() {
  for (std::size_t i = storage_.outer.size(); i-- > 0;) storage_.outer[i].first->slot = storage_.outer[i].second;
  storage_.outer.clear();
}

// Each leaf once.
void Record::add_leaf(Node* x) {
  std::vector<Entry>& all = leaves();
  if (x->home == &t_) {
    const auto at = static_cast<std::size_t>(x->slot);
    if (at < all.size() && all[at].n == x) return;
    set_slot(x, all.size());
  } else {
    if (foreign_slot(x)) return;
    add_foreign_slot(x, static_cast<std::int32_t>(all.size()));
  }
  all.push_back({x, {}, true, true});
}

void Record::add_older_leaf(Node* x) {
  if (!x->has(needs_grad) || is_own(x) || foreign_slot(x)) return;
  add_foreign_slot(x, static_cast<std::int32_t>(leaves().size()));
  leaves().push_back({x, {}, true, true});
}
Record::Entry* Record::older_leaf(const Node* x) {
  const std::int32_t* at = foreign_slot(x);
  return at ? &leaves()[static_cast<std::size_t>(*at)] : nullptr;
}

Record::Entry* Record::find(const Node* n) {
  if (older_are_leaves_ && !leads(n)) return older_leaf(n);
  std::vector<Entry>& all = n->op == Op::leaf ? leaves() : nodes();
  if (n->home == &t_) {
    const auto at = static_cast<std::size_t>(n->slot);
    return at < all.size() && all[at].n == n ? &all[at] : nullptr;
  }
  const std::int32_t* at = n->op == Op::leaf ? foreign_slot(n) : nullptr;
  return at ? &all[static_cast<std::size_t>(*at)] : nullptr;
}

namespace {

// x += y where nobody else can see it: x is small, evaluated, and has no handle but its entry's.
bool add_in_place(const Thread& t, Node* x, const Node* y) {
  if (!x->data || !y->data || x->refs != 1 || x->count != y->count || ((x->flags | y->flags) & (needs_grad | strided)))
    return false;
  if (x->base || x->op == Op::leaf || x->owner().load(std::memory_order_relaxed) != &t ||
      x->shared().load(std::memory_order_acquire) != 0)
    return false;
  const bool numbers = is_number(x) && is_number(y);
  if (!numbers && (x->count > small_count || x->has(uniform) || y->has(uniform))) return false;
  t.kernels->elementwise[static_cast<int>(Op::add) - 1][static_cast<int>(x->dtype)][0](x->data, x->data, y->data,
                                                                                      nullptr, numbers ? 1 : x->count);
  return true;
}

}  // namespace

void Record::add(Entry& e, Tensor&& g, Source source) {
  if (!(g.node()->shape == e.n->shape)) g = sum_to(g, e.n->shape, source);
  if (!e.g.defined()) e.g = std::move(g);
  else if (!t_.no_grad || !add_in_place(t_, e.g.node(), g.node())) e.g = e.g + g;
}

void Record::pull(const Tensor& g, bool create_graph) {
  RuleScope scope(t_, create_graph);
  if (Entry* e = find(y_)) e->g = g;
  Memo memo;
  memo.sweep = this;
  for (Entry& e : nodes()) {
    if (!e.useful || !e.g.defined()) continue;
    Node* n = e.n;
    scope.at(n);
    const Tensor own = e.keep ? e.g : std::move(e.g);
    const Step step{n, own, &memo};
    for (int k = 0; k < n->inputs; ++k) {
      Entry* to = entry(n->input(k));
      if (!to || !to->useful) continue;
      if (Tensor part = pull_one(step, k); part.defined()) add(*to, std::move(part), {n->file, n->line});
    }
  }
}

namespace {

// The transpose of a vjp is the jvp: v(g) is linear in g, so (dv/dg)^T t. What led to n's inputs does not matter.
Tensor transposed_vjp(Thread& t, Node* n, int i, const Tensor& tangent) {
  const bool no_grad = t.no_grad;
  const Source source{n->file, n->line};
  Tensor g, v;
  {
    RuleScope scope(t, true);
    scope.at(n);
    g = watch(zeros_like(share(n)));
    v = rule(n->op).vjp(Step{n, g}, i);
  }
  if (!v.defined()) return {};
  Record record(t, v.node(), "jvp", source, g.node()->order);
  if (!record.prune([&](const Node* x) { return x == g.node(); })) {
    if (n->op == Op::custom && !v.requires_grad())
      fail(source, "[jvp] a CustomOp's vjp is not made of tensor ops, so it has no transpose; write it in ops of its g");
    return {};
  }
  record.pull(tangent, !no_grad);
  return record.find(g.node())->g;
}

}  // namespace

Tensor Record::push() {
  RuleScope scope(t_, !t_.no_grad);
  for (std::size_t i = nodes().size(); i-- > 0;) {
    Entry& own = nodes()[i];
    Node* n = own.n;
    if (own.g.defined() || !own.useful) continue;
    scope.at(n);
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
    std::vector<Node*>& in = storage_.in;
    in.clear();
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
      plus(replay(n, in.data(), n->inputs));
    } else if (forward == Forward::rerun) {
      for (int k = 0; k < n->inputs; ++k) held.push_back(tangent(k));
      plus(jvp_checkpoint(n, held));
    } else {
      for (int k = 0; k < n->inputs; ++k) {
        const Tensor part = tangent(k);
        if (!part.defined()) continue;
        if (forward == Forward::slopes) {
          plus(along_slope(t_, n, k, part));
        } else if (forward == Forward::bilinear && k == 2) {
          plus(part);
        } else if (forward == Forward::bilinear) {
          Node* both[] = {n->in[0], n->in[1]};
          both[k] = part.node();
          plus(replay(n, both, 2));
        } else {
          plus(transposed_vjp(t_, n, k, part));
        }
      }
    }
    if (sum.defined()) own.g = expand_to(sum, n->shape, {n->file, n->line});
  }
  const Entry* y = find(y_);
  return y ? y->g : Tensor();
}

void Record::release() {
  const std::uint64_t now = t_.order;
  restore_slots();
  for (std::size_t i = nodes().size(); i-- > 0;) {  // the oldest first: what a node lets go of has been visited
    Node* n = nodes()[i].n;
    if (n->pending()) continue;
    unlink(t_, n);
    n->flags |= released;
    n->order = now;
    if (n == y_) n->flags &= ~unsigned{needs_grad};
    forget_inputs(n);
    if (n->op == Op::checkpoint) n->extra->checkpointed.reset();
  }
  clear();
}

}  // namespace xgrad::engine
