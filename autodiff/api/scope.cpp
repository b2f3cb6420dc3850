#include <xgrad/autodiff/scope.hpp>

#include <fmt/format.h>

#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/record.hpp"

namespace xgrad {

using engine::current;

Tensor evaluate(const In& x) {
  Tensor t = engine::operand(x, "evaluate");
  if (t.node()->has(engine::traced)) return t;  // nothing to be done yet
  engine::evaluate(t.node(), "evaluate", engine::source_of(x));
  return t;
}
void evaluate(const Tensors& list, Source source) try {
  engine::NodeList nodes(current());
  source = engine::source_of(source, "evaluate");
  for (const Tensor& t : list) {
    if (!t.defined()) fail(source, "expected tensors, got an empty one");
    if (t.pending() && t.node()->home != &current()) engine::fail_foreign(t.node(), "evaluate", source);
    if (!t.node()->has(engine::traced)) nodes.push_back(t.node());
  }
  engine::evaluate(current(), nodes.data(), nodes.size());
} catch (const std::bad_alloc&) {
  fail_no_memory(engine::source_of(source), "evaluate");
}

NoGrad::NoGrad() : before_(std::exchange(current().no_grad, true)) {}
NoGrad::~NoGrad() { current().no_grad = before_; }

EnableGrad::EnableGrad() : before_(std::exchange(current().no_grad, false)) {}
EnableGrad::~EnableGrad() { current().no_grad = before_; }

Eager::Eager() : before_(std::exchange(current().eager, true)) {}
Eager::~Eager() { current().eager = before_; }

LayerStream::LayerStream() : before_(std::exchange(current().for_layers, true)) {}
LayerStream::~LayerStream() { current().for_layers = before_; }

Located::Located(Source at, const char* op) {
  engine::ThreadState& t = current();
  before_ = std::exchange(t.located, true);
  at_before_ = std::exchange(t.at, (before_ ? t.at : at).named(op));
}
Located::~Located() {
  engine::ThreadState& t = current();
  t.located = before_;
  t.at = at_before_;
}

Source line_of(const In& x, const char* op) { return engine::source_of(x, op); }
Source line_of(Source source, const char* op) { return engine::source_of(source, op); }

Counters counters() {
  engine::ThreadState& t = current();
  if (t.has_foreign.load(std::memory_order_acquire)) engine::collect_foreign(t);  // what others let go of is gone
  return {.recorded = t.recorded,
          .evaluated = t.evaluated,
          .regions = t.regions,
          .pending = static_cast<std::uint64_t>(t.pending_nodes),
          .taped = static_cast<std::uint64_t>(t.taped_nodes),
          .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, t.buffers.in_use()))};
}

}  // namespace xgrad
