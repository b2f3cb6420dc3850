// Transformers (Vaswani et al. 2017): layers of attention and a small network, their stacks, and both together.
#pragma once

#include <optional>
#include <vector>

#include <xgrad/nn/layers/attention.hpp>
#include <xgrad/nn/layers/layer_norm.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

enum class TransformerActivation { relu, gelu };

struct TransformerLayerOptions {
  Size dim_feedforward = 2048;
  double dropout = 0.1;  // of the attention's weights and of what each part gives, while training
  TransformerActivation activation = TransformerActivation::relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;  // normalise what goes into a part (Xiong et al. 2020), not what comes out
  bool bias = true;         // of attention, linear layers and normalisations
  DType dtype = default_dtype();
};

// As in MultiheadAttention: boolean masks keep OUT what is true, floats are added to the scores.
struct TransformerEncoderMasks {
  Tensor src_mask = {}, src_key_padding_mask = {};  // [time, time] or [batch heads, time, time]; [batch, time]
  bool is_causal = false;                           // no step sees those after it
};
struct TransformerDecoderMasks {
  Tensor tgt_mask = {}, memory_mask = {}, tgt_key_padding_mask = {}, memory_key_padding_mask = {};
  bool tgt_is_causal = false, memory_is_causal = false;
};

// y = norm1(x + attention(x))    z = norm2(y + linear2(activation(linear1(y)))), or with norm_first
// y = x + attention(norm1(x))    z = y + linear2(activation(linear1(norm2(y))))
// x: [time, batch, d_model], or [batch, time, d_model] with batch_first, or [time, d_model]; z likewise.
struct TransformerEncoderLayer {
  MultiheadAttention self_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2;
  double dropout = 0;
  TransformerActivation activation = TransformerActivation::relu;
  bool norm_first = false, training = true;

  TransformerEncoderLayer() = default;  // empty, until one with sizes is assigned
  TransformerEncoderLayer(Extent d_model, Extent nhead, TransformerLayerOptions options = {},
                          Source source = Source::here());
  Tensor operator()(In x) const;
  Tensor operator()(In x, const TransformerEncoderMasks& masks) const;

  XGRAD_FIELDS(self_attn, linear1, linear2, norm1, norm2)
};

// As the encoder's, with attention to `memory`, an encoder's result, between the two parts.
struct TransformerDecoderLayer {
  MultiheadAttention self_attn, multihead_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2, norm3;
  double dropout = 0;
  TransformerActivation activation = TransformerActivation::relu;
  bool norm_first = false, training = true;

  TransformerDecoderLayer() = default;
  TransformerDecoderLayer(Extent d_model, Extent nhead, TransformerLayerOptions options = {},
                          Source source = Source::here());
  Tensor operator()(In x, In memory, const TransformerDecoderMasks& masks = {}) const;

  XGRAD_FIELDS(self_attn, multihead_attn, linear1, linear2, norm1, norm2, norm3)
};

// Layers one after the other, each a copy of the one that is given (with the same first weights, as in PyTorch), and a
// normalisation of the result where one is given.
struct TransformerEncoder {
  std::vector<TransformerEncoderLayer> layers;
  std::optional<LayerNorm> norm;

  TransformerEncoder() = default;
  TransformerEncoder(const TransformerEncoderLayer& layer, Extent num_layers, std::optional<LayerNorm> norm = {},
                     Source source = Source::here());
  Tensor operator()(In x) const;
  Tensor operator()(In x, const TransformerEncoderMasks& masks) const;

  XGRAD_FIELDS(layers, norm)
};

struct TransformerDecoder {
  std::vector<TransformerDecoderLayer> layers;
  std::optional<LayerNorm> norm;

  TransformerDecoder() = default;
  TransformerDecoder(const TransformerDecoderLayer& layer, Extent num_layers, std::optional<LayerNorm> norm = {},
                     Source source = Source::here());
  Tensor operator()(In x, In memory, const TransformerDecoderMasks& masks = {}) const;

  XGRAD_FIELDS(layers, norm)
};

struct TransformerOptions {
  Size d_model = 512, nhead = 8, num_encoder_layers = 6, num_decoder_layers = 6, dim_feedforward = 2048;
  double dropout = 0.1;
  TransformerActivation activation = TransformerActivation::relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;
  bool bias = true;
  DType dtype = default_dtype();
};
struct TransformerMasks {
  Tensor src_mask = {}, tgt_mask = {}, memory_mask = {};
  Tensor src_key_padding_mask = {}, tgt_key_padding_mask = {}, memory_key_padding_mask = {};
  bool src_is_causal = false, tgt_is_causal = false, memory_is_causal = false;
};

// decoder(tgt, encoder(src)), both with a normalisation at their end. All matrices start Glorot uniform.
struct Transformer {
  TransformerEncoder encoder;
  TransformerDecoder decoder;

  explicit Transformer(TransformerOptions options = {}, Source source = Source::here());
  Tensor operator()(In src, In tgt, const TransformerMasks& masks = {}) const;

  XGRAD_FIELDS(encoder, decoder)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
