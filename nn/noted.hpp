// What layers tell a summary of a call: what they made. Private to nn/; bodies: summary.cpp.
#pragma once

#include <utility>

#include <xgrad/autodiff/parameter.hpp>

namespace xgrad::nn {

class Notes;                                 // the shape of what each layer made last, by a parameter of its own
extern constinit thread_local Notes* notes;  // null: nobody asks
void note(const Parameter& of, const Tensor& y);

// y, which the layer that holds this parameter has made.
inline Tensor noted(const Parameter& of, Tensor y) {
  if (notes) [[unlikely]]
    note(of, y);
  return y;
}

}  // namespace xgrad::nn
