// Connectionist temporal classification: labels without places.
#pragma once

#include <xgrad/nn/losses/reduction.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct CtcOptions {
  Reduction reduction = Reduction::mean;  // the mean divides each loss by the length of its target first
  Size blank = 0;
  bool zero_infinity = false;  // a target that does not fit its input counts for 0, where its loss is infinite
};
// - log of the probability of a target, over all ways to write it with repeats and blanks in the length of the input (Graves et
// al. 2006). log_probabilities: [time, batch, classes], as log_softmax gives them; targets: i64 classes, not the blank,
// [batch, longest], or all one after the other, [sum of lengths]; lengths: i64 [batch]. Of one example [time, classes], targets
// [longest], and two numbers. What lies beyond a length counts for nothing.
Tensor ctc_loss(In log_probabilities, In targets, In input_lengths, In target_lengths, CtcOptions options = {});

}  // namespace xgrad::nn

#pragma GCC visibility pop
