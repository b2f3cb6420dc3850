// checkpoint: memory for time. Bodies: ops/checkpoint.cpp.
#pragma once

#include <xgrad/autodiff/differentiate.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// f(x), without the record between: what a derivative needs of it is worked out by running f again, in the sweep.
// Gradients are those of f(x) to any order, for x and for all that f captured; random numbers come out the same again.
// Costs a run of f for each sweep, and computes the result at once. Saves where f holds much more than its result, as a
// block of layers does; but gradients that are to be differentiated again hold what was run again, as any record does.
// f is copied, and kept until a backward() lets go. What it captured by reference must live until then: capture tensors by
// value, and a model by reference. A Parameter that it reads must not have been stored anew (an Error). What f itself
// changes (running statistics), it changes each time.
Tensor checkpoint(const Function& f, const In& x);
Tensor checkpoint(const FunctionOfMany& f, const Tensors& x, Source source = Source::here());

}  // namespace xgrad

#pragma GCC visibility pop
