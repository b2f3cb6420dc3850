// Ops whose values and derivative the user gives. They run as they are written, so that an error of theirs is thrown there.
#include <fmt/format.h>

#include <xgrad/autodiff/differentiate.hpp>
#include "autodiff/engine/history.hpp"
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
  if (part.requires_grad() || part.node()->flags & cuts) return part;
  const Tensor own = Tensor::adopt(detached(evaluate(part).node(), {part.node()->file, part.node()->line}));
  own.node()->flags |= cut_read;
  return own;
}
}  // namespace

void compute_custom(Node*) {}  // record() is given the numbers

Tensors vjp_custom(const Step& s) {
  const CustomOpDefinition& op = told<Custom>(s.n).definition;
  Thread& t = current();
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
    fail(s.source(), fmt::format("[{}] its vjp gave {} cotangents for {} inputs", op.name, parts.size(), s.n->inputs));
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
      fail(s.source(), fmt::format("[{}] its vjp gave {} {} for input {}, which is {} {}", op.name,
                                   name(part.node()->dtype), part.node()->shape, i, name(x->dtype), x->shape));
  }
  return parts;
}

}  // namespace xgrad::engine

namespace xgrad {

CustomOp::CustomOp(CustomOpDefinition definition, Source source) try
    : custom_(new engine::Custom{std::move(definition)}) {
  const CustomOpDefinition& op = custom_->definition;
  if (!op.forward) fail(engine::source_of(source), fmt::format("[CustomOp] {} has no forward function", op.name));
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
    fail(source, fmt::format("[{}] expected at most {} inputs, got {}; concat some", what, engine::most_inputs, in.size()));
  Tensors values;
  unsigned flags = 0;
  for (const Tensor& t : in) {
    if (!t.defined()) fail(source, fmt::format("[{}] expected a tensor, got an empty one", what));
    engine::evaluate(t.node(), what.c_str(), source);
    values.push_back(t.requires_grad() ? Tensor::adopt(engine::detached(t.node(), source)) : t);
    flags |= t.node()->flags;
  }
  Tensor y;
  {
    const engine::UsersOwn scope(engine::current());
    y = op.forward(values);
    if (!y.defined()) fail(source, fmt::format("[{}] its forward gave an empty tensor", what));
    y = y.detach();
    engine::evaluate(y.node());
  }
  engine::Thread& t = engine::current();
  if (!(flags & (engine::needs_grad | engine::cuts)) || !is_float(y.node()->dtype)) return y;
  engine::NodeList nodes(t);
  for (const Tensor& x : in) nodes.push_back(x.node());
  const unsigned own = engine::history(t, flags, nodes.data(), static_cast<int>(nodes.size()));
  if (!(own & engine::needs_grad)) {
    y = Tensor::adopt(engine::detached(y.node(), source));
    y.node()->flags |= own;
    return y;
  }
  if (!op.vjp) fail(source, fmt::format("[{}] has no vjp; give it one, or detach() its inputs", what));
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
