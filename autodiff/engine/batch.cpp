#include "autodiff/engine/batch.hpp"

#include <fmt/format.h>

#include <boost/container/small_vector.hpp>

#include "autodiff/engine/record.hpp"
#include "autodiff/engine/walk.hpp"
#include <xgrad/autodiff/ops.hpp>
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/primitives.hpp"

namespace xgrad::engine {

void fail_draw(const Batch& batch, const char* op, Source source) {
  fail(source.named(op),
       "random numbers inside of {}; say which: {{.randomness = Randomness::different}} for each "
       "example, or Randomness::same for all",
       batch.op());
}

Shape Replayed::with(const Shape& one) const {
  Shape all = one;
  all.insert(0, count);
  return all;
}

Tensor Replayed::all(int i) const { return each[i] ? in[i] : expand_to(in[i], with(in[i].node()->shape), source()); }

namespace {

Tensor on_all(const Replayed& r, const Args& args) {
  Tensors held;
  NodeList nodes(current());
  for (int i = 0; i < r.n->inputs; ++i) held.push_back(r.all(i));
  for (const Tensor& x : held) nodes.push_back(x.node());
  return record(r.n->op, r.n->dtype, r.shape(), nodes.data(), static_cast<int>(nodes.size()), args, r.source());
}

// What n was told, of which the first `axes` numbers are axes.
Args shifted(const Node* n, int axes) {
  Args args = args_of(n);
  for (int i = 0; i < axes; ++i) ++args.a[i];
  return args;
}

}  // namespace

// Operands meet in their last axes, so those of each example get the axes that they lack behind the first.
Tensor batch_elementwise(const Replayed& r) {
  const int rank = r.n->shape.rank();
  Tensors held;
  Node* in[3];
  for (int i = 0; i < r.n->inputs; ++i) {
    Tensor x = r.in[i];
    if (const int own = x.node()->shape.rank() - 1; r.each[i] && own < rank) {
      Shape shape = x.node()->shape;
      for (int k = own; k < rank; ++k) shape.insert(1, 1);
      x = reshape_to(x, shape, r.source());
    }
    held.push_back(std::move(x));
    in[i] = held[held.size() - 1].node();
  }
  require_divisor(r.n->op, r.n->dtype, in, r.source());
  return record(r.n->op, r.n->dtype, r.shape(), in, r.n->inputs, args_of(r.n), r.source());
}

Tensor batch_leading(const Replayed& r) { return on_all(r, args_of(r.n)); }
Tensor batch_axis(const Replayed& r) { return on_all(r, shifted(r.n, 1)); }
Tensor batch_span(const Replayed& r) { return on_all(r, shifted(r.n, 2)); }

Tensor axis_to_front(const Tensor& x, int from) {
  if (from == 0) return x;
  Shape order{from};
  for (int i = 0; i < x.node()->shape.rank(); ++i)
    if (i != from) order.push_back(i);
  return permute(x, order);
}

Batch::Batch(ThreadState& t, Size count, Randomness randomness, const char* op, Source source)
    : t_(t), outer_(t.batch), count_(count), randomness_(randomness), op_(op), source_(source) {
  t.batch = this;
}

Tensor Batch::example(Tensor all) {
  Node* n = all.node();
  Shape shape = n->shape;
  shape.erase(0);
  Node* one = new_node(Op::leaf, n->dtype, shape, source_);
  Tensor result = Tensor::adopt(one);
  one->flags |= (n->flags & (needs_grad | cuts)) | (one->count == 0 ? 0u : unsigned{traced});
  if (one->count == 0) return result;  // as any other of no numbers
  held_.push_back(result);
  all_.emplace(one, std::move(all));
  return result;
}

namespace {

// As n was recorded: with a history, or without one and why.
class AsRecorded {
 public:
  AsRecorded(ThreadState& t, Node* n) : t_(t), no_grad_(t.no_grad), cut_as_(t.cut_as) {
    if (n->has(needs_grad)) return;
    bool cut = false;
    for (int i = 0; i < n->inputs; ++i) cut |= n->input(i)->has(needs_grad);
    if (!cut) return;
    t.no_grad = true;
    t.cut_as = n->flags & cuts;
  }
  ~AsRecorded() { t_.no_grad = no_grad_, t_.cut_as = cut_as_; }
  AsRecorded(const AsRecorded&) = delete;

 private:
  ThreadState& t_;
  const bool no_grad_;
  const unsigned cut_as_;
};

}  // namespace

Tensor Batch::replay(Node* n) {
  boost::container::small_vector<Tensor, 4> in;
  boost::container::small_vector<bool, 4> each;
  bool any = false;
  for (int i = 0; i < n->inputs; ++i) {
    const auto at = all_.find(n->input(i));
    each.push_back(at != all_.end());
    any |= each.back();
    in.push_back(each.back() ? at->second : share(n->input(i)));
  }
  if (!any) return {};  // of an outer batch's examples alone
  const AsRecorded scope(t_, n);
  const Located at(Source(n->file, n->line), rule(n->op).name);
  return rule(n->op).batch({n, in.data(), each.data(), count_});
}

Tensor Batch::all(const Tensor& one) {
  Node* y = one.node();
  std::vector<Node*> order;
  walk(
      t_, &y, 1, [&](const Node* n) { return n->has(traced) && n->op != Op::leaf && !all_.count(n); }, order);
  const UsersOwn scope(t_, t_.no_grad);
  for (std::size_t i = order.size(); i-- > 0;)
    if (Tensor all = replay(order[i]); all.defined()) {
      held_.push_back(share(order[i]));
      all_.emplace(order[i], std::move(all));
    }
  if (const auto at = all_.find(y); at != all_.end()) return at->second;
  Shape shape = y->shape;
  shape.insert(0, count_);
  return expand_to(one, shape, source_);
}

}  // namespace xgrad::engine
