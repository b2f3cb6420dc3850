// How many threads the kernels use.
#pragma once

namespace xgrad {

int threads();            // at first: OMP_NUM_THREADS, or the machine's cores
void set_threads(int n);  // n >= 1. Results have the same bits for any number

}  // namespace xgrad
