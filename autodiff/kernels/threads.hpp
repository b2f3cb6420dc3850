// The one thread pool that all kernels share.
#pragma once

#include <algorithm>

#include <type_traits>

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::kernels {

// Calls run(job, worker, context) for job = 0 ... jobs - 1, on at most workers(jobs) threads; the calling thread takes
// part. Which worker (0 ... workers(jobs) - 1) runs a job is not fixed, so results must not depend on it: it is for
// scratch memory, which the caller takes for all of them. Inside another parallel call all jobs run in place.
void parallel(Size jobs, void (*run)(Size job, int worker, void* context), void* context);
int workers(Size jobs);

// Around a fork(): nobody is inside a pass, or inside a call of a library, and the child's pool begins without threads.
void before_fork();
void after_fork(bool in_child);

template <class F>
void parallel(Size jobs, const F& run) {
  parallel(
      jobs,
      [](Size job, int worker, void* f) {
        if constexpr (std::is_invocable_v<const F&, Size, int>) (*static_cast<const F*>(f))(job, worker);
        else (*static_cast<const F*>(f))(job);
      },
      const_cast<F*>(&run));
}

// f(first, last) for runs of `together` of `count` things, shared among threads where there is more than one run.
template <class F>
void share(Size count, Size together, const F& f) {
  const Size jobs = (count + together - 1) / together;
  if (jobs < 2) return f(Size{0}, count);
  parallel(jobs, [&](Size job) { f(job * together, std::min(count, (job + 1) * together)); });
}

}  // namespace xgrad::kernels
