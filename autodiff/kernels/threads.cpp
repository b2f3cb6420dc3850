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

int workers([[maybe_unused]] Size jobs) {
#ifdef XGRAD_TSAN  // which does not know libgomp
  return 1;
#else
  return omp_in_parallel() ? 1 : static_cast<int>(std::clamp<Size>(jobs, 1, threads()));
#endif
}

void parallel(Size jobs, void (*run)(Size job, int worker, void* context), void* context) {
  const int n = workers(jobs);
  if (n == 1) {
    for (Size job = 0; job < jobs; ++job) run(job, 0, context);
    return;
  }
  std::exception_ptr error;  // one must not leave a parallel region
#pragma omp parallel for schedule(dynamic, 1) num_threads(n)
  for (Size job = 0; job < jobs; ++job) {
    try {
      run(job, omp_get_thread_num(), context);
    } catch (...) {
#pragma omp critical
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace kernels

}  // namespace xgrad
