#include "autodiff/engine/node.hpp"

#include <fmt/format.h>

#include <limits>

namespace xgrad::engine {

Size checked_numel(const Shape& shape, DType dtype, const char* op, Source source) {
  const Size most = std::numeric_limits<Size>::max() / 16 / item_size(dtype);
  bool empty = false;
  Size n = 1;
  for (Size e : shape) {
    if (e < 0) fail(source.named(op), "extents must not be negative, got {}", shape);
    empty |= e == 0;
    // an extent of 0 excuses no others: a product of some of them must have a value too
    if (e > 0 && (__builtin_mul_overflow(n, e, &n) || n > most))
      fail(source.named(op), "the shape {} has more elements than memory can hold", shape);
  }
  return empty ? 0 : n;
}

Shape row_major_strides(const Shape& shape) {
  Shape strides;
  strides.resize(shape.rank());
  Size step = 1;
  for (int i = shape.rank(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

Shape strides_of(const Node* n) {
  if (n->has(uniform)) {
    Shape zeros;
    zeros.resize(n->shape.rank());
    return zeros;
  }
  return n->has(strided) ? n->strides() : row_major_strides(n->shape);
}

double read_number(DType dtype, const void* at) {
  switch (dtype) {
    case DType::f32: return *static_cast<const float*>(at);
    case DType::f64: return *static_cast<const double*>(at);
    case DType::i64: return static_cast<double>(*static_cast<const Size*>(at));
    default: return *static_cast<const unsigned char*>(at) != 0;
  }
}

void write_number(DType dtype, void* at, double value) {
  switch (dtype) {
    case DType::f32: *static_cast<float*>(at) = static_cast<float>(value); break;
    case DType::f64: *static_cast<double*>(at) = value; break;
    case DType::i64: *static_cast<Size*>(at) = static_cast<Size>(value); break;
    default: *static_cast<unsigned char*>(at) = value != 0; break;
  }
}

}  // namespace xgrad::engine
