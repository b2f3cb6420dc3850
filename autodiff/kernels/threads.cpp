#include "autodiff/kernels/threads.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>

#include "autodiff/threads.hpp"

namespace xgrad {

namespace {
std::atomic<int> chosen{0};  // 0: not yet
}

int threads() {
  int n = chosen.load(std::memory_order_relaxed);
  if (n == 0) {
    n = std::max(1, omp_get_max_threads());
    chosen.store(n, std::memory_order_relaxed);
  }
  return n;
}

void set_threads(int n, Source source) {
  if (n < 1 || n > 4096) fail(source, fmt::format("[set_threads] expected 1 ... 4096 threads, got {}", n));
  chosen.store(n, std::memory_order_relaxed);
}

namespace kernels {

void parallel(Size jobs, void (*run)(Size job, void* context), void* context) {
#ifdef XGRAD_TSAN  // which does not know libgomp
  for (Size job = 0; job < jobs; ++job) run(job, context);
#else
  const int n = static_cast<int>(std::min<Size>(threads(), jobs));
  if (n <= 1 || omp_in_parallel()) {
    for (Size job = 0; job < jobs; ++job) run(job, context);
    return;
  }
  std::exception_ptr error;  // one must not leave a parallel region
#pragma omp parallel for schedule(dynamic, 1) num_threads(n)
  for (Size job = 0; job < jobs; ++job) {
    try {
      run(job, context);
    } catch (...) {
#pragma omp critical
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
#endif
}

}  // namespace kernels

}  // namespace xgrad
