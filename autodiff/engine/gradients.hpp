// Gradients of what has been recorded, as grad() and the transforms ask for them.
#pragma once

#include <xgrad/autodiff/differentiate.hpp>

namespace xgrad::engine {

enum class Unused { fails, fails_if_lost, zeros };  // where y does not depend on an x

// g^T dy/dx for each x; cotangent empty: y is one number.
Tensors gradients(const In& y, const Wrt& x, const Tensor& cotangent, bool create_graph, Unused unused);

// A derivative that is not to be differentiated: without history.
Tensor value_of(const Tensor& g);

// dy/dx for each x, of y's shape and then x's: rows by cotangents, or columns by tangents, whichever are fewer.
Tensors jacobians(const Tensor& y, const Wrt& x, bool create_graph, Unused unused, const char* op, Source source);

}  // namespace xgrad::engine
