// The matrices of operands, as the kernels of products read and write them. Bodies: matmul.cpp.
#pragma once

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

// The matrices of an operand as the kernel reads them: row-major, or transposed.
struct Matrices {
  Tensor
      copy;  // of the operand, where it lies otherwise: a model that threads share is not counted once more for nothing
  const char* data;
  bool transposed;
  Size lead;      // numbers from row to row
  Shape strides;  // of the leading axes; of one matrix: none
};
Matrices matrices(Node* x, bool transposed, bool by_columns);

// The axes of y, those of the longest strides first; none: y is row-major, or its last axis does not lie innermost.
Shape order_of(const Node* y);
// The strides of z, if its axes are to lie in that order; none: row-major.
Shape strides_in(const Node* z, const Shape& order);
// The strides of many matrices z, if their axes are to lie in the order of y's; none: row-major. Where y is a permuted view (the
// heads of attention), undoing the permutation then gives a dense tensor, of z and of cotangents made by products with y.
Shape strides_like(const Node* z, const Node* y);

// What lies at those strides, from now on.
void lies_at(Node* n, Shape&& strides);

}  // namespace xgrad::engine
