// What torch.nn.functional has, and is an op here: by the name nn:: as well.
#pragma once

#include <xgrad/autodiff/convolution.hpp>
#include <xgrad/autodiff/ops.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

using xgrad::avg_pool1d;
using xgrad::avg_pool2d;
using xgrad::avg_pool3d;
using xgrad::conv1d;
using xgrad::conv2d;
using xgrad::conv3d;
using xgrad::conv_transpose1d;
using xgrad::conv_transpose2d;
using xgrad::conv_transpose3d;
using xgrad::linear;
using xgrad::log_softmax;
using xgrad::max_pool1d;
using xgrad::max_pool2d;
using xgrad::max_pool3d;
using xgrad::one_hot;
using xgrad::relu;
using xgrad::sigmoid;
using xgrad::softmax;
using xgrad::softplus;
using xgrad::tanh;

}  // namespace xgrad::nn

#pragma GCC visibility pop
