// Ops whose values and derivative the user gives. They run as they are written, so that an error of theirs is thrown there.
#include <fmt/format.h>

#include <algorithm>

#include <xgrad/autodiff/vmap.hpp>
#include "autodiff/engine/history.hpp"
#include <xgrad/autodiff/custom.hpp>
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

struct Custom : Told {
  CustomOpDefinition definition;
  explicit Custom(CustomOpDefinition d) : definition(std::move(d)) {}
};
void retain(const Custom* custom) noexcept { retain(static_cast<const Told*>(custom)); }
void release(const Custom* custom) noexcept { release(static_cast<const Told*>(custom)); }

namespace {
// What a vjp is given. Where its result is not to be differentiated, values: it records as it likes, for itself alone.
Tensor given(const Tensor& x, bool create_graph) {
  return create_graph || !x.requires_grad() ? x : without_history(x.node(), cut_sweep);
}

// A cotangent that was made from numbers, not by ops.
Tensor from_read(const Tensor& part) {
  if (part.requires_grad() || part.node()->flags & (cuts | traced)) return part;
  Tensor own = Tensor::adopt(detached(evaluate(part).node(), {part.node()->file, part.node()->line}));
  own.node()->flags |= cut_read;
  return own;
}
}  // namespace

void compute_custom(Node*) {}  // record() is given the numbers

Tensors vjp_custom(const Step& s) {
  const CustomOpDefinition& op = told<Custom>(s.n).definition;
  ThreadState& t = current();
  const bool create_graph = !t.no_grad;
  const std::uint64_t reads = t.reads;
  Tensors in;
  for (int k = 0; k < s.n->inputs; ++k) in.push_back(given(s.x(k), create_graph));
  Tensors parts;
  {
    const UsersOwn scope(t);
    parts = op.vjp(given(s.g, create_graph), in, given(s.y(), create_graph));
  }
  if (parts.size() != s.n->inputs)
    fail(s.source().named(op.name.c_str()), "its vjp gave {} cotangents for {} inputs", parts.size(), s.n->inputs);
  for (int i = 0; i < s.n->inputs; ++i) {
    Tensor& part = parts[static_cast<std::size_t>(i)];
    if (!part.defined()) continue;
    if (!s.wants(i)) {
      part = {};
      continue;
    }
    part = given(t.reads == reads ? part : from_read(part), create_graph);
    Node* x = s.n->input(i);
    if (part.node()->dtype != x->dtype || !(part.node()->shape == x->shape))
      fail(s.source().named(op.name.c_str()), "its vjp gave {} {} for input {}, which is {} {}",
           name(part.node()->dtype), part.node()->shape, i, name(x->dtype), x->shape);
  }
  return parts;
}

namespace {

// The cotangents of all inputs for all examples; of an input that is the same for all, their sum.
Tensors vjp_of_all(const CustomOpDefinition& one, const Shape& axes, const Tensor& g, const Tensors& in,
                   const Tensor& out) {
  Tensors args{g, out};
  VmapOptions options{.in_axes = {0, 0}};
  for (std::size_t i = 0; i < in.size(); ++i) {
    args.push_back(in[i]);
    options.in_axes.push_back(axes[static_cast<int>(i)]);
  }
  const FunctionToMany example = [&](const Tensors& given) {
    Tensors x;
    for (std::size_t i = 2; i < given.size(); ++i) x.push_back(given[i]);
    Tensors parts = one.vjp(given[0], x, given[1]);
    for (std::size_t i = 0; i < std::min(parts.size(), x.size()); ++i)
      if (!parts[i].defined()) parts[i] = zeros_like(x[i]);
    return parts;
  };
  Tensors parts = vmap(example, args, options);
  for (std::size_t i = 0; i < std::min(parts.size(), in.size()); ++i)
    if (axes[static_cast<int>(i)] < 0) parts[i] = sum(parts[i], 0);
  return parts;
}

}  // namespace

// The op for all examples: as its definition says, or forward and vjp in a vmap of their own.
Tensor batch_custom(const Replayed& r) {
  const CustomOpDefinition& one = told<Custom>(r.n).definition;
  Tensors in;
  Shape axes;
  for (int i = 0; i < r.n->inputs; ++i) {
    in.push_back(r.in[i]);
    axes.push_back(r.each[i] ? 0 : -1);
  }
  if (!one.batch) {
    CustomOpDefinition all;
    all.name = one.name;
    all.forward = [one, axes](const Tensors& x) { return vmap(one.forward, x, {.in_axes = axes}); };
    if (one.vjp)
      all.vjp = [one, axes](const Tensor& g, const Tensors& x, const Tensor& y) {
        return vjp_of_all(one, axes, g, x, y);
      };
    return CustomOp(std::move(all), r.source())(in, r.source());
  }
  Tensor y;
  {
    const UsersOwn scope(current(), current().no_grad);
    y = one.batch(in, axes);
  }
  if (!y.defined() || !(y.node()->shape == r.shape()) || y.node()->dtype != r.n->dtype)
    fail(r.source().named(one.name.c_str()), "its batch gave {}, expected {} {} for {} examples",
         y.defined() ? fmt::format("{} {}", name(y.node()->dtype), y.node()->shape) : "an empty tensor",
         name(r.n->dtype), r.shape(), r.count);
  return y;
}

