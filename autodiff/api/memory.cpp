#include <xgrad/autodiff/memory.hpp>

#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/record.hpp"
#include "autodiff/engine/strided.hpp"
#include "autodiff/engine/variable.hpp"
#include "autodiff/kernels/philox.hpp"

namespace xgrad {

using engine::source_of;

Uninitialised uninitialised(const Shape& shape, DType dtype, Source source, const char* op) {
  source = source_of(source);
  engine::checked_numel(shape, dtype, op, source);
  engine::Node* n = engine::new_node(engine::Op::leaf, dtype, shape, source);
  Tensor t = Tensor::adopt(n);
  if (n->count > 0) n->data = engine::allocate(n, op);
  return {std::move(t), n->data};
}

Tensor contiguous(const Tensor& t, Source source) {
  if (!t.defined()) fail(source_of(source, "contiguous"), "expected a tensor, got an empty one");
  source = source_of(source);
  engine::Node* from = t.node();
  if (from->has(engine::traced)) return engine::as_it_is(t);  // it lies nowhere yet
  engine::evaluate(from, "contiguous", source);
  Tensor numbers = engine::dense(from);
  if (numbers.node() == from || !(from->flags & (engine::needs_grad | engine::cuts))) return numbers;
  // An identity, whose numbers are these.
  engine::ThreadState& thread = engine::current();
  engine::Node* n = engine::new_node(engine::Op::identity, from->dtype, from->shape, source);
  Tensor result = Tensor::adopt(n);
  n->flags |= engine::history(thread, from->flags, &from, 1) | engine::computed;
  engine::bind(n, numbers.node(), nullptr, 0);
  if (n->has(engine::needs_grad)) {
    engine::set_inputs(n, &from, 1);
    engine::link(thread, n);
  }
  ++thread.recorded;
  return result;
}

const void* readable(const Tensor& t, Source source) {
  if (t.defined() && t.node()->has(engine::traced)) engine::fail_traced(t.node(), "readable", source_of(source));
  if (!t.defined() || t.node()->pending() || !t.node()->row_major())
    fail(source_of(source, "readable"), "expected a tensor that contiguous() gave");
  engine::note_read(t.node());
  return t.node()->data;
}

void* writable(const Parameters::Entry& p) { return engine::writable(p.variable.get()); }

void assign_all(const Parameters& variables, const std::vector<Tensor>& values, Source source) try {
  source = source_of(source, "assign_all");
  if (variables.size() != values.size())
    fail(source, "expected a value for each variable, got {} and {}", values.size(), variables.size());
  std::vector<Tensor> leaves;
  leaves.reserve(values.size());
  std::size_t i = 0;
  for (const Parameters::Entry& e : variables)
    leaves.push_back(engine::prepared(e.variable.get(), values[i++], "assign_all", source));
  i = 0;
  for (const Parameters::Entry& e : variables) e.variable.get()->leaf = std::move(leaves[i++]);
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(source), "assign_all");
}

GradientNumbers gradient_numbers(const Parameters::Entry& p) noexcept {
  const engine::Variable* v = p.variable.get();
  GradientNumbers g;
  g.held = v->strong.load(std::memory_order_relaxed) > 1;
  if (v->rows.index.defined()) {
    g.rows = &v->rows.index;
    g.row_values = &v->rows.values;
  }
  if (v->grad.defined()) g.dense = &v->grad;
  const engine::Node *n = v->grad.node(), *leaf = v->leaf.node();
  g.any = n || g.rows;
  if (n && n->data && n->row_major() && n->count == leaf->count && n->dtype == leaf->dtype) g.numbers = n->data;
  return g;
}

void swap_gradient(const Parameters::Entry& p, GradientValue& g) noexcept {
  engine::Variable* v = p.variable.get();
  std::swap(v->grad, g.dense);
  std::swap(v->rows.index, g.rows);
  std::swap(v->rows.values, g.row_values);
}

Tensor leaf_of(const Parameters::Entry& p) noexcept { return p.variable.get()->leaf; }
void put_back(const Parameters::Entry& p, Tensor leaf) noexcept { p.variable.get()->leaf = std::move(leaf); }

RandomPoint random_point() { return {engine::current().seed, engine::current().counter}; }
void go_to(RandomPoint point) {
  engine::current().seed = point.seed;
  engine::current().counter = point.counter;
}
void fill_normal(DType dtype, void* memory, Size n, std::uint64_t seed, std::uint64_t counter) {
  kernels::normal(dtype, memory, n, seed, counter);
}

Source made_at(const Tensor& t) noexcept { return t.defined() ? Source(t.node()->file, t.node()->line) : Source(); }

}  // namespace xgrad
