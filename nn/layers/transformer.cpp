#include <xgrad/nn/layers/transformer.hpp>

#include <fmt/core.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/init.hpp>
#include <xgrad/nn/layers/activations.hpp>
#include "nn/layers/attention_masks.hpp"
#include "nn/layers/made.hpp"
#include <xgrad/nn/model.hpp>

namespace xgrad::nn {

namespace {

// The parts that both kinds of layers have.
template <class Layer>
void make(Layer& layer, const char* name, Extent d_model, Extent nhead, const TransformerLayerOptions& o,
          Source source) {
  if (d_model.value < 1 || nhead.value < 1 || d_model.value % nhead.value != 0 || o.dim_feedforward < 1)
    fail(source.named(name),
         "expected sizes of at least 1, and a d_model that nhead divides, got {}, {} and dim_feedforward {}",
         d_model.value, nhead.value, o.dim_feedforward);
  require_float(name, o.dtype, source);
  if (!(o.dropout >= 0 && o.dropout <= 1)) fail(source.named(name), "expected a dropout in [0, 1], got {}", o.dropout);
  layer.dropout = o.dropout, layer.activation = o.activation, layer.norm_first = o.norm_first;
  const LinearOptions linear{.bias = o.bias, .dtype = o.dtype};
  layer.self_attn = MultiheadAttention(
      d_model, nhead, {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first, .dtype = o.dtype}, source);
  layer.linear1 = Linear(d_model, o.dim_feedforward, linear, source);
  layer.linear2 = Linear(o.dim_feedforward, d_model, linear, source);
}

// x as the input of a layer, or an Error that names it.
template <class Layer>
Tensor input_of_layer(const char* name, const In& x, const Layer& layer) {
  const Tensor input = input_of(name, x, layer.norm1.weight);
  const Shape& shape = input.shape();
  const Size width = layer.norm1.weight.shape()[0];
  if ((shape.rank() != 2 && shape.rank() != 3) || shape.back() != width)
    fail(line_of(x, name), "expected {} or [time, width], of the width {}, got the shape {}",
         layer.self_attn.batch_first ? "[batch, time, width]" : "[time, batch, width]", width, shape);
  return input;
}

// What the decoder attends to, likewise.
Tensor memory_of_layer(const In& memory, const Tensor& x, const TransformerDecoderLayer& layer, Source source) {
  const char* const name = "TransformerDecoderLayer";
  const Tensor m = memory;
  if (!m.defined()) fail(source.named(name), "expected a memory, an encoder's result, got an empty tensor");
  const Tensor input = input_of(name, In(m, source), layer.norm1.weight);
  Shape wanted = x.shape();
  const int time = x.dim() == 3 && !layer.self_attn.batch_first ? 0 : x.dim() - 2;
  if (input.dim() == x.dim()) wanted[time] = input.shape()[time];
  if (input.shape() != wanted)
    fail(source.named(name),
         "expected a memory of as many axes as x, its batch and its width, got the shapes {} and {}", input.shape(),
         x.shape());
  return input;
}

// Before the attention's own check, which does not know what its masks are called here.
void check_masks_of(const MultiheadAttention& attention, const Tensor& x, const Tensor& seen,
                    const AttentionMasks& masks, const MaskNames& names, Source source) {
  const bool batched = x.dim() == 3;
  const int time = batched && !attention.batch_first ? 0 : x.dim() - 2;
  const Size batch = batched ? x.shape()[1 - time] : 1;
  check_masks(masks, names, {batched, batch, attention.num_heads, x.shape()[time], seen.shape()[time]}, source);
}

Tensor dropped(const Tensor& x, double p, bool training) { return training && p > 0 ? dropout(x, p) : x; }

// linear2(activation(linear1(x)))
template <class Layer>
Tensor feed_forward(const Layer& layer, const Tensor& x) {
  const Tensor inner = layer.linear1(x);
  const Tensor active = layer.activation == TransformerActivation::relu ? relu(inner) : gelu(inner);
  return layer.linear2(dropped(active, layer.dropout, layer.training));
}

// x and what a part makes of it, normalised before or after.
template <class Layer, class Part>
Tensor residual(const Layer& layer, const LayerNorm& norm, const Tensor& x, const Part& part) {
  if (layer.norm_first) return x + dropped(part(norm(x)), layer.dropout, layer.training);
  return norm(x + dropped(part(x), layer.dropout, layer.training));
}

void require_layers(const char* name, bool some, const In& x) {
  if (!some) fail(line_of(x, name), "this layer was made without layers, or moved from; assign one that has them");
}

void check_stack(const char* name, Extent num_layers, Source source) {
  if (num_layers.value < 1) fail(source.named(name), "expected a layer at least, got {}", num_layers.value);
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(Extent d_model, Extent nhead, TransformerLayerOptions options,
                                                 Source source) {
  const Located at(source, "TransformerEncoderLayer");
  make(*this, "TransformerEncoderLayer", d_model, nhead, options, source);
  for (LayerNorm* norm : {&norm1, &norm2})
    *norm = LayerNorm({d_model}, {.eps = options.layer_norm_eps, .bias = options.bias, .dtype = options.dtype}, source);
}

Tensor TransformerEncoderLayer::operator()(In x) const { return (*this)(x, {}); }
Tensor TransformerEncoderLayer::operator()(In x, const TransformerEncoderMasks& masks) const {
  const Located at(x, "TransformerEncoderLayer");
  const AttentionMasks own{.key_padding_mask = masks.src_key_padding_mask,
                           .attn_mask = masks.src_mask,
                           .is_causal = masks.is_causal,
                           .need_weights = false};
  const Tensor input = input_of_layer("TransformerEncoderLayer", x, *this);
  check_masks_of(self_attn, input, input, own, {"src_mask", "src_key_padding_mask"}, line_of(x));
  const Tensor y = residual(*this, norm1, input, [&](const Tensor& t) { return self_attn(t, t, t, own).output; });
  return residual(*this, norm2, y, [&](const Tensor& t) { return feed_forward(*this, t); });
}

TransformerDecoderLayer::TransformerDecoderLayer(Extent d_model, Extent nhead, TransformerLayerOptions options,
                                                 Source source) {
  const Located at(source, "TransformerDecoderLayer");
  make(*this, "TransformerDecoderLayer", d_model, nhead, options, source);
  multihead_attn = MultiheadAttention(
      d_model, nhead,
      {.dropout = options.dropout, .bias = options.bias, .batch_first = options.batch_first, .dtype = options.dtype},
      source);
  for (LayerNorm* norm : {&norm1, &norm2, &norm3})
    *norm = LayerNorm({d_model}, {.eps = options.layer_norm_eps, .bias = options.bias, .dtype = options.dtype}, source);
}

Tensor TransformerDecoderLayer::operator()(In x, In memory, const TransformerDecoderMasks& masks) const {
  const Located at(x, "TransformerDecoderLayer");
  const AttentionMasks own{.key_padding_mask = masks.tgt_key_padding_mask,
                           .attn_mask = masks.tgt_mask,
                           .is_causal = masks.tgt_is_causal,
                           .need_weights = false};
  const AttentionMasks across{.key_padding_mask = masks.memory_key_padding_mask,
                              .attn_mask = masks.memory_mask,
                              .is_causal = masks.memory_is_causal,
                              .need_weights = false};
  const Tensor input = input_of_layer("TransformerDecoderLayer", x, *this);
  const Tensor m = memory_of_layer(memory, input, *this, line_of(x));
  check_masks_of(self_attn, input, input, own, {"tgt_mask", "tgt_key_padding_mask"}, line_of(x));
  check_masks_of(multihead_attn, input, m, across, {"memory_mask", "memory_key_padding_mask"}, line_of(x));
  Tensor y = residual(*this, norm1, input, [&](const Tensor& t) { return self_attn(t, t, t, own).output; });
  y = residual(*this, norm2, y, [&](const Tensor& t) { return multihead_attn(t, m, m, across).output; });
  return residual(*this, norm3, y, [&](const Tensor& t) { return feed_forward(*this, t); });
}

TransformerEncoder::TransformerEncoder(const TransformerEncoderLayer& layer, Extent num_layers,
                                       std::optional<LayerNorm> last, Source source)
    : norm(std::move(last)) {
  check_stack("TransformerEncoder", num_layers, source);
  try {
    layers.assign(static_cast<std::size_t>(num_layers.value), layer);
  } catch (const std::exception&) {  // bad_alloc, length_error
    fail_no_memory(source, "TransformerEncoder");
  }
}

Tensor TransformerEncoder::operator()(In x) const { return (*this)(x, {}); }
Tensor TransformerEncoder::operator()(In x, const TransformerEncoderMasks& masks) const {
  require_layers("TransformerEncoder", !layers.empty(), x);
  const Source source = line_of(x);
  Tensor y = x;
  for (const TransformerEncoderLayer& layer : layers) y = layer(In(y, source), masks);
  return norm ? (*norm)(In(y, source)) : y;
}

TransformerDecoder::TransformerDecoder(const TransformerDecoderLayer& layer, Extent num_layers,
                                       std::optional<LayerNorm> last, Source source)
    : norm(std::move(last)) {
  check_stack("TransformerDecoder", num_layers, source);
  try {
    layers.assign(static_cast<std::size_t>(num_layers.value), layer);
  } catch (const std::exception&) {  // bad_alloc, length_error
    fail_no_memory(source, "TransformerDecoder");
  }
}

Tensor TransformerDecoder::operator()(In x, In memory, const TransformerDecoderMasks& masks) const {
  require_layers("TransformerDecoder", !layers.empty(), x);
  const Source source = line_of(x);
  Tensor y = x;
  for (const TransformerDecoderLayer& layer : layers) y = layer(In(y, source), memory, masks);
  return norm ? (*norm)(In(y, source)) : y;
}

Transformer::Transformer(TransformerOptions o, Source source) {
  const TransformerLayerOptions each{o.dim_feedforward, o.dropout,    o.activation, o.layer_norm_eps,
                                     o.batch_first,     o.norm_first, o.bias,       o.dtype};
  const LayerNorm norm({o.d_model}, {.eps = o.layer_norm_eps, .bias = o.bias, .dtype = o.dtype}, source);
  encoder =
      TransformerEncoder(TransformerEncoderLayer(o.d_model, o.nhead, each, source), o.num_encoder_layers, norm, source);
  decoder =
      TransformerDecoder(TransformerDecoderLayer(o.d_model, o.nhead, each, source), o.num_decoder_layers, norm, source);
  const Located at(source, "Transformer");
  const LayerStream first;
  initialise(*this, [&](const std::string&, Parameter& p) {
    if (p.dim() > 1) init::xavier_uniform(p, 1, source);
  });
}

Tensor Transformer::operator()(In src, In tgt, const TransformerMasks& masks) const {
  const Tensor memory = encoder(src, {masks.src_mask, masks.src_key_padding_mask, masks.src_is_causal});
  return decoder(In(Tensor(tgt), line_of(src)), memory,
                 {masks.tgt_mask, masks.memory_mask, masks.tgt_key_padding_mask, masks.memory_key_padding_mask,
                  masks.tgt_is_causal, masks.memory_is_causal});
}

}  // namespace xgrad::nn
