// Reading numbers that do not lie row-major: broadcasts, transposes, slices.
#pragma once

#include "autodiff/engine/node.hpp"

namespace xgrad::engine {

// Where the elements of a shape lie, in elements from a base; neighbouring axes that run on are merged.
struct Layout {
  Shape extents, strides;
  bool dense() const { return extents.empty() || (extents.rank() == 1 && strides[0] == 1); }
  bool constant() const { return extents.empty() || (extents.rank() == 1 && strides[0] == 0); }
};

Layout layout_of(const Shape& shape, const Shape& strides);
Layout broadcast_layout(Node* x, const Shape& to);  // x, evaluated, as an operand of that shape

// out[i] = element start + i, row-major, for i < n.
void gather_elements(char* out, const char* base, const Layout& layout, Size item, Size start, Size n);

// All of x, broadcast to a shape, row-major; on all threads where it is large.
void copy_broadcast(char* out, Node* x, const Shape& to);

// x evaluated, row-major and dense: x itself where it is so.
Tensor dense(Node* x);

// Its matrices transposed, row-major and dense: a copy.
Tensor dense_transposed(Node* x);

}  // namespace xgrad::engine
