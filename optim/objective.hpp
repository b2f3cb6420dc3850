// Objective: what a minimiser may ask of a problem at the point where it is. Each answer is worked out when it is first
// asked for at a point, kept while the objective is there, and counted.
#pragma once

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/differentiate.hpp>
#include <xgrad/autodiff/parameter.hpp>
#include <xgrad/optim/separable.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// How often what was computed.
struct Evaluations {
  Size value = 0;  // calls of the loss, or of the residuals
  Size gradient = 0, hvp = 0, hessian = 0, jacobian = 0;
};

// A function of parameters of any shapes and float dtypes, seen as one of a vector x of f64 that holds all their
// numbers, one parameter after the other, each row by row. It is a loss f(x) of one element, or residuals r(x), whose
// loss is f(x) = 1/2 sum r^2. The point x is where the parameters are: moving stores new values in them.
//
// A problem may have bounds and an L1 penalty h (separable.hpp): then value() is f + h, moving goes to the nearest point
// within the bounds, and gradient_norm() is the greatest |x - prox(x - df/dx)|, which is 0 at a minimum of f + h. gradient() and all
// other derivatives are f's.
class Objective {
 public:
  enum class Kind { loss, residuals };

  // `name` is whom Errors speak of. Parameters that are empty or there twice, or none at all, are an Error.
  Objective(const char* name, const Parameters& parameters, Callable<Tensor()> function, Kind kind,
            Source source = Source::here());

  // A place with all that is known there. Going back to one computes nothing again.
  struct Point {
    std::vector<Tensor> values;  // of the parameters
    Tensor x;
    Tensor result;  // what the function gave, with its history; empty where it was not called, or is not kept
    bool evaluated = false;
    double value = 0;                           // f + h
    double penalty = 0, norm = -1, noise = -1;  // h; below 0: not worked out yet
    Tensors gradients;                          // by parameter
    Tensor slopes;  // all of them as one vector, with a history, where second derivatives are wanted
    Tensor gradient, hessian, residuals, jacobian, columns;
  };
  const Point& here();
  void move_to(const Tensor& x);
  void move_to(Point point);
  void moved();  // somebody else has stored new values in the parameters

  // From then on; moves into the bounds.
  void set_separable(const Separable& part);
  const Separable& separable() const { return separable_; }

  // Is called before each call of the function; what it throws ends the run.
  void before_each_call(Callable<void()> f) { before_each_call_ = std::move(f); }

  // Keep the record of the function once the gradient is known? Second derivatives and the Jacobian need it, or call
  // the function again. A method that asks for neither gives its memory back.
  void keep_record(bool keep) { keep_record_ = keep; }

  // Is the Jacobian asked for wherever the gradient is? Then that is J^T r, and costs no sweep of its own.
  void use_jacobian(bool use) { use_jacobian_ = use && kind_ == Kind::residuals; }

  Size size() const { return size_; }  // of x
  const Tensor& x();                   // f64 [size]; numbers that f32 parameters hold, exactly
  double value();
  double smooth();              // f alone
  const Tensor& gradient();     // df/dx
  const Tensors& gradients();   // the same, in the parameters' shapes and dtypes
  double gradient_norm();       // the greatest |df/dx_i|, or as said above
  Tensor hvp(const Tensor& v);  // (d2f/dx2) v
  const Tensor& hessian();      // f64 [size, size], symmetric
  const Tensor& residuals();    // f64 [m]; an Error where there is a loss only
  const Tensor& jacobian();     // dr/dx: f64 [m, size]
  const Tensor& columns();      // its transpose, whose rows lie one behind the other: contiguous
  // The greatest |J_i^T r| / |J_i| |r| of the residuals that depend on x at all, J_i = dr/dx_i: how far r is from being at right
  // angles to all that it depends on, whatever the units.
  double cosine();

  // Of a number: 2^-52, or 2^-23 where parameters or what the function gives are f32. Known once the function was called.
  double rounding() const { return rounding_; }
  double noise();  // differences of values below this are the rounding of the value, and of x
  bool finite();   // value, and gradient
  // At a point it has been at since the last forget_nonfinite(): was something that was asked for NaN or infinite; was the value
  // -infinity?
  bool met_nonfinite() const { return met_nonfinite_; }
  bool met_minus_infinity() const { return met_minus_infinity_; }
  void forget_nonfinite() { met_nonfinite_ = met_minus_infinity_ = false; }

  const char* name() const { return name_; }
  Source source() const { return source_; }
  const Parameters& parameters() const { return parameters_; }
  const Evaluations& evaluations() const { return evaluations_; }

 private:
  void run();          // calls the function, if it was not called here yet
  void check_first();  // what it gave, and that it depends on each parameter
  void require_residuals() const;
  const Tensor& slopes();                // the gradient, with a history
  Tensor matrix(const Tensor& y) const;  // dy/dx, a row for each number of y
  Tensor pack(const Tensors& parts) const;
  std::vector<Tensor> unpack(const Tensor& x) const;

  const char* name_;
  Parameters parameters_;
  Callable<Tensor()> function_;
  Kind kind_;
  Source source_;
  Size size_ = 0, residual_count_ = -1;
  bool f32_ = false;           // does a parameter hold them?
  bool second_order_ = false;  // have second derivatives been asked for?
  bool keep_record_ = true, use_jacobian_ = false, checked_ = false, met_nonfinite_ = false,
       met_minus_infinity_ = false;
  double rounding_ = 0x1p-52;
  Separable separable_;
  Callable<void()> before_each_call_;
  Point point_;
  Evaluations evaluations_;
};

// Checks what a minimiser is to move: an Error where there are no parameters, an empty one, or one that is there twice.
void check_parameters(const char* name, const Parameters& parameters, Source source);

}  // namespace xgrad::optim

#pragma GCC visibility pop
