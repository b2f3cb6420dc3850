// The record of a sweep: its nodes and leaves, and their places in it.
#include <fmt/format.h>

#include "autodiff/engine/sweep.hpp"

namespace xgrad::engine {

namespace {

[[noreturn]] void fail_released(const char* op, Source source) {
  fail(source.named(op),
       "an earlier backward() let go of the record that leads here; pass it "
       "{.keep_graph = true}, or record again");
}

}  // namespace

Sweep::Sweep(ThreadState& t, Node* y, const char* op, Source source, std::uint64_t oldest, Older older)
    : t_(t),
      y_(y),
      held_(share(y)),
      outer_(t.sweep),
      room_(t),
      storage_(*room_),
      older_are_leaves_(older == Older::leaves),
      oldest_(oldest) {
  t.sweep = this;
  try {
    if (y->has(released) && y->op != Op::leaf) fail_released(op, source);  // a number by now
    const auto follow = [&](Node* n) {
      if (n->op == Op::leaf || !leads(n)) return false;
      if (n->has(released)) fail_released(op, source);
      if (n->home != &t)
        fail(source.named(op),
             "part of the record is another thread's; differentiate there, or detach() what "
             "comes from it");
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
    leave();
    throw;
  }
}

Sweep::~Sweep() { leave(); }

void Sweep::leave() {
  clear();
  t_.sweep = outer_;
}

void Sweep::clear() {
  restore_slots();
  nodes().clear();
  leaves().clear();
  storage_.parts.clear();
  storage_.rows.clear();
  if (storage_.foreign_count) std::fill(storage_.foreign.begin(), storage_.foreign.end(), std::pair{nullptr, 0});
  storage_.foreign_count = 0;
}

namespace {
std::size_t hash(const Node* n) {
  return static_cast<std::size_t>((reinterpret_cast<std::uintptr_t>(n) / sizeof(Node) * 0x9E3779B97F4A7C15ull) >> 24);
}
}  // namespace

std::int32_t* Sweep::foreign_slot(const Node* x) const {
  auto& table = storage_.foreign;
  if (table.empty()) return nullptr;
  for (std::size_t i = hash(x);; ++i) {
    auto& place = table[i & (table.size() - 1)];
    if (place.first == x) return &place.second;
    if (!place.first) return nullptr;
  }
}
void Sweep::add_foreign_slot(const Node* x, std::int32_t slot) {
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

void Sweep::set_slot(Node* n, std::size_t slot) {
  if (outer_) storage_.outer.emplace_back(n, n->slot);
  n->slot = static_cast<std::int32_t>(slot);
}
void Sweep::restore_slots() {
  for (std::size_t i = storage_.outer.size(); i-- > 0;) storage_.outer[i].first->slot = storage_.outer[i].second;
  storage_.outer.clear();
}

// Each leaf once.
void Sweep::add_leaf(Node* x) {
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

void Sweep::add_older_leaf(Node* x) {
  if (!x->has(needs_grad) || is_own(x) || foreign_slot(x)) return;
  add_foreign_slot(x, static_cast<std::int32_t>(leaves().size()));
  leaves().push_back({x, {}, true, true});
}
Sweep::Entry* Sweep::older_leaf(const Node* x) {
  const std::int32_t* at = foreign_slot(x);
  return at ? &leaves()[static_cast<std::size_t>(*at)] : nullptr;
}

Sweep::Entry* Sweep::find(const Node* n) {
  if (older_are_leaves_ && !leads(n)) return older_leaf(n);
  std::vector<Entry>& all = n->op == Op::leaf ? leaves() : nodes();
  if (n->home == &t_) {
    const auto at = static_cast<std::size_t>(n->slot);
    return at < all.size() && all[at].n == n ? &all[at] : nullptr;
  }
  const std::int32_t* at = n->op == Op::leaf ? foreign_slot(n) : nullptr;
  return at ? &all[static_cast<std::size_t>(*at)] : nullptr;
}

// Where several have n, its slot is of the innermost of them.
bool Sweep::is_in_outer(const Node* n) const {
  for (const Sweep* r = outer_; r; r = r->outer_) {
    const std::vector<Entry>& all = r->storage_.nodes;
    if (const auto at = static_cast<std::size_t>(n->slot); at < all.size() && all[at].n == n) return true;
  }
  return false;
}

namespace {
// Did no op lead to what is watched? Then nothing of it is to be let go of, and derivatives go on to start there.
bool is_start(const Node* x) {
  return !x->has(released) && (!x->has(needs_grad) || x->op == Op::leaf || x->has(watched));
}
}  // namespace

void Sweep::release() {
  const std::uint64_t now = t_.order;
  const Quiet quiet(t_);
  restore_slots();
  for (std::size_t i = nodes().size(); i-- > 0;) {  // the oldest first: what a node lets go of has been visited
    Node* n = nodes()[i].n;
    if (n->pending() || is_in_outer(n)) continue;
    if (n->has(watched) && is_start(n->input(0))) continue;
    unlink(t_, n);
    n->flags |= released;
    n->order = now;
    if (n == y_) n->flags &= ~unsigned{needs_grad};
    forget_inputs(n);
    if (n->extra) give_extra(n);
  }
  clear();
}

}  // namespace xgrad::engine
