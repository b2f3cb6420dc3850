// How many threads the kernels use.
#pragma once

#include <xgrad/autodiff/error.hpp>

namespace xgrad {

int threads();            // at first: OMP_NUM_THREADS, or the machine's cores
// n >= 1. Results have the same bits for any number.
void set_threads(int n, Source source = Source::here());

}  // namespace xgrad
