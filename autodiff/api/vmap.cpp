#include <xgrad/autodiff/vmap.hpp>

#include <fmt/format.h>

#include "autodiff/engine/batch.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad {

using engine::Batch;
using engine::source_of;

namespace {

// The axis of examples of input i; -1: there is none.
int axis_of_examples(const Tensors& x, std::size_t i, const VmapOptions& options, Source source) {
  if (!x[i].defined()) fail(source.named("vmap"), "expected tensors, got an empty one; give it a value first");
  const Shape& shape = x[i].node()->shape;
  const Size axis = options.in_axes.empty() ? 0 : options.in_axes[static_cast<int>(i)];
  if (axis < -1)
    fail(source.named("vmap"), "in_axes {}; expected axes from 0, or -1 for what is the same for all", options.in_axes);
  if (axis >= shape.rank())
    fail(source.named("vmap"),
         "axis {} of input {}, of shape {}; an in_axes of -1 says that it is the same for all "
         "examples",
         axis, i, shape);
  return static_cast<int>(axis);
}

// Runs f on examples of x, and gives its results for all.
template <class F>
Tensors mapped(const F& f, const Tensors& x, const VmapOptions& options, Source source) try {
  if (!options.in_axes.empty() && options.in_axes.rank() != static_cast<int>(x.size()))
    fail(source.named("vmap"), "in_axes {} for {} inputs; expected one number for each", options.in_axes, x.size());
  Size count = -1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const int axis = axis_of_examples(x, i, options, source);
    if (axis < 0) continue;
    const Size own = x[i].node()->shape[axis];
    if (count >= 0 && own != count)
      fail(source.named("vmap"), "expected as many examples of every input, got {} and {} along their axes", count,
           own);
    count = own;
  }
  if (count < 0) fail(source.named("vmap"), "expected an input with an axis of examples; all are the same for all");
  engine::ThreadState& t = engine::current();
  Batch batch(t, count, options.randomness, "vmap", source);
  Tensors examples;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const int axis = axis_of_examples(x, i, options, source);
    const Located at(source, "vmap");
    examples.push_back(axis < 0 ? x[i] : batch.example(engine::axis_to_front(x[i], axis)));
  }
  Tensors ones;
  {
    const engine::UsersOwn scope(t, t.no_grad);
    ones = f(examples);
  }
  Tensors all;
  const engine::OutsideBatch outside(t);
  for (const Tensor& y : ones) {
    if (!y.defined()) fail(source.named("vmap"), "the function gave an empty tensor");
    all.push_back(batch.all(y));
  }
  return all;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "vmap");
}

template <class F>
void require_function(const F& f, Source source) {
  if (!f) fail(source.named("vmap"), "expected a function, got an empty one");
}

}  // namespace

bool is_example(const Tensor& x) noexcept { return x.defined() && x.node()->has(engine::traced); }

Tensor vmap(const Function& f, const In& x, const VmapOptions& options) {
  const Source source = source_of(x);
  require_function(f, source);
  return mapped([&](const Tensors& in) { return Tensors{f(in[0])}; }, {engine::operand(x, "vmap")}, options, source)[0];
}

Tensor vmap(const FunctionOfMany& f, const Tensors& x, const VmapOptions& options, Source source) {
  source = source_of(source);
  require_function(f, source);
  return mapped([&](const Tensors& in) { return Tensors{f(in)}; }, x, options, source)[0];
}

Tensors vmap(const FunctionToMany& f, const Tensors& x, const VmapOptions& options, Source source) {
  source = source_of(source);
  require_function(f, source);
  return mapped([&](const Tensors& in) { return f(in); }, x, options, source);
}

}  // namespace xgrad
