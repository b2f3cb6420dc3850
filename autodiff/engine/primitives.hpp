// The views and sums that the engine itself is made with. Bodies: ops/views.cpp, ops/slices.cpp, ops/reductions.cpp.
#pragma once

#include <xgrad/autodiff/tensor.hpp>

namespace xgrad::engine {

// Checked by who calls them.
Tensor slice_at(const Tensor& x, int axis, Size begin, Size step, Size extent, Source source);
// y = zeros to which each part is added where its slice was, in order. `places`: axis, begin and step of each.
inline constexpr int slice_numbers = 3;
Tensor slice_add(const Tensors& parts, const Size* places, const Shape& shape, Source source);
Tensor pad_at(const Tensor& x, int axis, Size begin, Size step, Size extent, Source source);
Tensor reshape_to(const Tensor& x, const Shape& shape, Source source);
Tensor expand_to(const Tensor& x, const Shape& shape, Source source);
Tensor sum_over(const Tensor& x, int first, int last, bool keepdim, Source source);

// g summed over the axes along which `shape` was broadcast.
Tensor sum_to(const Tensor& g, const Shape& shape, Source source);

}  // namespace xgrad::engine
