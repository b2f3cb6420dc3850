// What a rule is told of the step that it takes.
#pragma once

#include <xgrad/autodiff/error.hpp>
#include <xgrad/autodiff/shape.hpp>
#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

struct Step {
  double lr = 0;  // of the group, as schedules have made it
  Size t = 1;     // which step of this parameter, from 1; for update_all, the most that one of the group has
  const double* numbers = nullptr;  // of this parameter, as the rule's advance() has left them
  double loss = 0;                  // of a rule that is of_loss
  Tensor curvature = {};  // z H z of this parameter, where the rule wants_curvature() in this step: an estimate of the
                          // diagonal of the loss's Hessian H, with signs z drawn at random (Hutchinson 1990)
  Source source = {};     // where step() was called
};

// Options that make no sense are an Error: "[SGD] expected a momentum of 0 or more, got -1".
struct Require {
  const char* name;
  Source source;
  bool of_f32 = false;  // is a parameter?
  void operator()(bool right, const char* expected, double got) const;
  void not_negative(const char* option, double got) const;  // and finite
  void positive(const char* option, double got) const;      // finite and above 0
  void fraction(const char* option, double got) const;      // in [0, 1), as a beta is
  void divisor(const char* option, double got) const;  // finite, 0 or more; and not lost to 0 in the parameters' dtype
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
