#include <xgrad/nn/layers/attention.hpp>

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "autodiff/attention.hpp"
#include <xgrad/nn/init.hpp>
#include <xgrad/nn/layers/activations.hpp>
#include "nn/layers/attention_masks.hpp"
#include "nn/layers/made.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {

namespace {

// What of the scores is left out, and what is added to them. Shapes broadcast to [..., queries, keys].
struct Mask {
  Tensor allowed;  // boolean; empty: all
  Tensor added;    // floats; empty: none

  void allow(const Tensor& more) { allowed = allowed.defined() ? logical_and(allowed, more) : more; }
  // Floats of -infinity leave out, so that no infinity meets another.
  void take(const Tensor& mask, bool true_allows, DType dtype) {
    if (mask.dtype() == boolean) return allow(true_allows ? mask : logical_not(mask));
    const Tensor m = mask.dtype() == dtype ? mask : cast(mask, dtype);
    allow(m > -std::numeric_limits<double>::infinity());
    added = added.defined() ? added + m : m;
  }
  void take_causal(Size queries, Size keys) {
    allow(reshape(arange(keys), {1, keys}) <= reshape(arange(queries), {queries, 1}));
  }
};

// softmax over the keys of what is allowed; rows that allow nothing are 0.
Tensor weights_of(const Tensor& scores, const Mask& mask) {
  Tensor s = mask.added.defined() ? scores + mask.added : scores;
  if (!mask.allowed.defined()) return softmax(s, -1);
  // What is hidden is finite, so that a row of nothing else has a softmax too; in the end it is 0.
  const double lowest = s.dtype() == f32 ? std::numeric_limits<float>::lowest() : std::numeric_limits<double>::lowest();
  return where(mask.allowed, softmax(where(mask.allowed, s, lowest), -1), 0.0);
}

void check_mask(const char* what, const Tensor& mask, Source source) {
  if (mask.dtype() == i64) fail(source, "expected the {} as boolean or floats, got i64; compare it: mask != 0", what);
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.rank() > to.rank()) return false;
  for (int i = 1; i <= from.rank(); ++i)
    if (from[from.rank() - i] != 1 && from[from.rank() - i] != to[to.rank() - i]) return false;
  return true;
}

}  // namespace

Tensor scaled_dot_product_attention(In query, In key, In value, const ScaledDotProductOptions& options) {
  const char* const op = "scaled_dot_product_attention";
  const Source source = line_of(query).named(op);
  const Tensor q = query, k = key, v = value;
  if (!q.defined() || !k.defined() || !v.defined()) fail(source, "expected three tensors, got an empty one");
  const Shape &sq = q.shape(), &sk = k.shape(), &sv = v.shape();
  if (sq.rank() < 2 || sk.rank() < 2 || sv.rank() < 2 || sq.back() != sk.back() ||
      sk[sk.rank() - 2] != sv[sv.rank() - 2])
    fail(source,
         "expected a query [..., queries, width], a key [..., keys, width] and a value [..., keys, "
         "any], got {}, {} and {}",
         sq, sk, sv);
  if (!is_float(q.dtype()) || !is_float(k.dtype()) || !is_float(v.dtype()))
    fail(source, "expected floats, got {}, {} and {}; cast them first: cast(x, f32)", name(q.dtype()), name(k.dtype()),
         name(v.dtype()));
  if (!(options.dropout_p >= 0 && options.dropout_p <= 1))
    fail(source, "expected a dropout_p in [0, 1], got {}", options.dropout_p);
  const Located at(query, op);
  const double scale = options.scale ? *options.scale : 1 / std::sqrt(static_cast<double>(sq.back()));
  check_option(q.dtype(), op, "scale", scale, source);
  if (!options.attn_mask.defined() && options.dropout_p == 0 && takes_attention(q, k, v))
    return attention(q, k, v, scale, options.is_causal, source);
  const Tensor scores = matmul(q * scale, transpose(k));
  Mask mask;
  if (options.attn_mask.defined()) {
    check_mask("attn_mask", options.attn_mask, source);
    if (!broadcasts_to(options.attn_mask.shape(), scores.shape()))
      fail(source, "expected an attn_mask that broadcasts to the scores' shape {}, got {}", scores.shape(),
           options.attn_mask.shape());
    mask.take(options.attn_mask, true, scores.dtype());
  }
  if (options.is_causal) mask.take_causal(sq[sq.rank() - 2], sk[sk.rank() - 2]);
  const Tensor weights = weights_of(scores, mask);
  return matmul(options.dropout_p > 0 ? nn::dropout(weights, options.dropout_p) : weights, v);
}

Tensor generate_square_subsequent_mask(At n, DType dtype) {
  if (n.index < 0)
    fail(n.source.named("generate_square_subsequent_mask"), "expected an extent of 0 or more, got {}", n.index);
  const Located at(n.source, "generate_square_subsequent_mask");
  const Tensor steps = arange(n.index);
  const Tensor seen = reshape(steps, {1, n.index}) <= reshape(steps, {n.index, 1});
  return where(seen, zeros({}, dtype), full({}, -std::numeric_limits<double>::infinity(), dtype));
}

