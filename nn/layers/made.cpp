#include "nn/layers/made.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/nn/init.hpp>

namespace xgrad::nn {

void require_sizes(const char* layer, const char* what, std::initializer_list<Size> sizes, Source source) {
  for (const Size size : sizes)
    if (size < 1)
      fail(source.named(layer), "expected {} of at least 1, got {}", what,
           fmt::format("{}", fmt::join(sizes, " and ")));
}

void require_float(const char* layer, DType dtype, Source source) {
  if (!is_float(dtype)) fail(source.named(layer), "expected the dtype f32 or f64, got {}", name(dtype));
}

void require_eps(const char* layer, double eps, DType dtype, Source source) {
  if (!(eps >= 0 && std::isfinite(eps)))
    fail(source.named(layer), "expected an eps of 0 or more, and finite, got {}", eps);
  if (eps > 0) check_option(dtype, layer, "eps", eps, source);
}

void require_positive(const char* layer, const char* what, double number, Source source) {
  if (!(number > 0 && std::isfinite(number)))
    fail(source.named(layer), "expected {} above 0, and finite, got {}", what, number);
}

Parameter drawn(const Shape& shape, DType dtype, double bound, Source source) {
  return Parameter(init::uniform_tensor(shape, dtype, -bound, bound, source), source);
}

Tensor floats_of(const char* layer, const In& x, std::initializer_list<const Tensor*> held) {
  for (const Tensor* t : held)
    if (t->defined()) return input_of(layer, x, *t);
  const Tensor input = x;
  if (!input.defined()) fail(line_of(x).named(layer), "expected numbers, got an empty tensor; give it a value first");
  if (!is_float(input.dtype()))
    fail(line_of(x).named(layer), "expected floats, got {}; cast them first: cast(x, f32)", name(input.dtype()));
  return input;
}

Tensor along_channels(const Tensor& t, int rank) {
  Shape shape{t.shape()[0]};
  for (int i = 2; i < rank; ++i) shape.push_back(1);
  return reshape(t, shape);
}

}  // namespace xgrad::nn
