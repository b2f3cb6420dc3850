// What constructors of layers check, and what they draw. Private to nn/.
#pragma once

#include <initializer_list>

#include <xgrad/nn/fields.hpp>

namespace xgrad::nn {

void require_sizes(const char* layer, const char* what, std::initializer_list<Size> sizes,
                   Source source);  // each at least 1
void require_float(const char* layer, DType dtype, Source source);
void require_eps(const char* layer, double eps, DType dtype,
                 Source source);  // 0 or more, and 0 in the dtype only if it is
void require_positive(const char* layer, const char* what, double number, Source source);  // and finite

// A parameter that is uniform in +-bound. The layer's stream (LayerStream) is the caller's.
Parameter drawn(const Shape& shape, DType dtype, double bound, Source source);

// x, whose floats are cast to the dtype of the first of `held` that is not empty; without one, floats as they are.
Tensor floats_of(const char* layer, const In& x, std::initializer_list<const Tensor*> held);

// [channels] so that it broadcasts along axis 1 of a tensor of that rank.
Tensor along_channels(const Tensor& t, int rank);

}  // namespace xgrad::nn
