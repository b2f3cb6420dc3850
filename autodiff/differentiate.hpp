// Derivatives: of a recorded result with respect to what led to it, and of functions.
// Bodies: api/differentiate.cpp (grad, watch, backward), api/jacobian.cpp, api/transforms.cpp.
#pragma once

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

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

// The Jacobians dy/dx of a recorded y of any shape: for each x one, of y's shape and then x's. Rows by cotangents, or columns by
// tangents, whichever are fewer, all at once.
Tensors jacobian(const In& y, const Wrt& x, GradOptions options = {});

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

}  // namespace xgrad

#pragma GCC visibility pop
