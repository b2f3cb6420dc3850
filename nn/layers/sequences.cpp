#include <xgrad/nn/layers/sequences.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <vector>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {

PaddedSequences pad_sequence(const Tensors& sequences, PadSequenceOptions options, Source source) try {
  const Located at(source, "pad_sequence");
  const Source here = source.named("pad_sequence");
  if (sequences.empty()) fail(here, "expected one sequence or more, got none");
  std::vector<Size> lengths;
  for (const Tensor& s : sequences) {
    if (s.dim(here) == 0) fail(here, "expected sequences [steps, ...], got a 0-d tensor");
    Shape others = sequences[0].shape(), own = s.shape();
    others.erase(0), own.erase(0);
    if (own != others || s.dtype() != sequences[0].dtype())
      fail(here, "expected sequences that differ in their steps alone, got {} {} and {} {}", name(sequences[0].dtype()),
           sequences[0].shape(), name(s.dtype()), s.shape());
    lengths.push_back(s.size(0));
  }
  const Size longest = *std::max_element(lengths.begin(), lengths.end());
  Tensors padded;
  for (const Tensor& s : sequences) {
    Shape shape = s.shape();
    shape[0] = longest - s.size(0);
    const Tensor rest = full(shape, options.padding_value, s.dtype());
    padded.push_back(shape[0] == 0 ? s : concat({s, rest}));
  }
  return {stack(padded, options.batch_first ? 0 : 1), tensor(lengths)};
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "pad_sequence");
}

}  // namespace xgrad::nn
