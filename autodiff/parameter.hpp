// Parameter: a variable, the one thing that changes. Reading it gives the Tensor that it holds now, for good.
// Bodies: api/parameter.cpp; what a variable is: engine/variable.hpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <xgrad/autodiff/literal.hpp>
#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

namespace engine {
struct Variable;
void retain(Variable* variable) noexcept;
void release(Variable* variable) noexcept;
using VariableRef = Ref<Variable>;
}  // namespace engine

// A variable. Copying makes an independent variable of the same value (no bytes are copied until one changes), so
// copying a model is a snapshot. Assigning stores a value; whoever refers to the variable sees it. Moving moves it.
class Parameter {
 public:
  Parameter() noexcept = default;                                           // empty
  explicit Parameter(const Tensor& value, Source source = Source::here());  // a number, too: Parameter w(1.0)
  Parameter(const Parameter& other);
  Parameter(Parameter&& other) noexcept = default;
  Parameter& operator=(const Parameter& other);
  Parameter& operator=(Parameter&& other) noexcept = default;
  ~Parameter() = default;

  // Stores a value, evaluated, without its history. Shape and dtype must be those held (unless this is empty); a number
  // takes the dtype that is held.
  Parameter& operator=(const In& value);
  Parameter& operator+=(const In& y);
  Parameter& operator-=(const In& y);
  Parameter& operator*=(const In& y);
  Parameter& operator/=(const In& y);
  void assign(const Tensor& value, Source source = Source::here());

  const Tensor& value() const noexcept;  // what it holds now; an op on it is differentiated
  operator const Tensor&() const noexcept { return value(); }
  const Shape& shape(Source source = Source::here()) const { return value().shape(source); }
  DType dtype(Source source = Source::here()) const { return value().dtype(source); }
  Size numel(Source source = Source::here()) const { return value().numel(source); }
  Size size(At axis) const { return value().size(axis); }
  int dim(Source source = Source::here()) const { return value().dim(source); }
  double item(Source source = Source::here()) const { return value().item(source); }
  Tensor detach(Source source = Source::here()) const { return value().detach(source); }
  Tensor operator[](At i) const { return value()[i]; }
  bool defined() const noexcept { return variable_.get() != nullptr; }

  // false: a constant from now on, until true. What is recorded then leads to no derivative of it, and the work of those is
  // saved; its gradient goes. What was recorded before stays as it was.
  void requires_grad(bool on, Source source = Source::here());
  bool requires_grad() const noexcept { return value().requires_grad(); }

  // What backward() added up, zeros too; empty before. Of a variable that was picked from by rows (index_select along axis
  // 0, an embedding) the gradient is kept as those rows, and made a tensor of the variable's shape here.
  const Tensor& grad() const;
  void zero_grad() noexcept;  // empties it
  void set_grad(const Tensor& g, Source source = Source::here());

  engine::Variable* variable() const noexcept { return variable_.get(); }
  const engine::VariableRef& ref() const noexcept { return variable_; }

 private:
  engine::VariableRef variable_;
};

// A variable that holds `value` (its history dropped), or numbers: a C++ double makes f64, a float f32; integers, which
// have no derivative, are an Error.
template <class T, class = std::enable_if_t<std::is_same_v<T, Tensor> || std::is_same_v<T, Parameter>>>
Parameter parameter(const T& value, Source source = Source::here()) {
  return Parameter(static_cast<const Tensor&>(value), source);
}
Parameter parameter(const Literal& numbers, Source source = Source::here());

// References to variables, with names: what optimizers take. Built from non-const Parameters, or by nn::parameters.
class Parameters {
 public:
  struct Entry {
    std::string name;
    engine::VariableRef variable;

    const Tensor& value() const noexcept;  // as Parameter::value
    operator const Tensor&() const noexcept { return value(); }
    const Tensor& grad() const;
    void assign(const Tensor& value, Source source = Source::here()) const;
    void set_grad(const Tensor& g, Source source = Source::here()) const;
    void zero_grad() const noexcept;
    void requires_grad(bool on, Source source = Source::here()) const;
  };

  // One variable by reference: what a brace list of Parameters is made of.
  struct Reference {
    Parameter& parameter;
    Source source;
    Reference(Parameter& p, Source at = Source::here()) : parameter(p), source(at) {}
  };

  // The name of one: params["hidden.weight"].
  struct Name {
    std::string_view name;
    Source source;
    template <class S, class = std::enable_if_t<std::is_convertible_v<const S&, std::string_view>>>
    Name(const S& text, Source at = Source::here()) : name(text), source(at) {}
  };

  Parameters() = default;
  Parameters(std::initializer_list<Reference> list);  // named "0", "1", ...
  Parameters(std::vector<Parameter>& list, Source source = Source::here());
  void add(std::string name, Parameter& parameter, Source source = Source::here());
  void add(Entry entry) { entries_.push_back(std::move(entry)); }
  void append(const std::string& prefix, const Parameters& others);  // names become prefix + name
  // Those for which f is true, which is asked of a name (a const std::string&) or of an Entry:
  //   parameters(net).where([](const std::string& name) { return name.ends_with("bias"); })
  template <class F>
  Parameters where(const F& f) const {
    Parameters some;
    for (const Entry& entry : entries_) {
      bool chosen;
      if constexpr (std::is_invocable_v<const F&, const std::string&>) chosen = f(entry.name);
      else chosen = f(entry);
      if (chosen) some.add(entry);
    }
    return some;
  }

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  const Entry& operator[](At i) const;       // past the end is an Error
  const Entry& operator[](Name name) const;  // one that is not there is an Error
  const Entry* begin() const { return entries_.data(); }
  const Entry* end() const { return entries_.data() + entries_.size(); }

 private:
  std::vector<Entry> entries_;
};

// requires_grad(false) for each, or true: freeze(nn::parameters(net).where([](const std::string& name) { ... })).
void freeze(const Parameters& parameters, bool frozen = true, Source source = Source::here());

}  // namespace xgrad

template <>
struct [[gnu::visibility("default")]] fmt::formatter<xgrad::Parameter>
    : fmt::formatter<xgrad::Tensor>{fmt::appender format(const xgrad::Parameter& p, fmt::format_context& context)
                                        const {return fmt::formatter<xgrad::Tensor>::format(p.value(), context);
}
}
;

#pragma GCC visibility pop
