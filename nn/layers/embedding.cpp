#include <xgrad/nn/layers/embedding.hpp>

#include <fmt/core.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {

Embedding::Embedding(Extent count, Extent width, EmbeddingOptions options, Source source) {
  if (count.value < 1 || width.value < 1)
    fail(source, fmt::format("[Embedding] expected a count and a width of at least 1, got {} and {}", count.value, width.value));
  if (!is_float(options.dtype))
    fail(source, fmt::format("[Embedding] expected the dtype f32 or f64, got {}", name(options.dtype)));
  const Located at(source, "Embedding");
  const LayerStream first;
  weight = Parameter(randn({count, width}, options.dtype, source), source);
}

Tensor Embedding::operator()(In index) const {
  const Located at(index, "Embedding");
  if (!weight.defined()) fail(line_of(index), "[Embedding] expected a table, got an empty one; give it sizes: Embedding(count, width)");
  const Tensor i = static_cast<Tensor>(index);
  if (i.dim() == 1) return index_select(weight, 0, i);
  Shape shape = i.shape();
  shape.push_back(weight.shape()[1]);
  return reshape(index_select(weight, 0, reshape(i, {-1})), shape);
}

}  // namespace xgrad::nn
