#include "autodiff/engine/record.hpp"

#include <algorithm>
#include <new>
#include <vector>

#include "autodiff/engine/compute.hpp"
#include "autodiff/engine/dtypes.hpp"
#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/strided.hpp"

namespace xgrad::engine {

namespace {

constexpr Size most_pending = 4096;                 // nodes
constexpr Size most_pending_bytes = Size{1} << 30;  // that they keep, or would take if all were stored

// Is the work on n little enough to be done now?
bool small(Node* n) {
  if (n->count > small_count) return false;
  for (int i = 0; i < n->inputs; ++i)
    if (const Node* x = n->input(i); x->count > small_count && !x->has(uniform)) return false;
  return true;
}

bool all_numbers(Node* n) {
  for (int i = 0; i < n->inputs; ++i)
    if (!is_number(n->in[i])) return false;
  return true;
}

}  // namespace

namespace {

// What a node found of its inputs.
struct Found {
  bool ready = true;  // all of them have numbers
  bool lent = false;  // they are not counted
};

// A node with its inputs. `lends`: may it be computed at once and count none of them? That is done where some are another thread's
// and no derivative leads through: the weights of a model that threads share. To count handles of those is to wait for the other
// threads, which count too; and the caller holds them.
inline Node* begin(ThreadState& t, Op op, DType dtype, const Shape& shape, Size elements, Node* const* in, int count,
                   Source source, Found& found, bool lends = false) {
  if (t.has_foreign.load(std::memory_order_relaxed)) collect_foreign(t);
  ++t.recorded;
  unsigned flags = 0;
  bool others = false;
  for (int i = 0; i < count; ++i) {
    Node* x = in[i];
    flags |= x->flags;
    others |= !counted_here(x);
    if (!x->pending()) continue;
    found.ready = false;
    if (x->home != &t) fail_foreign(x, rule(op).name, source);
  }
  found.lent = others && lends && found.ready && count <= inline_inputs && !(flags & traced) &&
               (t.no_grad || !(flags & (needs_grad | cuts)));
  Node* n = new_node(t, op, dtype, shape, elements, source);
  if (count <= inline_inputs) {
    n->inputs = static_cast<std::uint16_t>(count);
    for (int i = 0; i < count; ++i) {
      if (!found.lent) retain(in[i]);
      n->in[i] = in[i];
    }
  } else {
    try {
      set_inputs(n, in, count);
    } catch (...) {  // no memory for them
      Tensor::adopt(n);
      throw;
    }
  }
  if (flags & (needs_grad | cuts) && is_float(dtype)) n->flags |= history(t, flags, in, count);
  if (flags & traced && n->count > 0) [[unlikely]]
    put_on_trace(n, source);
  return n;
}

// The memory that a waiting node keeps alive: its result, or the largest of its inputs that is stored.
Size bytes_of_waiting(Node* n) {
  Size bytes = n->count * item_size(n->dtype);
  for (int i = 0; i < n->inputs; ++i)
    if (const Node* x = n->input(i); !x->pending() && !x->has(uniform))
      bytes = std::max(bytes, x->count * item_size(x->dtype));
  return bytes;
}

// What has numbers by now keeps its inputs only where derivatives need them; what has not waits.
inline void finish(ThreadState& t, Node* n) {
  if (n->has(traced)) {
    link(t, n);
  } else if (n->pending()) {
    link(t, n);
    n->waits = static_cast<std::uint32_t>(std::min<Size>(bytes_of_waiting(n) / 64, UINT32_MAX));
    t.pending_bytes += waiting_bytes(n);
    if (++t.pending_nodes > most_pending || t.pending_bytes > most_pending_bytes) flush(t);
  } else if (n->has(needs_grad)) {
    link(t, n);
  } else {
    forget_inputs(n);
  }
}

void compute_now(ThreadState& t, Node* n, Source source) {
  try {
    compute(t, n);
  } catch (const std::bad_alloc&) {  // for what it needs besides its result
    fail_no_memory(source, rule(n->op).name);
  }
  n->flags |= computed;
  ++t.evaluated;
}

// Inputs of n that are not counted, until they are not there any more.
struct Lent {
  Node* n;  // or null
  ~Lent() {
    if (n) n->inputs = 0;
  }
};

}  // namespace

Tensor record_elementwise(ThreadState& t, Op op, DType dtype, const Shape& shape, Size elements, Node* const* in,
                          int count, Source source) {
  Found found;
  Node* n = begin(t, op, dtype, shape, elements, in, count, source, found);
  Tensor result = Tensor::adopt(n);
  if (!found.ready && t.eager && n->pending() && !n->has(traced)) {
    for (int i = 0; i < count; ++i) evaluate(t, in[i]);
    found.ready = true;
  }
  if (found.ready && n->pending() && (small(n) || t.eager || all_numbers(n))) {
    if (n->count <= small_count || all_numbers(n)) compute_small(t, n);
    else compute(t, n);
    n->flags |= computed;
    ++t.evaluated;
  }
  finish(t, n);
  return result;
}

Tensor record(Op op, DType dtype, const Shape& shape, Node* const* in, int count, const Args& args, Source source) {
  ThreadState& t = current();
  if (kind_of(op) == Kind::elementwise)
    return record_elementwise(t, op, dtype, shape, shape.numel(), in, count, source);
  Found found;
  Node* n = begin(t, op, dtype, shape, shape.numel(), in, count, source, found, kind_of(op) == Kind::barrier);
  Tensor result = Tensor::adopt(n);
  const Lent until{found.lent ? n : nullptr};
  for (int i = 0; i < 4; ++i) n->a[i] = args.a[i];
  if (args.told) extra_of(n).told = args.told;
  if (found.lent) {
    if (n->pending()) compute_now(t, n, source);
    return result;
  }
  const bool now = t.eager || rule(op).at_once;
  if (!found.ready && now && n->pending() && !n->has(traced)) {
    for (int i = 0; i < count; ++i) evaluate(t, in[i]);
    found.ready = true;
  }
  if (found.ready && n->pending() && (now || small(n) || kind_of(op) == Kind::view)) compute_now(t, n, source);
  finish(t, n);
  return result;
}

namespace {
struct Flushed {
  std::vector<Tensor> waiting, roots;  // held: an evaluation lets go of nodes
  std::vector<Node*> targets;
};
struct Cleared {
  Flushed& f;
  ~Cleared() { f.waiting.clear(), f.roots.clear(), f.targets.clear(); }
};
}  // namespace

void flush(ThreadState& t) {
  const Quiet quiet(t);
  try {
    const Workspace<Flushed, Use::flushed> flushed(t);
    auto& [waiting, roots, targets] = *flushed;
    const Cleared cleared{*flushed};
    const std::uint64_t used = ++t.walks;
    for (Node* n = t.newest; n && static_cast<Size>(waiting.size()) < t.pending_nodes; n = n->previous) {
      if (!n->waiting()) continue;
      waiting.push_back(share(n));
      for (int i = 0; i < n->inputs; ++i)
        if (Node* x = n->input(i); x->pending()) x->walked = used;
    }
    for (const Tensor& w : waiting)
      if (w.node()->walked != used) roots.push_back(w);
    waiting.clear();
    for (const Tensor& r : roots) targets.push_back(r.node());
    evaluate(t, targets.data(), targets.size());
  } catch (const Error&) {  // no memory for what others wrote: they are told when they read it
  } catch (const std::bad_alloc&) {
  }
}

Tensor converted(const Tensor& t, DType dtype) {
  if (t.node()->dtype == dtype) return t;
  Node* n = t.node();
  return record(Op::cast, dtype, n->shape, {n}, {}, {n->file, n->line});
}
Tensor floats(const Tensor& t) { return is_float(t.node()->dtype) ? t : converted(t, default_dtype()); }

Tensor without_history(Node* n, unsigned why) {
  if (!n->has(needs_grad) && !n->pending()) return share(n);
  ThreadState& t = current();
  const Source source{n->file, n->line};  // it stands for the same value
  const unsigned flags = (n->flags & cuts) | (n->has(needs_grad) ? why : 0u);
  note_cut(t, n, why);
  Tensor d;
  if (n->pending()) {
    struct Scope {
      ThreadState& t;
      bool no_grad;
      Watching* watching;
      ~Scope() { t.no_grad = no_grad, t.watching = watching; }
    } const scope{t, std::exchange(t.no_grad, true), std::exchange(t.watching, nullptr)};  // it has been told
    d = record(Op::identity, n->dtype, n->shape, {n}, {}, source);
    turn_like(d.node(), n);
  } else {
    d = Tensor::adopt(detached(n, source));
  }
  d.node()->flags = (d.node()->flags & ~cuts) | flags;
  return d;
}

Args args_of(const Node* n) {
  Args args;
  for (int i = 0; i < 4; ++i) args.a[i] = n->a[i];
  if (n->extra) args.told = n->extra->told;
  return args;
}

Tensor replay(Node* n, Node* const* in, int count) {
  Tensor again = record(n->op, n->dtype, n->shape, in, count, args_of(n), {n->file, n->line});
  turn_like(again.node(), n);
  return again;
}

int checked_axis(Size axis, int rank, const char* op, Source source) {
  if (rank == 0)
    fail(source.named(op), "axis {} of a 0-d tensor, which has none; reshape(x, {{1}}) gives it one", axis);
  if (rank == 1 && axis != 0 && axis != -1) fail(source.named(op), "axis {} of a vector; expected -1 or 0", axis);
  if (axis < -rank || axis >= rank)
    fail(source.named(op), "axis {} of a tensor of {} axes; expected {} ... {}", axis, rank, -rank, rank - 1);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace xgrad::engine
