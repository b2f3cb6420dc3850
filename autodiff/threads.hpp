// How many threads the kernels use.
// Bodies: kernels/threads.cpp.
#pragma once

#include <xgrad/autodiff/error.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// At first: OMP_NUM_THREADS, or the processors that this process may use (affinity and quotas of control groups count).
int threads();
// n >= 1. Results have the same bits for any number.
void set_threads(int n, Source source = Source::here());

}  // namespace xgrad

#pragma GCC visibility pop
