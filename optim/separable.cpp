#include <xgrad/optim/separable.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::optim {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Numbers numbers_of(const engine::VariableRef& variable, const Tensor& lower, const Tensor& upper) {
  Numbers made;
  made.variable = variable;
  made.lower = lower.detach();
  made.upper = upper.detach();
  return made;
}

// What a parameter is told, as f64 numbers that its dtype holds, one for each of its own.
Tensor spread(const Tensor& told, const Parameters::Entry& entry, const char* what, const Require& require) {
  const Tensor& value = entry.value();
  const auto refuse = [&] {
    fail(require.source.named(require.name),
         "expected {} of the shape of the parameter {}, {}, or one number, got shape {}", what, entry.name,
         value.shape(), told.shape());
  };
  if (told.dim() > value.dim()) refuse();
  for (int i = 1; i <= told.dim(); ++i)
    if (told.size(-i) != 1 && told.size(-i) != value.size(-i)) refuse();
  return cast(cast(reshape(expand(told, value.shape()), {-1}), value.dtype()), f64);
}

// For all numbers of all parameters: `other`, or what the list says.
Tensor for_all(const Parameters& parameters, const std::vector<Numbers>& list, Tensor Numbers::*member, double other,
               const char* what, const Require& require) {
  Tensors parts;
  for (const Parameters::Entry& entry : parameters) {
    const auto is_it = [&](const Numbers& n) { return n.variable.get() == entry.variable.get(); };
    const auto told = std::find_if(list.begin(), list.end(), is_it);
    if (std::count_if(list.begin(), list.end(), is_it) > 1)
      fail(require.source.named(require.name), "{} of the parameter {} are there twice; give them once", what,
           entry.name);
    parts.push_back(spread(told == list.end() ? Tensor(other) : (*told).*member, entry, what, require));
  }
  for (const Numbers& n : list)
    if (std::none_of(parameters.begin(), parameters.end(),
                     [&](const Parameters::Entry& e) { return e.variable.get() == n.variable.get(); }))
      fail(require.source.named(require.name),
           "{} are given for a parameter that is not one of the method's; name it there too, or leave "
           "them out",
           what);
  return contiguous(evaluate(parts.size() == 1 ? parts[0] : concat(parts, 0)));
}

// The parameter that number i of x belongs to.
const std::string& owner(const Parameters& parameters, Size i) {
  for (const Parameters::Entry& entry : parameters)
    if ((i -= entry.value().numel()) < 0) return entry.name;
  return parameters[0].name;
}

}  // namespace

Bounds::One::One(Parameters::Reference p, In lower, In upper) : Numbers(numbers_of(p.parameter.ref(), lower, upper)) {}
Bounds::One::One(const Parameters::Entry& p, In lower, In upper) : Numbers(numbers_of(p.variable, lower, upper)) {}
Bounds::Bounds(std::initializer_list<One> list) : list_(list.begin(), list.end()) {}

L1::One::One(Parameters::Reference p, In weight) : Numbers(numbers_of(p.parameter.ref(), weight, weight)) {}
L1::One::One(const Parameters::Entry& p, In weight) : Numbers(numbers_of(p.variable, weight, weight)) {}
L1::L1(std::initializer_list<One> list) : list_(list.begin(), list.end()) {}

Separable::Separable(const Parameters& parameters, const Bounds& bounds, const L1& penalties, const Require& require) {
  const NoGrad constant;
  if (!bounds.list_.empty() || bounds.lower_ != -infinity || bounds.upper_ != infinity) {
    lower = for_all(parameters, bounds.list_, &Numbers::lower, bounds.lower_, "bounds", require);
    upper = for_all(parameters, bounds.list_, &Numbers::upper, bounds.upper_, "bounds", require);
    const std::vector<double> low = lower.to_vector<double>(), high = upper.to_vector<double>();
    for (std::size_t i = 0; i < low.size(); ++i)
      if (!(low[i] <= high[i] && low[i] < infinity && high[i] > -infinity))
        fail(require.source.named(require.name),
             "expected a lower bound that is at most the upper one, got {} and {} for the parameter {}", low[i],
             high[i], owner(parameters, static_cast<Size>(i)));
  }
  if (!penalties.list_.empty() || penalties.weight_ != 0) {
    l1 = for_all(parameters, penalties.list_, &Numbers::lower, penalties.weight_, "weights", require);
    for (const double weight : l1.to_vector<double>()) require.not_negative("l1", weight);
  }
}

double Separable::penalty(const Tensor& x) const { return l1.defined() ? dot(l1, abs(x)).item() : 0; }

Tensor Separable::nearest(const Tensor& x) const { return bounded() ? clamp(x, lower, upper) : x; }

Tensor Separable::prox(const Tensor& v, double a) const {
  return nearest(l1.defined() ? where(abs(v) <= a * l1, 0.0, sign(v) * (abs(v) - a * l1)) : v);  // no 0 is a -0
}

Tensor Separable::residual(const Tensor& x, const Tensor& g) const {
  Tensor d = g;
  if (l1.defined()) {
    const Tensor v = x - g;
    d = where(abs(v) > l1, g + sign(v) * l1, x);
  }
  return bounded() ? clamp(d, x - upper, x - lower) : d;
}

}  // namespace xgrad::optim
