// The one thread pool that all of the library shares. Private to the libraries; bodies: kernels/threads.cpp.
#pragma once

#include <algorithm>
#include <type_traits>

#include <xgrad/autodiff/dtype.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// Calls run(job, worker, context) for job = 0 ... jobs - 1, on at most workers_for(jobs) threads; the calling thread takes
// part. Which worker (0 ... workers_for(jobs) - 1) runs a job is not fixed, so results must not depend on it: it is for
// scratch memory, which the caller takes for all of them. Inside another parallel call all jobs run in place.
void parallel_for(Size jobs, void (*run)(Size job, int worker, void* context), void* context);
int workers_for(Size jobs);

template <class F>
void parallel_for(Size jobs, const F& run) {
  parallel_for(
      jobs,
      [](Size job, int worker, void* f) {
        if constexpr (std::is_invocable_v<const F&, Size, int>) (*static_cast<const F*>(f))(job, worker);
        else (*static_cast<const F*>(f))(job);
      },
      const_cast<F*>(&run));
}

// f(first, last) for runs of `together` of `count` things, shared among threads where there is more than one run.
template <class F>
void share_out(Size count, Size together, const F& f) {
  const Size jobs = (count + together - 1) / together;
  if (jobs < 2) return f(Size{0}, count);
  parallel_for(jobs, [&](Size job) { f(job * together, std::min(count, (job + 1) * together)); });
}

}  // namespace xgrad

#pragma GCC visibility pop
