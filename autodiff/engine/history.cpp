#include "autodiff/engine/history.hpp"

#include <cstring>
#include <new>

#include "autodiff/engine/nodes.hpp"
#include "autodiff/engine/strided.hpp"
#include "autodiff/engine/walk.hpp"

namespace xgrad::engine {

Watching::Watching(ThreadState& t, Node* const* watched, std::size_t count)
    : t_(t), watched_(watched), cut_(count, 0u), outer_(t.watching) {
  t.watching = this;
}

bool Watching::all_cut() const {
  return std::all_of(cut_.begin(), cut_.end(), [](unsigned c) { return c != 0; });
}

void note_cut(ThreadState& t, Node* n, unsigned why) {
  if (why == cut_read) ++t.reads;
  if (why == 0 || why == cut_sweep || !n->has(needs_grad)) return;
  if (!t.watching || n->home != &t) return;  // what is watched leads to nothing of another thread
  std::uint64_t first = ~std::uint64_t{0};
  for (const Watching* w = t.watching; w; w = w->outer_)
    if (!w->all_cut()) first = std::min(first, w->watched_[0]->order);
  if (n->order < first) return;
  // All that led to n is marked, back to what was recorded when the first of the watched was.
  const Workspace<std::vector<Node*>, Use::listed> led(t);
  const std::uint64_t id = walk(
      t, &n, 1, [&](Node* x) { return x->has(needs_grad) && x->home == &t && x->order >= first && x->op != Op::leaf; },
      *led);
  Watching::note(
      t, [&](const Node* x) { return x->walked == id; }, why);
}

void note_cuts(ThreadState& t, Node* const* in, int count) {
  for (int i = 0; i < count; ++i) note_cut(t, in[i], t.cut_as);
}

void bind_detached(Node* d, Node* n) {
  turn_like(d, n);
  const bool few = static_cast<std::size_t>(n->count * item_size(n->dtype)) <= inline_bytes;
  if (n->count == 0 || is_number(n)) {
    bind(d, n, nullptr, 0);
  } else if (char* data = n->data; Node* k = few ? nullptr : holder_of(n, data)) {
    d->base = k;
    if (n->has(strided)) {
      new (d->local) Shape(n->strides());  // d holds k, and goes where this fails
      d->flags |= strided;
    }
    d->data = data;
  } else {
    char* memory = allocate(d, "detach");
    copy_broadcast(memory, n, n->shape);
    d->data = memory;
  }
}

Node* detached(Node* n, Source source) {
  Node* d = new_node(Op::leaf, n->dtype, n->shape, source);
  Tensor holder = Tensor::adopt(d);
  bind_detached(d, n);
  retain(d);  // the caller's
  return d;
}

const char* why_cut(unsigned flags) {
  if (flags & cut_sweep)
    return "it was made of a derivative that was taken without {.create_graph = true}; pass that where it was taken";
  if (flags & cut_no_grad)
    return "it was computed under NoGrad, or by a function that was; open an EnableGrad there, or compute it outside";
  if (flags & cut_read)
    return "it was made from numbers that were read (item(), to_vector(), as_xtensor()), which have no history; compute "
           "it with tensors";
  return "it was made of what was detached; leave out the detach()";
}

}  // namespace xgrad::engine
