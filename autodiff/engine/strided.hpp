// Reading numbers that do not lie row-major: broadcasts, transposes, slices.
#pragma once

#include "autodiff/engine/node.hpp"
#include "autodiff/kernels/kernels.hpp"

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

// The elements of an evaluated tensor, row-major and in some dtype, read block by block: where they lie, or from a copy of
// the block. So what is read once needs no memory for all of it.
class Elements {
 public:
  static constexpr Size block = kernels::chunk;      // elements read at a time, at most
  using Scratch = char[2 * block * sizeof(double)];  // of the caller, 64-byte aligned
  Elements(Node* x, DType as);
  // Elements start ... start + n.
  const char* at(Size start, Size n, char* scratch) const {
    return in_place_ ? base_ + start * item_ : copied(start, n, scratch);
  }
  bool in_place() const { return in_place_; }

 private:
  const char* copied(Size start, Size n, char* scratch) const;
  const char* base_;
  Layout layout_;  // none where they are row-major
  Size item_;
  kernels::Kernel cast_ = nullptr;
  bool in_place_;
};

// All of x, broadcast to a shape, row-major; on all threads where it is large.
void copy_broadcast(char* out, Node* x, const Shape& to);

// x evaluated, row-major and dense: x itself where it is so.
Tensor dense(Node* x);

// Its matrices transposed, row-major and dense: a copy.
Tensor dense_transposed(Node* x);

}  // namespace xgrad::engine
