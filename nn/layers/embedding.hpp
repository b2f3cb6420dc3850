// A table of vectors, picked by number.
#pragma once

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct EmbeddingOptions {
  DType dtype = default_dtype();
};

// y[..., :] = weight[index[...], :]: for each index, an i64 of 0 ... count - 1, a row of the table. index of any shape; y has one
// axis more. The weight starts as N(0, 1), as PyTorch's. backward() leaves its gradient as the rows that were picked, so that a
// large table costs no more than they do, if the optimizer goes by rows too (SparseAdam, SGD without momentum and decay).
struct Embedding {
  Parameter weight;  // [count, width]

  Embedding() = default;  // empty, until one with sizes is assigned
  Embedding(Extent count, Extent width, EmbeddingOptions options = {}, Source source = Source::here());
  Tensor operator()(In index) const;

  XGRAD_FIELDS(weight)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
