// Memory for time: a function's result without its record, and the record made again where a derivative is asked for.
#include <fmt/format.h>

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "autodiff/engine/history.hpp"
#include "autodiff/engine/sweep.hpp"
#include <xgrad/autodiff/checkpoint.hpp>
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

// What is run again: the node's first inputs are its arguments, the others what it led to besides.
struct Checkpointed : Told {
  FunctionOfMany f;
  std::size_t arguments;
  std::uint64_t seed, counter;  // the generator, as f found it
  Checkpointed(FunctionOfMany function, std::size_t count, const ThreadState& t)
      : f(std::move(function)), arguments(count), seed(t.seed), counter(t.counter) {}
};

namespace {

// The generator as it was, until the end of the scope.
class Generator {
 public:
  Generator(ThreadState& t, const Checkpointed& c)
      : t_(t), seed_(std::exchange(t.seed, c.seed)), counter_(std::exchange(t.counter, c.counter)) {}
  ~Generator() { t_.seed = seed_, t_.counter = counter_; }

 private:
  ThreadState& t_;
  std::uint64_t seed_, counter_;
};

// What a derivative leads to that f did not make itself, or made to outlive it.
bool is_outside(const Sweep::Entry& e, std::uint64_t before) {
  return e.n->home != this_thread || e.n->order <= before || (e.n->variable && alive(e.n->variable));
}

using Nodes = boost::container::small_vector<const Node*, 8>;  // sorted
bool has(const Nodes& list, const Node* n) { return std::binary_search(list.begin(), list.end(), n); }

// f run again on the record.
struct Rerun {
  std::uint64_t before;
  Tensor y;
  Sweep sweep;

  Rerun(ThreadState& t, Node* n)
      : before(t.order),
        y(run(t, n)),
        sweep(t, y.node(), "checkpoint", {n->file, n->line}, before + 1, Sweep::Older::leaves) {
    Nodes known;
    for (int i = 0; i < n->inputs; ++i) known.push_back(n->input(i));
    std::sort(known.begin(), known.end());
    for (const Sweep::Entry& e : sweep.leaves())
      if (is_outside(e, before) && !has(known, e.n))
        fail(line_of(n, "checkpoint"),
             "run again for a derivative, the function reads {}{} {} that it did "
             "not read before; what it reads must stay as it was until then",
             e.n->variable ? "a Parameter " : "", name(e.n->dtype), e.n->shape);
  }

 private:
  static Tensor run(ThreadState& t, Node* n) {
    const Checkpointed& c = told<Checkpointed>(n);
    Tensors x;
    for (std::size_t i = 0; i < c.arguments; ++i) x.push_back(share(n->input(static_cast<int>(i))));
    const Generator generator(t, c);
    const UsersOwn scope(t);
    Tensor y = c.f(x);
    const Source source{n->file, n->line};
    if (!y.defined()) fail(source.named("checkpoint"), "run again for a derivative, the function gave an empty tensor");
    if (y.node()->dtype != n->dtype || !(y.node()->shape == n->shape))
      fail(source.named("checkpoint"), "run again for a derivative, the function gave {} {}, and before {} {}",
           name(y.node()->dtype), y.node()->shape, name(n->dtype), n->shape);
    return y;
  }
};

void evaluate_all(ThreadState& t, const Tensors& list) {
  NodeList nodes(t);
  for (const Tensor& x : list)
    if (x.defined() && !x.node()->has(traced)) nodes.push_back(x.node());
  evaluate(t, nodes.data(), nodes.size());
}

// Numbers that hold nothing of what was run again.
Tensor alone(const Tensor& x) { return x.requires_grad() ? without_history(x.node(), cut_sweep) : x; }

}  // namespace

void compute_checkpoint(Node*) {}  // it is recorded with its numbers

// y = f(x):   gx = f's own, on its record made again
// Where the cotangents are not to be differentiated they are computed here, after what has come so far, so that one
// checkpoint's record is gone before the next one's is made.
Tensors vjp_checkpoint(const Step& s) {
  ThreadState& t = current();
  Node* n = s.n;
  const bool create_graph = !t.no_grad;
  Nodes wanted;
  Tensors so_far{s.g};
  for (int i = 0; i < n->inputs; ++i)
    if (s.wants(i)) {
      wanted.push_back(n->input(i));
      so_far.push_back(s.sweep->entry(n->input(i))->g);
    }
  std::sort(wanted.begin(), wanted.end());
  if (!create_graph) evaluate_all(t, so_far);
  Rerun again(t, n);
  again.sweep.prune([&](const Node* x) { return has(wanted, x); });
  again.sweep.pull(s.g, create_graph);
  Tensors parts;
  for (int i = 0; i < n->inputs; ++i) {
    Sweep::Entry* e = has(wanted, n->input(i)) ? again.sweep.find(n->input(i)) : nullptr;
    parts.push_back(e ? std::move(e->g) : Tensor());  // of an argument that was given twice: to the first
  }
  if (create_graph) return parts;
  evaluate_all(t, parts);
  for (Tensor& part : parts) part = alone(part);
  return parts;
}

