// CustomOp: an op whose values and derivative the user gives. Bodies: ops/custom.cpp.
#pragma once

#include <string>

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

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

#pragma GCC visibility pop
