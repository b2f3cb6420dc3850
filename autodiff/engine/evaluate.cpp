#include "autodiff/engine/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include <xgrad/autodiff/vmap.hpp>
#include "autodiff/engine/compute.hpp"
#include "autodiff/engine/nodes.hpp"
#include "autodiff/engine/region.hpp"
#include "autodiff/engine/walk.hpp"

namespace xgrad::engine {

namespace {

// A pending node's part in an evaluation.
struct Part {
  Node* n;
  int level;   // nodes of a level need nothing of the same level but what their own region computes
  int latest;  // the last level that its users can do with
  int uses;    // by nodes of this evaluation
  bool flat;   // its numbers can be had block by block: elementwise, or a reshape of such
  bool held;   // by others than nodes of this evaluation
  std::uint8_t stage;
  Size count;  // of the region that it goes to
};

struct Plan {
  std::vector<Node*> nodes;
  std::vector<Part> parts;
  std::vector<Node*> group, later;
};

enum Stage : std::uint8_t { alone, together };  // in this order within a level

class Planner {
 public:
  Planner(Plan& p) : parts_(p.parts) {
    const std::size_t n = p.nodes.size();
    parts_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      Node* node = p.nodes[n - 1 - i];  // the walk gives the latest first
      node->position = static_cast<std::int32_t>(i);
      parts_[i] = {node, 0, std::numeric_limits<int>::max(), 0, false, false, alone, node->count};
    }
  }

  void make() {
    for (Part& p : parts_) find_level(p);
    for (Part& p : parts_) {
      const Node* n = p.n;
      p.held = n->has(wanted) || held_beside(n, static_cast<std::uint32_t>(p.uses));
    }
    for (std::size_t i = parts_.size(); i-- > 0;) move_later(parts_[i]);
    for (const Part& p : parts_) want_inputs(p);
    const auto before = [](const Part& a, const Part& b) {
      if (a.level != b.level) return a.level < b.level;
      if (a.stage != b.stage) return a.stage < b.stage;
      if (a.stage == together && a.count != b.count) return a.count < b.count;
      return a.n->order < b.n->order;
    };
    if (!std::is_sorted(parts_.begin(), parts_.end(), before)) std::sort(parts_.begin(), parts_.end(), before);
  }

 private:
  Part& part(const Node* n) { return parts_[static_cast<std::size_t>(n->position)]; }

  // Does n take x's numbers block by block, in one region with it?
  bool joins(const Part& n, const Part& x) const {
    switch (kind_of(n.n->op)) {
      case Kind::elementwise: return x.flat && x.count == n.n->count;
      case Kind::reduction: return x.flat;
      case Kind::view: return n.flat;
      default: return false;
    }
  }

  void find_level(Part& p) {
    Node* n = p.n;
    const Kind kind = kind_of(n->op);
    if (kind == Kind::elementwise) p.flat = true;
    if (n->op == Op::reshape) p.flat = n->in[0]->pending() && part(n->in[0]).flat;
    for (int i = 0; i < n->inputs; ++i) {
      if (!n->input(i)->pending()) continue;
      Part& x = part(n->input(i));
      ++x.uses;
      const bool view = kind_of(x.n->op) == Kind::view && !x.flat;
      p.level = std::max(p.level, x.level + (joins(p, x) || view ? 0 : 1));
    }
    if (p.flat) p.stage = together;
    if (kind == Kind::reduction && n->in[0]->pending() && part(n->in[0]).flat) {
      p.stage = together;
      p.count = n->in[0]->count;
    }
  }

  // An elementwise node that only later levels use is computed there instead, and its result need not be stored between: where
  // it has at most one pending input, so that what must be stored for it is no more than its own result would be.
  void move_later(Part& p) {
    Node* n = p.n;
    if (kind_of(n->op) == Kind::elementwise && !p.held && p.uses > 0 && p.latest > p.level) {
      int pending = 0;
      for (int i = 0; i < n->inputs; ++i)
        pending += n->in[i]->pending() && (i == 0 || n->in[i] != n->in[0]) && part(n->in[i]).count == p.count;
      if (pending <= 1) p.level = p.latest;
    }
    for (int i = 0; i < n->inputs; ++i) {
      if (!n->input(i)->pending()) continue;
      Part& x = part(n->input(i));
      x.latest = std::min(x.latest, joins(p, x) ? p.level : p.level - 1);
    }
  }

  // What another region of this evaluation reads is stored, whoever else holds it.
  void want_inputs(const Part& p) {
    for (int i = 0; i < p.n->inputs; ++i) {
      Node* n = p.n->input(i);
      if (!n->pending()) continue;
      const Part& x = part(n);
      if (x.level != p.level || x.count != p.count || p.stage != together) n->flags |= wanted;
    }
  }

