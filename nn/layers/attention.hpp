// Attention: each query takes a mean of values, weighted by how well their keys fit.
#pragma once

#include <optional>

#include <xgrad/nn/fields.hpp>
#include <xgrad/nn/layers/linear.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct ScaledDotProductOptions {
  Tensor attn_mask =
      {};                // broadcasts to [..., queries, keys]. Boolean: true takes part; floats are added to the scores
  double dropout_p = 0;  // of the weights
  bool is_causal = false;            // query i sees keys 0 ... i; goes together with a mask
  std::optional<double> scale = {};  // none: 1 / sqrt(width)
};

// Vaswani et al. 2017:  softmax(Q K^T scale + mask) V. query [..., queries, width], key [..., keys, width], value
// [..., keys, width of values]; leading axes broadcast. The result: [..., queries, width of values], in the floats' common dtype.
// A query that may see no key at all (a row of the mask that is all false, or all -infinity) gets 0, and gradients of 0; a score
// is left out altogether where the mask is -infinity, as where it is false.
Tensor scaled_dot_product_attention(In query, In key, In value, const ScaledDotProductOptions& options = {});

// [n, n], 0 on and below the diagonal, else -infinity: what is added to the scores so that no step sees those after it.
Tensor generate_square_subsequent_mask(At n, DType dtype = default_dtype());

struct MultiheadAttentionOptions {
  double dropout = 0;  // of the weights, while training
  bool bias = true;
  Size kdim = 0, vdim = 0;  // the widths of keys and values; 0: embed_dim
  bool batch_first = false;
  DType dtype = default_dtype();
};

// Beware of PyTorch's convention: in the boolean masks of these layers true keeps a key OUT. Floats are added to the scores.
struct AttentionMasks {
  Tensor key_padding_mask = {};  // [batch, keys], or [keys] without a batch
  Tensor attn_mask = {};         // [queries, keys], or [batch heads, queries, keys]
  bool is_causal = false;        // query i sees keys 0 ... i, too
  bool average_attn_weights = true;
  bool need_weights = true;  // false: the result has none, and where nothing but is_causal masks no scores are kept
};

// Several attentions side by side, each of embed_dim / num_heads numbers of the projected query, key and value, and a projection
// of what they give. [time, batch, embed_dim], or [batch, time, embed_dim] with batch_first, or [time, embed_dim] without a
// batch. `weights` are [batch, queries, keys], the heads' mean, or [batch, heads, queries, keys]; who does not need them says so
// (need_weights). Queries that may see no key get weights of 0, and so the bias of the last projection. Starts as PyTorch's: Glorot
// uniform, the output's projection as Linear's; biases 0.
struct MultiheadAttention {
  Parameter in_proj_weight;  // [3 embed_dim, embed_dim]: of query, key and value; or, of other widths,
  Parameter q_proj_weight, k_proj_weight,
      v_proj_weight;       // [embed_dim, embed_dim], [embed_dim, kdim], [embed_dim, vdim]
  Parameter in_proj_bias;  // [3 embed_dim]
  Linear out_proj;
  Size num_heads = 0;
  double dropout = 0;
  bool batch_first = false, training = true;
  struct Output {
    Tensor output, weights;
  };

  MultiheadAttention() = default;  // empty, until one with sizes is assigned
  MultiheadAttention(Extent embed_dim, Extent num_heads, MultiheadAttentionOptions options = {},
                     Source source = Source::here());
  Output operator()(In query, In key, In value, const AttentionMasks& masks = {}) const;

  XGRAD_FIELDS(in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, out_proj)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
