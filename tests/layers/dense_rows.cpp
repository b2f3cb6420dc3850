#include "layers/row.hpp"

using namespace xgrad;

namespace layers {
namespace {

Subject bilinear(nn::Bilinear layer) {
  return subject(std::move(layer), [](const nn::Bilinear& l, const Tensors& in) { return l(in[0], in[1]); });
}
Subject bag(nn::EmbeddingBag layer) {
  return subject(std::move(layer), [](const nn::EmbeddingBag& l, const Tensors& in) {
    return l(in[0],
             {.offsets = in.size() > 1 ? in[1] : Tensor(), .per_sample_weights = in.size() > 2 ? in[2] : Tensor()});
  });
}

}  // namespace

// clang-format off
#define BAGS(which)                                                                                                                       \
  {"bag_" #which, [](DType d) { return bag(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::which, .dtype = d})); }},                                          \
      {"bag_" #which "_padding", [](DType d) { return bag(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::which, .padding_idx = 4, .dtype = d})); }},         \
      {"bag_" #which "_no_bags", [](DType d) { return bag(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::which, .dtype = d})); }},                           \
      {"bag_" #which "_offsets", [](DType d) { return bag(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::which, .dtype = d})); }, But::reads_numbers},       \
      {"bag_" #which "_offsets_padding",                                                                                                  \
       [](DType d) { return bag(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::which, .padding_idx = 1, .dtype = d})); }, But::reads_numbers},              \
      {"bag_" #which "_last", [](DType d) { return bag(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::which, .include_last_offset = true, .dtype = d})); },  \
       But::reads_numbers}

std::vector<Row> dense_rows() {
  return {
      LAYER("linear", nn::Linear(3, 4, {.dtype = d})),
      LAYER("linear_vector", nn::Linear(3, 4, {.bias = false, .dtype = d})),
      {"bilinear", [](DType d) { return bilinear({3, 4, 2, {.dtype = d}}); }},
      {"bilinear_axes", [](DType d) { return bilinear({2, 3, 2, {.bias = false, .dtype = d}}); }},
      {"bilinear_vector", [](DType d) { return bilinear({2, 3, 2, {.dtype = d}}); }},
      {"bilinear_no_examples", [](DType d) { return bilinear({2, 3, 2, {.dtype = d}}); }},
      LAYER("embedding", nn::Embedding(6, 3, {.dtype = d})),
      LAYER("embedding_number", nn::Embedding(6, 3, {.dtype = d})),
      LAYER("embedding_no_examples", nn::Embedding(6, 3, {.dtype = d})),
      LAYER("embedding_padding", nn::Embedding(6, 3, {.dtype = d, .padding_idx = 4})),
      {"embedding_max_norm", [](DType d) { return of(nn::Embedding(6, 3, {.dtype = d, .max_norm = 0.7})); }, But::reads_numbers},
      {"embedding_max_norm_1", [](DType d) { return of(nn::Embedding(6, 3, {.dtype = d, .padding_idx = -1, .max_norm = 0.5, .norm_type = 1})); },
       But::reads_numbers},
      BAGS(sum),
      BAGS(mean),
      BAGS(max),
      {"bag_weights", [](DType d) { return bag(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::sum, .dtype = d})); }, But::reads_numbers},
      {"bag_weights_matrix",
       [](DType d) {
         return subject(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::sum, .dtype = d}),
                        [](const nn::EmbeddingBag& l, const Tensors& in) { return l(in[0], {.per_sample_weights = in[1]}); });
       }},
      {"bag_max_norm", [](DType d) { return bag(nn::EmbeddingBag(6, 3, {.mode = nn::BagMode::sum, .max_norm = 0.7, .dtype = d})); }, But::reads_numbers},
      LAYER("weight_norm", nn::WeightNorm(nn::Linear(3, 4, {.dtype = d}))),
      LAYER("weight_norm_conv", nn::WeightNorm(nn::Conv2d(2, 3, 2, {.padding = 1, .dtype = d}))),
      LAYER("weight_norm_transposed", nn::WeightNorm(nn::ConvTranspose1d(2, 3, 2, {.dtype = d}), 1)),
      LAYER("weight_norm_all", nn::WeightNorm(nn::Linear(3, 4, {.bias = false, .dtype = d}), -1)),
      {"spectral_norm", [](DType d) { return of(nn::SpectralNorm(nn::Linear(3, 4, {.dtype = d}))); }, But::changes_weights},
      {"spectral_norm_steps", [](DType d) { return of(nn::SpectralNorm(nn::Linear(3, 4, {.dtype = d}), {.n_power_iterations = 3})); }, But::changes_weights},
      {"spectral_norm_conv", [](DType d) { return of(nn::SpectralNorm(nn::Conv2d(2, 3, 2, {.padding = 1, .dtype = d}))); }, But::changes_weights},
      {"spectral_norm_transposed", [](DType d) { return of(nn::SpectralNorm(nn::ConvTranspose2d(2, 3, 2, {.dtype = d}))); }, But::changes_weights},
  };
  // clang-format on
}
#undef BAGS

}  // namespace layers