  std::vector<Part>& parts_;
};

void compute_one(ThreadState& t, Node* n) {
  if (kind_of(n->op) == Kind::elementwise && n->count > small_count) return run_region(t, &n, 1);
  const bool waited = n->waiting();
  compute(t, n);
  if (waited) waits_no_more(t, n);
  n->flags = (n->flags | computed) & ~unsigned{wanted};
  ++t.evaluated;
  settle(t, n);
}

// One count of elements on one level.
void run_group(ThreadState& t, Plan& p, Size count) {
  if (count <= small_count) {
    for (Node* n : p.group) compute_one(t, n);
    return;
  }
  Blocking blocking;
  p.later.clear();
  std::size_t kept = 0;
  for (Node* n : p.group) {
    if (kind_of(n->op) == Kind::reduction && !blocking.admit(reduced(n))) {
      n->in[0]->flags |= wanted;
      p.later.push_back(n);
    } else {
      p.group[kept++] = n;
    }
  }
  p.group.resize(kept);
  run_region(t, p.group.data(), p.group.size());
  for (Node* n : p.later) compute_one(t, n);
}

}  // namespace

void compute(ThreadState& t, Node* n) try {
  switch (kind_of(n->op)) {
    case Kind::elementwise:
      if (n->count <= small_count) compute_small(t, n);
      else run_region(t, &n, 1);
      break;
    case Kind::reduction: reduce(t, n); break;
    default: rule(n->op).compute(n);
  }
} catch (...) {
  if (n->pending()) give_unfinished(n);
  throw;
}

void fail_traced(const Node* n, const char* op, Source source) try {
  if (const char* what = current().traced_by)
    fail(source.named(op),
         "{} says that it is elementwise, so its formula is run once for all parameters, and has no numbers "
         "to read; say it with tensors (where instead of if), or leave out `elementwise`",
         what);
  fail(source.named(op),
       "this {} {} is of one example, inside of vmap, and has no numbers yet: the function is run "
       "once for all examples; say it with tensors (where instead of if), or read it outside",
       name(n->dtype), n->shape);
} catch (const Error& e) {
  throw NoNumbers(e.what());
}

void fail_foreign(Node* n, const char* op, Source source) {
  if (n->has(traced)) fail_traced(n, op, source);
  bool ended;
  {
    const std::lock_guard lock(n->home->mutex);
    ended = n->home->dead;
  }
  if (ended)
    fail(source.named(op),
         "got a pending tensor, {} {}, of a thread that has ended and found no memory to compute "
         "it; call evaluate(...) on it while its thread lives",
         name(n->dtype), n->shape);
  fail(source.named(op),
       "got a pending tensor of another thread, {} {}; call evaluate(...) on it where it was "
       "recorded",
       name(n->dtype), n->shape);
}

void evaluate(Node* n, const char* op, Source source) {
  if (!n->pending()) return;
  if (n->has(traced)) fail_traced(n, op, source);
  ThreadState& t = current();
  if (n->home != &t) fail_foreign(n, op, source);
  evaluate(t, &n, 1);
}

namespace {

void evaluate_planned(ThreadState& t, Plan& p, Node* const* targets, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (targets[i]->pending()) targets[i]->flags |= wanted;
  if (p.nodes.size() == 1) return compute_one(t, p.nodes[0]);
  Planner(p).make();
  for (std::size_t i = 0; i < p.parts.size();) {
    const Part& first = p.parts[i];
    if (first.stage == alone) {
      compute_one(t, first.n);
      ++i;
      continue;
    }
    p.group.clear();
    std::size_t k = i;
    for (; k < p.parts.size(); ++k) {
      const Part& part = p.parts[k];
      if (part.level != first.level || part.stage != together || part.count != first.count) break;
      p.group.push_back(part.n);
    }
    run_group(t, p, first.count);
    i = k;
  }
}

// After an Error: what still waits is wanted no more. (What has been computed may have let go of other nodes.)
void forget_wanted(ThreadState& t, Plan& p, Node* const* targets, std::size_t count) noexcept {
  try {
    walk(
        t, targets, count, [](const Node* n) { return n->pending(); }, p.nodes);
    for (Node* n : p.nodes) n->flags &= ~unsigned{wanted};
  } catch (const std::bad_alloc&) {  // they will be stored, no more
  }
}

}  // namespace

void evaluate(ThreadState& t, Node* const* targets, std::size_t count) try {
  const Quiet quiet(t);
  const Workspace<Plan, Use::plan> plan(t);
  Plan& p = *plan;
  walk(
      t, targets, count,
      [&](Node* n) {
        if (!n->pending()) return false;
        if (n->home != &t) fail_foreign(n, "evaluate", {n->file, n->line});
        if (n->has(traced)) fail_traced(n, "evaluate", {n->file, n->line});
        return true;
      },
      p.nodes);
  if (p.nodes.empty()) return;
  try {
    evaluate_planned(t, p, targets, count);
  } catch (...) {
    forget_wanted(t, p, targets, count);
    throw;
  }
} catch (const std::bad_alloc&) {
  const Node* n = targets[count - 1];
  fail_no_memory({n->file, n->line}, "evaluate");
}

}  // namespace xgrad::engine