// The tangent of f, up its record made again.
Tensor jvp_checkpoint(Node* n, const Tensors& tangents) {
  ThreadState& t = current();
  Rerun again(t, n);
  Nodes known;
  for (int i = 0; i < n->inputs; ++i)
    if (tangents[i].defined()) known.push_back(n->input(i));
  std::sort(known.begin(), known.end());
  if (!again.sweep.prune([&](const Node* x) { return has(known, x); })) return {};
  for (int i = 0; i < n->inputs; ++i)
    if (Sweep::Entry* e = tangents[i].defined() ? again.sweep.find(n->input(i)) : nullptr) e->g = tangents[i];
  const Tensor tangent = again.sweep.push(!t.no_grad);
  if (!t.no_grad || !tangent.defined() || tangent.node()->has(traced)) return tangent;
  evaluate_all(t, {tangent});
  return alone(tangent);
}

namespace {

Tensor run(const FunctionOfMany& f, const Tensors& x, Source source, bool no_grad) {
  Tensor y;
  {
    const UsersOwn scope(current(), no_grad);
    y = f(x);
  }
  if (!y.defined()) fail(source.named("checkpoint"), "the function gave an empty tensor");
  return y;
}

Tensor checkpointed(FunctionOfMany f, const Tensors& x, Source source) try {
  ThreadState& t = current();
  for (const Tensor& v : x)
    if (!v.defined()) fail(source.named("checkpoint"), "expected tensors, got an empty one; give it a value first");
  if (t.no_grad) return run(f, x, source, true);
  const std::uint64_t before = t.order;
  const Ref<const Checkpointed> again(new Checkpointed(std::move(f), x.size(), t));
  const Tensor y = run(again->f, x, source, false);
  if (y.node()->has(traced)) return y;  // of a trace, which has no numbers that could be saved
  if (!y.requires_grad() || y.node()->home != &t || y.node()->order <= before) return y;  // there is nothing between
  Tensors in = x;
  {
    Sweep sweep(t, y.node(), "checkpoint", source, before + 1, Sweep::Older::leaves);
    for (const Sweep::Entry& e : sweep.leaves())
      if (is_outside(e, before) && std::none_of(x.begin(), x.end(), [&](const Tensor& v) { return v.node() == e.n; }))
        in.push_back(share(e.n));
  }
  if (in.size() > most_inputs)
    fail(source.named("checkpoint"), "the function reads {} tensors that derivatives lead to; expected at most {}",
         in.size(), most_inputs);
  Tensors values = in;
  values.push_back(y);
  evaluate_all(t, values);
  Node* n = new_node(Op::checkpoint, y.node()->dtype, y.node()->shape, source);
  Tensor result = Tensor::adopt(n);
  NodeList nodes(t);
  for (const Tensor& v : in) nodes.push_back(v.node());
  set_inputs(n, nodes.data(), static_cast<int>(nodes.size()));
  tell(n, again.get());
  bind_detached(n, y.node());
  n->flags |= needs_grad | computed | (y.node()->flags & cuts);
  ++t.recorded;
  link(t, n);
  return result;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "checkpoint");
}

}  // namespace

}  // namespace xgrad::engine

namespace xgrad {

Tensor checkpoint(const Function& f, const In& x) {
  const Source source = engine::source_of(x, "checkpoint");
  if (!f) fail(source, "expected a function, got an empty one");
  return engine::checkpointed([f](const Tensors& in) { return f(in[0]); }, {engine::operand(x, "checkpoint")}, source);
}

Tensor checkpoint(const FunctionOfMany& f, const Tensors& x, Source source) {
  source = engine::source_of(source, "checkpoint");
  if (!f) fail(source, "expected a function, got an empty one");
  return engine::checkpointed(f, x, source);
}

}  // namespace xgrad
