// xgrad's automatic differentiation: tensors, parameters, ops, derivatives.
#pragma once

#include <xgrad/autodiff/checkpoint.hpp>
#include <xgrad/autodiff/convolution.hpp>
#include <xgrad/autodiff/custom.hpp>
#include <xgrad/autodiff/differentiate.hpp>
#include <xgrad/autodiff/dtype.hpp>
#include <xgrad/autodiff/error.hpp>
#include <xgrad/autodiff/gradcheck.hpp>
#include <xgrad/autodiff/numbers.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/parameter.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/autodiff/shape.hpp>
#include <xgrad/autodiff/tape.hpp>
#include <xgrad/autodiff/tensor.hpp>
#include <xgrad/autodiff/threads.hpp>
#include <xgrad/autodiff/vmap.hpp>
