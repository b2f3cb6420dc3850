// Attention as one op, for the libraries beside autodiff. Private to them; bodies: ops/attention.cpp.
#pragma once

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// softmax(scale Q K^T) V of each of many matrices; causal: query i sees keys 0 ... i alone. What it makes on the way, [queries,
// keys] numbers a matrix, is neither kept nor written to memory, and made again for the gradient. Has derivatives of any order.
// Takes floats of one dtype, query [..., queries, width], key and value [..., keys, width], of the same leading axes, none of
// them empty.
Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, double scale, bool causal, Source source);

// May they be operands of it, and is it worth it? Not where they are so small that ops are the faster.
bool takes_attention(const Tensor& query, const Tensor& key, const Tensor& value);

}  // namespace xgrad

#pragma GCC visibility pop
