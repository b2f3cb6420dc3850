// What a rule is told of the step that it takes.
#pragma once

#include <xgrad/autodiff/error.hpp>
#include <xgrad/autodiff/shape.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

struct Step {
  double lr = 0;  // of the group, as schedules have made it
  Size t = 1;     // which step of this parameter, from 1; for update_all, the most that one of the group has
};

// Options that make no sense are an Error: "[SGD] expected a momentum of 0 or more, got -1".
struct Require {
  const char* name;
  Source source;
  bool of_f32 = false;  // is a parameter?
  void operator()(bool right, const char* expected, double got) const;
  void not_negative(const char* option, double got) const;  // and finite
  void divisor(const char* option, double got) const;  // that too; and not lost to 0 in the parameters' dtype
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
