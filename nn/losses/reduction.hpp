// What becomes of the losses of single numbers or rows.
#pragma once

#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// The sum of no losses is 0; their mean has no value, and is an Error. Rows left out by ignore_index are no rows, and what is in
// them, NaN too, leads to no gradient. A weight, a probability or a binary target of 0 beside an infinite loss counts for
// nothing: a sure and right logit costs 0. An option that the dtype cannot hold (a delta of 1e-50 in f32) is an Error.
enum class Reduction { mean, sum, none };

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
