// Tables of vectors, picked by number; and sums, means and maxima of what is picked.
#pragma once

#include <optional>

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct EmbeddingOptions {
  DType dtype = default_dtype();
  std::optional<Size> padding_idx = {};  // its row starts as zeros, and gets no gradient; -1 is the last
  std::optional<double> max_norm = {};   // rows that are longer are made so long, in the table, as they are picked
  double norm_type = 2;                  // of max_norm: the p of the norm
};

// y[..., :] = weight[index[...], :]: for each index, an i64 of 0 ... count - 1, a row of the table. index of any shape; y has one
// axis more. The weight starts as N(0, 1), as PyTorch's. backward() leaves its gradient as the rows that were picked, so that a
// large table costs no more than they do, if the optimizer goes by rows too (SparseAdam, SGD without momentum and decay).
// With max_norm a call changes the table: threads that share it each need a copy.
struct Embedding {
  Parameter weight;  // [count, width]
  EmbeddingOptions options;

  Embedding() = default;  // empty, until one with sizes is assigned
  Embedding(Extent count, Extent width, EmbeddingOptions options = {}, Source source = Source::here());
  Tensor operator()(In index) const;

  XGRAD_FIELDS(weight)
};

enum class BagMode { sum, mean, max };
struct EmbeddingBagOptions {
  BagMode mode = BagMode::mean;
  std::optional<Size> padding_idx = {};  // counts for nothing
  std::optional<double> max_norm = {};
  double norm_type = 2;
  bool include_last_offset = false;  // the last offset is the number of indices: the end of the last bag
  DType dtype = default_dtype();
};
// What a call of an EmbeddingBag may be given besides the indices.
struct BagInputs {
  Tensor offsets = {};             // where each bag begins: i64, ascending, from 0
  Tensor per_sample_weights = {};  // of the indices' shape, for the mode sum: what each row is multiplied by
};

// y[bag, :] = the sum, mean or maximum of the rows of a bag. index [bags, n] of bags that have as many, or [n] and the offsets of
// bags of any length. An empty bag is 0. Of equal maxima the first gets the gradient. The gradient goes by rows, as Embedding's.
struct EmbeddingBag {
  Parameter weight;  // [count, width]: starts as N(0, 1)
  EmbeddingBagOptions options;

  EmbeddingBag() = default;
  EmbeddingBag(Extent count, Extent width, EmbeddingBagOptions options = {}, Source source = Source::here());
  Tensor operator()(In index) const { return (*this)(index, {}); }
  Tensor operator()(In index, const BagInputs& more) const;

  XGRAD_FIELDS(weight)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
