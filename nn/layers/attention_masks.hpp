// Whether masks of attention fit, by the names that their layer has for them. Private to nn/layers/.
#pragma once

#include <xgrad/nn/layers/attention.hpp>

namespace xgrad::nn {

struct MaskNames {
  const char *attn_mask = "attn_mask", *key_padding_mask = "key_padding_mask";
};
struct Attended {
  bool batched;
  Size batch, heads, queries, keys;
};
void check_masks(const AttentionMasks& masks, const MaskNames& names, const Attended& of, Source source);

}  // namespace xgrad::nn
