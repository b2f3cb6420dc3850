// What an optimizer's formula works on.
#pragma once

#include <xgrad/autodiff/dtype.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// A run of elements of one parameter that a rule updates: p, g and the state's slots are contiguous.
struct Work {
  char* p;
  const char* g;
  char* state;  // slot k is at state + k * stride
  Size stride;  // bytes
  Size n;       // elements
  int slots;
  int step;     // which of the rule's prepared steps
  DType dtype;  // f32 or f64
  void* slot(int k) const { return k < slots ? state + k * stride : nullptr; }
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
