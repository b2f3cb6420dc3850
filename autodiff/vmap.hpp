// vmap: a function of one example, run on all of them at once.
// Bodies: api/vmap.cpp; what it does: engine/batch.hpp.
#pragma once

#include <xgrad/autodiff/differentiate.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// What random numbers a function draws for its examples.
enum class Randomness : std::uint8_t {
  error,      // none: to draw is an Error
  same,       // the same for all
  different,  // of its own for each
};

// A number of an example was asked for, inside of vmap: there are none.
class NoNumbers : public Error {
 public:
  using Error::Error;
};

struct VmapOptions {
  // Of each input the axis that counts the examples; -1: the input is the same for all. Empty: axis 0 of every input.
  Shape in_axes = {};
  Randomness randomness = Randomness::error;
};

// Is it of one example, inside of vmap, without numbers? Code that looks at numbers to check them leaves that out then.
bool is_example(const Tensor& x) noexcept;

// f of each example, side by side along axis 0: what a loop over axis 0 of x, and stack(), would give, in one run of f.
//
// f is called once, with tensors that have the shape of one example and no numbers; what it records is then replayed for
// all. So it says with tensors what it does: `where` instead of `if`. Reading a number of an example (item(), printing it)
// is an Error. grad, jvp, jacobian, hessian, checkpoint, CustomOps and vmap may be used inside; what f captures is the same
// for all. Results are differentiable in x and in what f captured. Of no examples the result is empty.
Tensor vmap(const Function& f, const In& x, const VmapOptions& options = {});
Tensor vmap(const FunctionOfMany& f, const Tensors& x, const VmapOptions& options = {}, Source source = Source::here());
// The same with several results.
using FunctionToMany = Callable<Tensors(const Tensors&)>;
Tensors vmap(const FunctionToMany& f, const Tensors& x, const VmapOptions& options = {},
             Source source = Source::here());

}  // namespace xgrad

#pragma GCC visibility pop