namespace {

// On a trace: a node without numbers, for one example.
Tensor trace_custom(const Custom* custom, const Tensors& in, Source source) {
  const CustomOpDefinition& op = custom->definition;
  ThreadState& t = current();
  unsigned flags = 0;
  NodeList nodes(t);
  for (const Tensor& x : in) {
    flags |= x.node()->flags;
    nodes.push_back(x.node());
  }
  Shape shape;
  DType dtype = in[0].node()->dtype;
  if (const UsersOwn scope(t); op.batch) {
    shape = op.shape ? op.shape(in) : in[0].node()->shape;
  } else {
    Tensors values;
    for (const Tensor& x : in) values.push_back(without_history(x.node(), cut_sweep));
    const Tensor y = op.forward(values);
    if (!y.defined()) fail(source.named(op.name.c_str()), "its forward gave an empty tensor");
    shape = y.node()->shape;
    dtype = y.node()->dtype;
  }
  Node* n = new_node(Op::custom, dtype, shape, source);
  Tensor result = Tensor::adopt(n);
  if (n->count == 0) return result;
  put_on_trace(n, source);
  n->flags |= (is_float(dtype) ? history(t, flags, nodes.data(), static_cast<int>(nodes.size())) : 0u);
  if (n->has(needs_grad) && !op.vjp && !op.batch)
    fail(source.named(op.name.c_str()), "has no vjp; give it one, or detach() its inputs");
  set_inputs(n, nodes.data(), static_cast<int>(nodes.size()));
  tell(n, custom);
  ++t.recorded;
  link(t, n);
  return result;
}

}  // namespace

}  // namespace xgrad::engine

namespace xgrad {

CustomOp::CustomOp(CustomOpDefinition definition, Source source) try
    : custom_(new engine::Custom{std::move(definition)}) {
  const CustomOpDefinition& op = custom_->definition;
  if (!op.forward) fail(engine::source_of(source, "CustomOp"), "{} has no forward function", op.name);
} catch (const std::bad_alloc&) {
  fail_no_memory(engine::source_of(source), "CustomOp");
}

Tensor CustomOp::operator()(const In& x) const {
  return (*this)({engine::operand(x, custom_->definition.name.c_str())}, engine::source_of(x));
}
Tensor CustomOp::operator()(const In& x, const In& y) const {
  const char* what = custom_->definition.name.c_str();
  const DType dtype = engine::meet(x, y, what, engine::source_of(x));
  return (*this)({engine::operand(x, what, dtype), engine::operand(y, what, dtype)}, engine::source_of(x));
}

Tensor CustomOp::operator()(const Tensors& in, Source source) const try {
  source = engine::source_of(source);
  const CustomOpDefinition& op = custom_->definition;
  const std::string& what = op.name;
  if (in.size() > engine::most_inputs)
    fail(source.named(what.c_str()), "expected at most {} inputs, got {}; concat some", engine::most_inputs, in.size());
  bool on_a_trace = false;
  for (const Tensor& t : in) {
    if (!t.defined()) fail(source.named(what.c_str()), "expected a tensor, got an empty one");
    on_a_trace |= t.node()->has(engine::traced);
  }
  if (on_a_trace) return engine::trace_custom(custom_.get(), in, source);
  Tensors values;
  unsigned flags = 0;
  for (const Tensor& t : in) {
    engine::evaluate(t.node(), what.c_str(), source);
    values.push_back(t.requires_grad() ? Tensor::adopt(engine::detached(t.node(), source)) : t);
    flags |= t.node()->flags;
  }
  Tensor y;
  {
    const engine::UsersOwn scope(engine::current());
    y = op.forward(values);
    if (!y.defined()) fail(source.named(what.c_str()), "its forward gave an empty tensor");
    y = y.detach();
    engine::evaluate(y.node());
  }
  engine::ThreadState& t = engine::current();
  if (!(flags & (engine::needs_grad | engine::cuts)) || !is_float(y.node()->dtype)) return y;
  engine::NodeList nodes(t);
  for (const Tensor& x : in) nodes.push_back(x.node());
  const unsigned own = engine::history(t, flags, nodes.data(), static_cast<int>(nodes.size()));
  if (!(own & engine::needs_grad)) {
    y = Tensor::adopt(engine::detached(y.node(), source));
    y.node()->flags |= own;
    return y;
  }
  if (!op.vjp) fail(source.named(what.c_str()), "has no vjp; give it one, or detach() its inputs");
  engine::Node* n = engine::new_node(engine::Op::custom, y.node()->dtype, y.node()->shape, source);
  Tensor result = Tensor::adopt(n);
  engine::set_inputs(n, nodes.data(), static_cast<int>(nodes.size()));
  engine::tell(n, custom_.get());
  const Shape strides = engine::strides_of(y.node());
  engine::bind(n, y.node(), &strides, 0);
  engine::turn_like(n, y.node());
  n->flags |= own | engine::computed;
  ++t.recorded;
  engine::link(t, n);
  return result;
} catch (const std::bad_alloc&) {
  fail_no_memory(engine::source_of(source), "CustomOp");
}

}  // namespace xgrad
