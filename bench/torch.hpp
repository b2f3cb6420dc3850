// What the files of libtorch's side share.
#pragma once

#include <ATen/ATen.h>

#include "bench/worker.hpp"

namespace bench {

at::Tensor tensor(const std::vector<float>& numbers, at::IntArrayRef shape);

}  // namespace bench
