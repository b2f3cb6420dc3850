// x^2 as a CustomOp that calls functions of the test while it computes, and while its derivative is taken.
#pragma once

#include <functional>

#include <xgrad/autodiff.hpp>

namespace helpers {

inline xgrad::CustomOp squared(const std::function<void()>& in_forward, const std::function<void()>& in_vjp) {
  using namespace xgrad;
  return CustomOp({.name = "squared",
                   .forward =
                       [=](const Tensors& in) {
                         in_forward();
                         return square(in[0]);
                       },
                   .vjp = [=](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                     in_vjp();
                     return {2 * g * in[0]};
                   }});
}

}  // namespace helpers
