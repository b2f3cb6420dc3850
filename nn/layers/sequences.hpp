// Sequences of several lengths as one tensor, for layers that take `lengths` or a mask of the padding.
#pragma once

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct PadSequenceOptions {
  bool batch_first = false;  // [count, longest, ...] in place of [longest, count, ...]
  double padding_value = 0;  // of i64 sequences a whole number: a padding_idx, or the class -100
};
struct PaddedSequences {
  Tensor sequences, lengths;  // [longest, count, ...], and i64 [count]: as recurrent layers take them
};

// Sequences [steps, ...] of one dtype, whose other axes agree; of no steps, too. Gradients go to each of them. PyTorch's
// pad_sequence, with the lengths.
PaddedSequences pad_sequence(const Tensors& sequences, PadSequenceOptions options = {}, Source source = Source::here());

}  // namespace xgrad::nn

#pragma GCC visibility pop
