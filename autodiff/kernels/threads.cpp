// The pool. OpenMP's would do, but for two things: its barrier waits for every thread, so on a machine with other work
// a pass takes as long as the scheduler takes to run the last one (measured: 100 times as long), and the thread
// sanitizer does not know it. Here the calling thread waits only for jobs that have begun.
#include "autodiff/parallel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "autodiff/kernels/fork.hpp"
#include "autodiff/kernels/libraries.hpp"
#include "autodiff/kernels/processors.hpp"
#include "autodiff/kernels/simd.hpp"
#include <xgrad/autodiff/threads.hpp>

namespace xgrad {

namespace {

std::atomic<int> chosen{0};  // 0: not yet
constexpr int most_threads = 4096;

int threads_at_first() {
  if (const char* text = std::getenv("OMP_NUM_THREADS"))
    if (const long n = std::strtol(text, nullptr, 10); n >= 1) return static_cast<int>(std::min<long>(n, most_threads));
  try {
    return kernels::usable_processors();
  } catch (const std::exception&) {  // no memory to look
    return 1;
  }
}

}  // namespace

int threads() {
  int n = chosen.load(std::memory_order_relaxed);
  if (n == 0) {
    n = threads_at_first();
    chosen.store(n, std::memory_order_relaxed);
  }
  return n;
}

void set_threads(int n, Source source) {
  if (n < 1 || n > most_threads)
    fail(source.named("set_threads"), "expected 1 ... {} threads, got {}", most_threads, n);
  chosen.store(n, std::memory_order_relaxed);
}

namespace kernels {

namespace {

inline void pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

thread_local bool in_job = false;  // of a pool: what it calls runs in place

class Pool {
 public:
  void run(Size jobs, int wanted, void (*work)(Size, int, void*), void* context) {
    const std::unique_lock lock(in_use_, std::try_to_lock);
    if (!lock) {  // by another thread of the user's
      for (Size job = 0; job < jobs; ++job) work(job, 0, context);
      return;
    }
    start(wanted - 1);
    task_ = {work, context, jobs, std::min(wanted, most_ranges)};
    for (int r = 0; r < task_.ranges; ++r) next_[r].job.store(task_.begin(r), std::memory_order_relaxed);
    error_ = nullptr;
    // The door: how many may still come in, and how many are inside.
    const int helpers = std::min(wanted - 1, started_);
    seats_.store(0, std::memory_order_relaxed);
    door_.store(static_cast<std::uint64_t>(helpers) << 32, std::memory_order_release);
    calls_.fetch_add(1, std::memory_order_release);
    calls_.notify_all();
    work_on(0);
    door_.fetch_and(inside_mask, std::memory_order_relaxed);  // nobody comes in any more
    for (int spins = 0; door_.load(std::memory_order_acquire) != 0; ++spins) {
      if (spins < 4096) pause();
      else std::this_thread::yield();
    }
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  void lock() { in_use_.lock(); }
  void unlock() { in_use_.unlock(); }
  void forget_threads() { started_ = 0; }

 private:
  static constexpr std::uint64_t inside_mask = 0xffffffff;

  struct Task {
    void (*work)(Size, int, void*);
    void* context;
    Size jobs;
    int ranges;
    Size begin(int range) const { return jobs * range / ranges; }
  };

  void start(int helpers) {
    while (started_ < helpers) {
      try {
        std::thread([this, seen = calls_.load(std::memory_order_relaxed)] { help(seen); }).detach();
      } catch (const std::exception&) {  // of the system, or no memory
        return;                          // fewer, then
      }
      ++started_;
    }
  }

  // Comes in where there is a task with room; false: none.
  bool enter() {
    std::uint64_t d = door_.load(std::memory_order_relaxed);
    while (d >> 32 != 0)
      if (door_.compare_exchange_weak(d, d - (std::uint64_t{1} << 32) + 1, std::memory_order_acquire)) return true;
    return false;
  }

  void help(std::uint32_t seen) {
    in_job = true;
    for (;;) {
      // The next pass is often near, and who sleeps is woken late: look for a fraction of a millisecond first.
      for (int spins = 0; spins < 20'000 && calls_.load(std::memory_order_relaxed) == seen; ++spins) pause();
      calls_.wait(seen, std::memory_order_acquire);
      seen = calls_.load(std::memory_order_acquire);
      if (!enter()) continue;
      work_on(1 + seats_.fetch_add(1, std::memory_order_relaxed));
      door_.fetch_sub(1, std::memory_order_release);
    }
  }

  void work_on(int worker) {
    const bool nested = std::exchange(in_job, true);
    for (int k = 0; k < task_.ranges; ++k) {
      const int range = (worker + k) % task_.ranges;
      const Size end = task_.begin(range + 1);
      for (Size job; (job = next_[range].job.fetch_add(1, std::memory_order_relaxed)) < end;) {
        try {
          task_.work(job, worker, task_.context);
        } catch (...) {
          const std::lock_guard lock(error_mutex_);
          error_ = std::current_exception();
        }
      }
    }
    in_job = nested;
  }

  std::mutex in_use_, error_mutex_;
  int started_ = 0;
  Task task_{};
  std::exception_ptr error_;
  std::atomic<std::uint32_t> calls_{0};
  alignas(64) std::atomic<std::uint64_t> door_{0};
  std::atomic<int> seats_{0};
  // Each worker begins with a range of its own, the same from pass to pass, whose numbers its caches may still hold; and
  // then takes what is left of the others'.
  static constexpr int most_ranges = 64;
  struct alignas(64) Next {
    std::atomic<Size> job{0};
  };
  Next next_[most_ranges];
};

Pool& pool() {
  alignas(Pool) static unsigned char memory[sizeof(Pool)];
  static Pool* const p = new (memory) Pool;  // its threads may outlive static destructors
  return *p;
}

}  // namespace

void before_fork() {
  try {
    (void)simd();           // another thread may be about to choose
  } catch (const Error&) {  // XGRAD_SIMD names none: whoever needs one is told
  }
  pool().lock();
  close_libraries();
}
void after_fork(bool in_child) {
  open_libraries();
  if (in_child) pool().forget_threads();
  pool().unlock();
}

}  // namespace kernels

int workers_for(Size jobs) { return kernels::in_job ? 1 : static_cast<int>(std::clamp<Size>(jobs, 1, threads())); }

void parallel_for(Size jobs, void (*run)(Size job, int worker, void* context), void* context) {
  if (const int wanted = workers_for(jobs); wanted > 1) return kernels::pool().run(jobs, wanted, run, context);
  for (Size job = 0; job < jobs; ++job) run(job, 0, context);
}

}  // namespace xgrad
