// What the files of ops share: recording, and the letters of a rule.
#pragma once

#include "autodiff/engine/batch.hpp"
#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/dtypes.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/primitives.hpp"
#include "autodiff/engine/record.hpp"
#include "autodiff/engine/strided.hpp"
#include <xgrad/autodiff/ops.hpp>

namespace xgrad::engine {

// Slices of a walk along one axis: numbers before it, along it, after it.
struct Axis {
  Size outer, length, inner;
};
inline Axis axis_of(const Shape& shape, int axis) {
  Axis a{1, shape[axis], 1};
  for (int i = 0; i < axis; ++i) a.outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) a.inner *= shape[i];
  return a;
}

// Tells n's op more than four numbers.
inline void tell(Node* n, const Told* told) {
  Extra& extra = extra_of(n);  // first: there may be no memory for it
  retain(told);
  extra.told = Ref<const Told>(told);
}

// f(T{}) for the C++ type of a dtype.
template <class F>
void with_type(DType dtype, const F& f) {
  switch (dtype) {
    case DType::f32: return f(float{});
    case DType::f64: return f(double{});
    case DType::i64: return f(Size{});
    default: return f(std::uint8_t{});
  }
}

bool swaps_last_axes(Node* permute);

// x with the axes that are reduced beside each other: first ... last - 1, and `count` numbers.
struct Together {
  Tensor x;
  int first, last;
  Size count;
  Shape kept, dropped;                 // the result's shape, with extents of 1 there, and without
  Tensor as_one(Source source) const;  // x with axis `first` for all of them
  Tensor shaped(const Tensor& y, bool keepdim, Source source) const;
};
Together together(const Tensor& x, const Axes& axes, const char* op, Source source);

Tensor norm_over(const Tensor& x, int first, int last, bool keepdim, Source source);  // sqrt(sum x^2), of floats
// An Error where an index is out of range; those of an example are looked at when they have numbers.
void require_index(const Tensor& index, Size extent, const char* op, Source source);
// gather by indices that an op made, which name one place `most` times in a line at most.
Tensor gathered(const Tensor& x, const Tensor& index, int axis, Size most, Source source);

// The operand, of which booleans are counted.
inline Tensor summable(const In& x, const char* op) {
  const Tensor t = operand(x, op);
  return t.node()->dtype == DType::boolean ? converted(t, DType::i64) : t;
}

}  // namespace xgrad::engine