MultiheadAttention::MultiheadAttention(Extent embed_dim, Extent heads, MultiheadAttentionOptions options, Source source)
    : num_heads(heads.value), dropout(options.dropout), batch_first(options.batch_first) {
  const Size width = embed_dim.value, kdim = options.kdim ? options.kdim : width,
             vdim = options.vdim ? options.vdim : width;
  if (width < 1 || heads.value < 1 || width % heads.value != 0 || kdim < 1 || vdim < 1)
    fail(source.named("MultiheadAttention"),
         "expected sizes of at least 1, and an embed_dim that num_heads divides, got "
         "{}, {}, kdim {} and vdim {}",
         width, heads.value, kdim, vdim);
  require_float("MultiheadAttention", options.dtype, source);
  if (!(dropout >= 0 && dropout <= 1))
    fail(source.named("MultiheadAttention"), "expected a dropout in [0, 1], got {}", dropout);
  const Located at(source, "MultiheadAttention");
  const LayerStream first;
  // Glorot & Bengio 2010: uniform in +-sqrt(6 / (in + out))
  const auto glorot = [&](Size out, Size in) {
    return drawn({out, in}, options.dtype, std::sqrt(6 / static_cast<double>(in + out)), source);
  };
  if (kdim == width && vdim == width) {
    in_proj_weight = glorot(3 * width, width);
  } else {
    q_proj_weight = glorot(width, width), k_proj_weight = glorot(width, kdim), v_proj_weight = glorot(width, vdim);
  }
  out_proj = Linear(width, width, {.bias = options.bias, .dtype = options.dtype}, source);
  if (!options.bias) return;
  in_proj_bias = Parameter(zeros({3 * width}, options.dtype), source);
  init::zeros(out_proj.bias, source);
}

namespace {

// The operands of one call, with a batch, its axes as the layer has them.
struct Operands {
  Tensor q, k, v;
  bool batched, one_source;  // are all three the same tensor?
  int time;                  // the axis of steps
  Size batch, queries, keys;
};

Operands operands_of(const MultiheadAttention& layer, const In& query, const In& key, const In& value) {
  const char* const name = "MultiheadAttention";
  const bool together = layer.in_proj_weight.defined();
  Operands o;
  o.q = input_of(name, query, together ? layer.in_proj_weight : layer.q_proj_weight);
  const auto also = [&](const In& x, const Parameter& weight) {
    return x.node() && x.node() == query.node() ? o.q : input_of(name, In(Tensor(x), line_of(query)), weight);
  };
  o.k = also(key, together ? layer.in_proj_weight : layer.k_proj_weight);
  o.v = also(value, together ? layer.in_proj_weight : layer.v_proj_weight);
  const Size width = layer.out_proj.weight.shape()[0];
  const Size kdim = together ? width : layer.k_proj_weight.shape()[1],
             vdim = together ? width : layer.v_proj_weight.shape()[1];
  const Shape sq = o.q.shape(), sk = o.k.shape(), sv = o.v.shape();
  const auto fits = [&] {
    const int rank = sq.rank(), steps = rank == 3 && !layer.batch_first ? 0 : rank - 2;
    if ((rank != 2 && rank != 3) || sk.rank() != rank || sv.rank() != rank) return false;
    if (sq.back() != width || sk.back() != kdim || sv.back() != vdim || sk[steps] != sv[steps]) return false;
    return rank == 2 || (sq[1 - steps] == sk[1 - steps] && sk[1 - steps] == sv[1 - steps]);
  };
  if (!fits())
    fail(line_of(query),
         "expected query, key and value {}, or without a batch, of the widths {}, {} and {}, got {}, {} and {}",
         layer.batch_first ? "[batch, time, width]" : "[time, batch, width]", width, kdim, vdim, sq, sk, sv);
  o.one_source = together && o.k.node() == o.q.node() && o.v.node() == o.q.node();
  o.batched = sq.rank() == 3;
  o.time = o.batched && !layer.batch_first ? 0 : 1;
  if (!o.batched)
    o.q = unsqueeze(o.q, 0), o.k = o.one_source ? o.q : unsqueeze(o.k, 0), o.v = o.one_source ? o.q : unsqueeze(o.v, 0);
  o.batch = o.q.shape()[1 - o.time], o.queries = o.q.shape()[o.time], o.keys = o.k.shape()[o.time];
  return o;
}

// [.., .., heads, width of a head] as [batch, heads, time, width of a head], a view.
Tensor by_heads(const Tensor& x, int time) { return time == 1 ? permute(x, {0, 2, 1, 3}) : permute(x, {1, 2, 0, 3}); }

// Query, key and value, projected, each [batch, heads, time, width of a head]; scale = 1 / sqrt(width of a head).
struct Projected {
  Tensor q, k, v;
  double scale;
};
Projected project(const MultiheadAttention& layer, const Operands& o) {
  const Size width = layer.out_proj.weight.shape()[0], heads = layer.num_heads, each = width / heads;
  const double scale = 1 / std::sqrt(static_cast<double>(each));
  if (o.one_source) {  // one product for all three, which then only views see
    const Tensor all = linear(o.q, layer.in_proj_weight, layer.in_proj_bias);
    const Tensor apart = reshape(all, {all.shape()[0], all.shape()[1], 3, heads, each});
    return {by_heads(select(apart, 2, 0), o.time), by_heads(select(apart, 2, 1), o.time),
            by_heads(select(apart, 2, 2), o.time), scale};
  }
  const auto one = [&](const Tensor& x, const Parameter& own, Size i) {
    const Tensor weight = own.defined() ? own.value() : slice(layer.in_proj_weight, 0, i * width, (i + 1) * width);
    const Tensor bias =
        layer.in_proj_bias.defined() ? slice(layer.in_proj_bias, 0, i * width, (i + 1) * width) : Tensor();
    return reshape(linear(x, weight, bias), {x.shape()[0], x.shape()[1], heads, each});
  };
  return {by_heads(one(o.q, layer.q_proj_weight, 0), o.time), by_heads(one(o.k, layer.k_proj_weight, 1), o.time),
          by_heads(one(o.v, layer.v_proj_weight, 2), o.time), scale};
}

Mask mask_of(const MultiheadAttention& layer, const Operands& o, const AttentionMasks& masks) {
  Mask mask;
  if (const Tensor& m = masks.attn_mask; m.defined())
    mask.take(m.dim() == 2 ? m : reshape(m, {o.batch, layer.num_heads, o.queries, o.keys}), false, o.q.dtype());
  if (const Tensor& m = masks.key_padding_mask; m.defined())
    mask.take(reshape(m, {o.batch, 1, 1, o.keys}), false, o.q.dtype());
  if (masks.is_causal) mask.take_causal(o.queries, o.keys);
  return mask;
}

}  // namespace

