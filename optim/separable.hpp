// What a problem may have beside its smooth function: bounds of parameters, and L1 penalties on them.
#pragma once

#include <initializer_list>
#include <limits>
#include <vector>

#include <xgrad/optim/step.hpp>
#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// A parameter, and numbers for it: one for all of it, or a tensor of its shape (or that broadcasts to it).
struct Numbers {
  engine::VariableRef variable;
  Tensor lower, upper;
};

// lower <= p <= upper, for all parameters of a method, or by parameter:
//   {.bounds = {0.0, 1.0}}       {.bounds = {{rate, 0.0}, {phase, -3.2, 3.2}}}
// Infinite ones are none. A parameter that is not named has none.
class Bounds {
 public:
  struct One : Numbers {
    One(Parameters::Reference p, In lower, In upper = std::numeric_limits<double>::infinity());
    One(const Parameters::Entry& p, In lower, In upper = std::numeric_limits<double>::infinity());
  };
  Bounds() = default;
  Bounds(double lower, double upper) : lower_(lower), upper_(upper) {}
  Bounds(std::initializer_list<One> list);
  void add(const One& one) { list_.push_back(one); }

 private:
  friend struct Separable;
  double lower_ = -std::numeric_limits<double>::infinity(), upper_ = std::numeric_limits<double>::infinity();
  std::vector<Numbers> list_;
};

// A penalty of weight |p|, summed over the numbers of all parameters, or of those named:
//   {.l1 = 0.1}       {.l1 = {{weight, 0.1}}}
class L1 {
 public:
  struct One : Numbers {
    One(Parameters::Reference p, In weight);
    One(const Parameters::Entry& p, In weight);
  };
  L1(double weight = 0) : weight_(weight) {}
  L1(std::initializer_list<One> list);
  void add(const One& one) { list_.push_back(one); }

 private:
  friend struct Separable;
  double weight_ = 0;
  std::vector<Numbers> list_;
};

// h(x) = sum_i l1_i |x_i| where lower <= x <= upper, and infinite elsewhere: not smooth, but of one number at a time.
// What a problem minimises is then f + h.
struct Separable {
  Tensor lower, upper, l1;  // f64 [n], dense; empty: none

  Separable() = default;
  // Of a method's parameters. An Error: bounds that cross or are NaN, a weight below 0, a parameter that is not the
  // method's or is named twice, a shape that does not fit.
  Separable(const Parameters& parameters, const Bounds& bounds, const L1& l1, const Require& require);

  bool bounded() const { return lower.defined(); }
  bool empty() const { return !bounded() && !l1.defined(); }
  double penalty(const Tensor& x) const;  // sum_i l1_i |x_i|
  Tensor nearest(const Tensor& x) const;  // within the bounds
  // argmin_x h(x) + |x - v|^2 / (2 a) = clamp(sign(v) max(|v| - a l1, 0), lower, upper)
  Tensor prox(const Tensor& v, double a) const;
  // x - prox(x - g, 1), without the rounding of x - g
  Tensor residual(const Tensor& x, const Tensor& g) const;
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
