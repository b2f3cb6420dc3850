#include "autodiff/engine/unused.hpp"

#include <fmt/format.h>

#include <cstring>

#include "autodiff/engine/history.hpp"

namespace xgrad::engine {

namespace {

std::string shown_line(const Node* n) {
  if (!n->file) return {};
  const char* slash = std::strrchr(n->file, '/');
  return fmt::format(" ({}:{})", slash ? slash + 1 : n->file, n->line);
}

// Is x a plain tensor that the record's nodes take in?
bool takes_in(Sweep& sweep, const Node* y, const Node* x) {
  if (x == y) return true;
  for (const Sweep::Entry& e : sweep.nodes())
    for (int i = 0; i < e.n->inputs; ++i)
      if (e.n->input(i) == x) return true;
  return false;
}

// A variable of the record that x's is a copy of, or the other way round.
const Node* copied(Sweep& sweep, const Node* x) {
  for (const Sweep::Entry& e : sweep.leaves())
    if (e.n->variable && e.n->variable != x->variable && e.n->variable->origin == x->variable->origin) return e.n;
  return nullptr;
}

std::string reason(Sweep& sweep, const Node* y, const Node* x) {
  if (x->variable)
    if (const Node* used = copied(sweep, x))
      return fmt::format(
          "it was computed from another Parameter that is a copy of that one, or that one of it{}; a copy "
          "is a variable of its own: differentiate by the one that was used",
          shown_line(used));
  if (!x->has(needs_grad) && takes_in(sweep, y, x))
    return "that is a plain tensor, and nothing is recorded of it; compute with w = watch(x), and differentiate by w";
  if (!x->has(needs_grad) && is_float(x->dtype) && !(x->flags & cuts) && !(y->flags & cuts))
    return "that is a plain tensor, which nothing leads to; compute with w = watch(x), and differentiate by w";
  if (y->flags & cuts) return why_cut(y->flags);
  if (!x->variable && x->home == y->home && x->order > y->order)
    return fmt::format(
        "that was made after the result{}; where a name has been given a new value, differentiate by the "
        "one that the result was computed from",
        shown_line(x));
  return "differentiate by what led to it (a Parameter or watch(x))";
}

}  // namespace

void note_sweep(ThreadState& t, Sweep& sweep) {
  if (t.watching)
    Watching::note(
        t, [&](const Node* x) { return sweep.find(x) != nullptr; }, cut_sweep);
}

void fail_unused(Sweep& sweep, Node* y, Node* x, std::size_t i, Source source) {
  fail(source.named("grad"), "the result does not depend on input {}, {} {}; {}{}", i, name(x->dtype), x->shape,
       reason(sweep, y, x), is_lost(y) ? "" : "; or pass {.allow_unused = true} for zeros");
}

void fail_no_parameter(const Node* y, Source source) {
  fail(source.named("backward"), "no parameter leads here; {}",
       y->flags & cuts ? why_cut(y->flags)
                       : "it was made from tensors alone, or from Parameters that are frozen; compute it with a "
                         "Parameter, unfreeze one (freeze(parameters, false)), or take grad() by a watch(x)");
}

void fail_lost(const char* op, std::size_t i, unsigned why, Source source) {
  fail(source.named(op),
       "the function's result does not depend on its argument{} by what was recorded, and it {}; "
       "compute with tensors there, or pass {{.allow_unused = true}} where zeros are meant",
       i == 0 ? "" : fmt::format(" {}", i),
       why & cut_read      ? "read numbers of it (item(), to_vector(), as_xtensor()) or stored them in a "
                             "Parameter"
       : why & cut_sweep   ? "took a derivative by it without {.create_graph = true}"
       : why & cut_no_grad ? "computed with it under NoGrad"
                           : "detached it");
}

}  // namespace xgrad::engine