void check_masks(const AttentionMasks& masks, const MaskNames& names, const Attended& of, Source source) {
  if (const Tensor& m = masks.attn_mask; m.defined()) {
    check_mask(names.attn_mask, m, source);
    const Shape all{of.queries, of.keys}, each{of.batch * of.heads, of.queries, of.keys};
    if (m.shape() != all && m.shape() != each)
      fail(source, "expected the {} of the shape {} or {}, got {}", names.attn_mask, all, each, m.shape());
  }
  if (const Tensor& m = masks.key_padding_mask; m.defined()) {
    check_mask(names.key_padding_mask, m, source);
    const Shape wanted = of.batched ? Shape{of.batch, of.keys} : Shape{of.keys};
    if (m.shape() != wanted)
      fail(source, "expected the {} of the shape {}, got {}", names.key_padding_mask, wanted, m.shape());
  }
}

MultiheadAttention::Output MultiheadAttention::operator()(In query, In key, In value,
                                                          const AttentionMasks& masks) const {
  const Located at(query, "MultiheadAttention");
  const Operands o = operands_of(*this, query, key, value);
  check_masks(masks, {}, {o.batched, o.batch, num_heads, o.queries, o.keys}, line_of(query));
  const Projected p = project(*this, o);
  const Size width = out_proj.weight.shape()[0];
  const bool drops = training && dropout > 0,
             plain = !masks.attn_mask.defined() && !masks.key_padding_mask.defined() && !drops;
  Tensor weights, mixed;  // the latter: [batch, heads, queries, width of a head]
  if (plain && !masks.need_weights && takes_attention(p.q, p.k, p.v)) {
    mixed = attention(p.q, p.k, p.v, p.scale, masks.is_causal, line_of(query));
  } else {
    weights = weights_of(matmul(p.q * p.scale, transpose(p.k)), mask_of(*this, o, masks));
    if (drops) weights = nn::dropout(weights, dropout);
    mixed = matmul(weights, p.v);
  }
  const Tensor together = o.time == 1 ? permute(mixed, {0, 2, 1, 3}) : permute(mixed, {2, 0, 1, 3});
  const Shape flat = o.time == 1 ? Shape{o.batch, o.queries, width} : Shape{o.queries, o.batch, width};
  Output y{out_proj(reshape(together, flat)), {}};
  if (masks.need_weights) y.weights = masks.average_attn_weights ? mean(weights, 1) : weights;
  if (!o.batched) y.output = squeeze(y.output, 0);
  if (!o.batched && masks.need_weights) y.weights = squeeze(y.weights, 0);
  noted(in_proj_weight.defined() ? in_proj_weight : q_proj_weight, y.output);
  return y;
}

}  // namespace xgrad::nn
