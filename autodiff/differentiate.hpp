// Derivatives: of a recorded result with respect to what led to it, and of functions.
#pragma once

#include <string>

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/parameter.hpp>

namespace xgrad {

// What to differentiate with respect to: tensors or parameters, {x, w, ...}, or one alone.
class Wrt {
 public:
  Wrt(std::initializer_list<In> list);
  Wrt(const Tensor& x) : list_({x}) {}
  Wrt(const Parameter& x) : list_({x.value()}) {}
  Wrt(const Tensors& list) : list_(list) {}
  Wrt(const Parameters& list);
  const Tensors& list() const { return list_; }  // a number counts as an empty one

 private:
  Tensors list_;
};

struct GradOptions {
  bool create_graph = false;  // record the gradients, so that they can be differentiated again
  // Zeros instead of an Error where y does not depend on x. Where all of y's history was lost (it was computed under
  // NoGrad, or is a derivative that was taken without create_graph), that stays an Error: zeros would be wrong.
  bool allow_unused = false;
};

// The gradients dy/dx, in the order asked for. y must hold one element; with a cotangent g of y's shape: g^T dy/dx.
// Lets go of nothing. A Parameter that has changed since y was recorded counts as the variable it was read from.
Tensors grad(const In& y, const Wrt& x, GradOptions options = {});
Tensors grad(const In& y, const Wrt& x, const Tensor& cotangent, GradOptions options = {});

// An identity of x that derivatives lead to: grad(f(w), {w}) for a w = watch(x).
Tensor watch(const In& x);

// The variables that y's derivatives lead to, by reference; their names say where they were made: "f32 (3,) of net.cpp:12".
// One that is gone (a Parameter that lived inside of a function) has an empty value.
Parameters variables_of(const In& y);

// ---- of functions. Results stay differentiable in x and in what f captured
using Function = Callable<Tensor(const Tensor&)>;
using FunctionOfMany = Callable<Tensor(const Tensors&)>;

// What f does not depend on has derivatives of 0. But where the reason is that f used x, or what it made of x, without a
// record (read numbers of it by item(), to_vector() or as_xtensor(), detached it, computed under NoGrad, took a
// derivative without create_graph) and its result depends on x in no other way, that is an Error.
struct TransformOptions {
  bool allow_unused = false;  // zeros there too: a step function, or what is meant to be constant
};

struct ValueAndGrad {
  Tensor value, grad;
};
struct ValueAndGrads {
  Tensor value;
  Tensors grads;
};
ValueAndGrad value_and_grad(const Function& f, const In& x, TransformOptions options = {});  // f(x): one element
ValueAndGrads value_and_grad(const FunctionOfMany& f, const Tensors& x, TransformOptions options = {},
                             Source source = Source::here());

struct Jvp {
  Tensor value, tangent;
};
// f(x) and (df/dx) t, in one forward walk of the record
Jvp jvp(const Function& f, const In& x, const In& t, TransformOptions options = {});

// g -> g^T df/dx, for cotangents of f(x)'s shape.
class Pullback {
 public:
  Tensor operator()(const In& g) const;
  Pullback(Tensor x, Tensor y) : x_(std::move(x)), y_(std::move(y)) {}

 private:
  Tensor x_, y_;
};
struct Vjp {
  Tensor value;
  Pullback pullback;
};
Vjp vjp(const Function& f, const In& x, TransformOptions options = {});

// (d2f/dx2) t, forward over reverse; f(x) holds one element
Tensor hvp(const Function& f, const In& x, const In& t, TransformOptions options = {});
Tensor jacobian(const Function& f, const In& x, TransformOptions options = {});  // shape: f(x)'s, then x's
Tensor hessian(const Function& f, const In& x, TransformOptions options = {});   // shape: x's twice

// ---- memory for time
// f(x), without the record between: what a derivative needs of it is worked out by running f again, in the sweep.
// Gradients are those of f(x) to any order, for x and for all that f captured; random numbers come out the same again.
// Costs a run of f for each sweep, and computes the result at once. Saves where f holds much more than its result, as a
// block of layers does; but gradients that are to be differentiated again hold what was run again, as any record does.
// f is copied, and kept until a backward() lets go. What it captured by reference must live until then: capture tensors by
// value, and a model by reference. A Parameter that it reads must not have been stored anew (an Error). What f itself
// changes (running statistics), it changes each time.
Tensor checkpoint(const Function& f, const In& x);
Tensor checkpoint(const FunctionOfMany& f, const Tensors& x, Source source = Source::here());

// ---- a check of f's derivatives against central differences, in f64
struct GradCheckOptions {
  int order = 1;             // 1, or 2: also the gradient's gradient
  double step = 1e-5;        // of the differences
  double tolerance = 1e-6;   // |exact - numeric| <= tolerance max(1, |exact|)
};
struct GradCheck {
  bool passed = false;
  double worst = 0;      // the greatest |exact - numeric| / max(1, |exact|)
  std::string message;   // says where
};
GradCheck gradcheck(const Function& f, const In& x, GradCheckOptions options = {});
std::string to_string(const GradCheck& check);

// ---- an op whose values and derivative the user gives
struct CustomOpDefinition {
  std::string name;
  // Of values without a history; what it records (for derivatives that it takes itself, or by parameters that it
  // captured) is dropped when it returns.
  Callable<Tensor(const Tensors& in)> forward;
  // Cotangents of the inputs, in tensor ops (so that they can be differentiated again); empty Tensors for none. In a sweep
  // without create_graph it is given values without a history, too.
  Callable<Tensors(const Tensor& g, const Tensors& in, const Tensor& out)> vjp;
  // Inside of vmap, forward and vjp are run on one example, for all, if they are made of tensor ops. If they read numbers,
  // say how it goes: the results for all examples, along axis 0, by ops or another CustomOp. Of each input in_axes has 0,
  // the axis of the examples, or -1: it is the same for all.
  Callable<Tensor(const Tensors& in, const Shape& in_axes)> batch = {};
  Callable<Shape(const Tensors& in)> shape = {};  // of one example's result, for `batch`; none: that of the first input
};
namespace engine {
struct Custom;
void retain(const Custom* custom) noexcept;
void release(const Custom* custom) noexcept;
}  // namespace engine

class CustomOp {
 public:
  CustomOp(CustomOpDefinition definition, Source source = Source::here());
  Tensor operator()(const In& x) const;
  Tensor operator()(const In& x, const In& y) const;
  Tensor operator()(const Tensors& in, Source source = Source::here()) const;

 private:
  engine::Ref<const engine::Custom> custom_;
};

}  // namespace xgrad

template <>
struct fmt::formatter<xgrad::GradCheck> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  fmt::appender format(const xgrad::GradCheck& check, fmt::format_context& context) const;
};
