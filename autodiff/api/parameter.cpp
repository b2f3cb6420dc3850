#include <xgrad/autodiff/parameter.hpp>

#include <fmt/format.h>

#include "autodiff/engine/record.hpp"
#include "autodiff/engine/variable.hpp"
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad {

using engine::source_of;
using engine::Variable;

namespace {
const Tensor empty;

// A copy has no line of its own to name: that of the variable's making is the user's.
Source line_of_making(const Tensor& leaf) { return {leaf.node()->file, leaf.node()->line}; }

const Tensor& value_of(const Variable* v) noexcept { return v ? v->leaf : empty; }
const Tensor& grad_of(Variable* v) { return v ? engine::dense_gradient(v) : empty; }

void set_grad_of(Variable* v, const Tensor& g, Source source) {
  if (!v) fail(source.named("set_grad"), "of an empty Parameter; give it a value first");
  if (!g.defined()) {
    engine::forget_gradient(v);
    return;
  }
  if (g.dtype(source) != v->leaf.dtype() || !(g.shape(source) == v->leaf.shape()))
    fail(source.named("set_grad"), "the variable holds {}, got {} {}", engine::described(v), name(g.dtype()),
         g.shape());
  const Tensor own = g.detach();
  engine::forget_gradient(v);
  v->grad = own;
}

}  // namespace

Parameter::Parameter(const Tensor& value, Source source)
    : variable_(engine::VariableRef(engine::new_variable(value, source_of(source)))) {
  if (value.defined() && !is_float(value.node()->dtype))
    fail(source_of(source, "parameter"),
         "expected floats, got {}: integers have no derivative; write 1.0, or "
         "cast(x, f32)",
         name(value.node()->dtype));
}

Parameter::Parameter(const Parameter& other) {
  if (other.defined())
    variable_ = engine::VariableRef(engine::copy_of(other.variable(), line_of_making(other.value())));
}

Parameter& Parameter::operator=(const Parameter& other) {
  if (this == &other) return *this;
  if (!other.defined()) variable_ = engine::VariableRef();
  else assign(other.value(), defined() ? line_of_making(value()) : line_of_making(other.value()));
  return *this;
}
Parameter& Parameter::operator=(const In& value) {
  assign(static_cast<Tensor>(value), value.source());
  return *this;
}
void Parameter::assign(const Tensor& value, Source source) {
  source = source_of(source);
  if (defined() && value.defined() && value.node()->has(engine::weak)) {
    const Located at(source);
    engine::store(variable(), cast(value, dtype()), "assign", source);
  } else if (defined()) engine::store(variable(), value, "assign", source);
  else variable_ = engine::VariableRef(engine::new_variable(value, source));
}

Parameter& Parameter::operator+=(const In& y) {
  const Located at(y);
  return *this = In(value() + y, y.source());
}
Parameter& Parameter::operator-=(const In& y) {
  const Located at(y);
  return *this = In(value() - y, y.source());
}
Parameter& Parameter::operator*=(const In& y) {
  const Located at(y);
  return *this = In(value() * y, y.source());
}
Parameter& Parameter::operator/=(const In& y) {
  const Located at(y);
  return *this = In(value() / y, y.source());
}

const Tensor& Parameter::value() const noexcept { return value_of(variable()); }
const Tensor& Parameter::grad() const { return grad_of(variable()); }
void Parameter::zero_grad() noexcept {
  if (variable()) engine::forget_gradient(variable());
}
void Parameter::set_grad(const Tensor& g, Source source) { set_grad_of(variable(), g, source_of(source)); }

In::In(const Parameter& p, Source at) noexcept
    : node_(p.value().node()), source_{at.file, at.line, DType::f64, false, false} {}

Parameter parameter(const Literal& numbers, Source source) { return Parameter(tensor(numbers, source), source); }

const Tensor& Parameters::Entry::value() const noexcept { return value_of(variable.get()); }
const Tensor& Parameters::Entry::grad() const { return grad_of(variable.get()); }
void Parameters::Entry::assign(const Tensor& value, Source source) const {
  engine::store(variable.get(), value, "assign", source_of(source));
}
void Parameters::Entry::set_grad(const Tensor& g, Source source) const {
  set_grad_of(variable.get(), g, source_of(source));
}
void Parameters::Entry::zero_grad() const noexcept { engine::forget_gradient(variable.get()); }

namespace {
void set_requires_grad(Variable* v, bool on, Source source) try {
  if (!v) fail(source.named("requires_grad"), "of an empty Parameter; give it a value first");
  engine::freeze(v, !on);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "requires_grad");
}
}  // namespace
void Parameter::requires_grad(bool on, Source source) { set_requires_grad(variable(), on, source_of(source)); }
void Parameters::Entry::requires_grad(bool on, Source source) const {
  set_requires_grad(variable.get(), on, source_of(source));
}
void freeze(const Parameters& parameters, bool frozen, Source source) {
  for (const Parameters::Entry& p : parameters) p.requires_grad(!frozen, source);
}

Parameters::Parameters(std::initializer_list<Reference> list) {
  for (const Reference& r : list)
    add(std::to_string(entries_.size()), r.parameter, r.source);  // short: takes no memory
}
Parameters::Parameters(std::vector<Parameter>& list, Source source) {
  for (Parameter& p : list) add(std::to_string(entries_.size()), p, source);
}
void Parameters::add(std::string name, Parameter& parameter, Source source) try {
  if (!parameter.defined()) fail(source_of(source, "Parameters"), "{} is empty; give it a value first", name);
  entries_.push_back({std::move(name), parameter.ref()});
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(source), "Parameters");
}
void Parameters::append(const std::string& prefix, const Parameters& others) try {
  for (const Entry& e : others) entries_.push_back({prefix + e.name, e.variable});
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "Parameters");
}

const Parameters::Entry& Parameters::operator[](At i) const {
  if (i.index < 0 || i.index >= static_cast<Size>(size()))
    fail(source_of(i.source, "Parameters"), "expected a number below {}, got {}", size(), i.index);
  return entries_[static_cast<std::size_t>(i.index)];
}
const Parameters::Entry& Parameters::operator[](Name name) const {
  for (const Entry& e : entries_)
    if (e.name == name.name) return e;
  std::string names;
  for (const Entry& e : entries_) names += (names.empty() ? "" : ", ") + e.name;
  fail(source_of(name.source, "Parameters"), "none is called {}; there are: {}", name.name,
       names.empty() ? "none" : names);
}

}  // namespace xgrad
