// The one thread pool (OpenMP) that all kernels share.
#pragma once

#include "autodiff/dtype.hpp"

namespace xgrad::kernels {

// Calls run(job, context) for job = 0 ... jobs - 1, on at most threads() threads; the calling thread takes part. Which
// thread runs a job is not fixed, so a job must not depend on it. Inside another parallel call it runs in place.
void parallel(Size jobs, void (*run)(Size job, void* context), void* context);

template <class F>
void parallel(Size jobs, const F& run) {
  parallel(jobs, [](Size job, void* f) { (*static_cast<const F*>(f))(job); }, const_cast<F*>(&run));
}

}  // namespace xgrad::kernels
