// xgrad's automatic differentiation: tensors, parameters, ops, derivatives.
#pragma once

#include "autodiff/differentiate.hpp"
#include "autodiff/dtype.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/parameter.hpp"
#include "autodiff/scope.hpp"
#include "autodiff/shape.hpp"
#include "autodiff/tensor.hpp"
#include "autodiff/threads.hpp"
