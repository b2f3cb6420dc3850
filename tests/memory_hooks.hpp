// malloc and its kin, replaced in a test program (one .cpp includes this): what is asked of the system is counted, and
// can be made to fail. oneDNN takes scratch memory for each product and gives it back: that is counted apart.
#pragma once

#include <dlfcn.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_HOOKS_SANITIZED 1
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));
#else
#define MEMORY_HOOKS_SANITIZED 0
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}
#endif

namespace memory_hooks {

inline std::atomic<bool> counting{false};
inline std::atomic<long> calls{0}, of_onednn{0};
inline std::atomic<std::size_t> bytes{0};   // of the calls
inline std::atomic<long> aligned_left{-1};  // calls of aligned_alloc that still succeed; -1: all

inline thread_local bool in_onednn = false;

// Requests of this thread that still succeed, where one is to fail (-1: none is); and whether all after it fail, too.
inline thread_local long left = -1;
inline thread_local bool fail_on = false;
inline thread_local bool failed = false;

inline bool refuse() noexcept {
  if (left < 0) return false;
  if (left > 0) return --left, false;
  if (!fail_on) left = -1;
  failed = true;
  errno = ENOMEM;
  return true;
}

// While one lives, the n-th request of memory of this thread fails, counted from 0; `on`: and all after it.
struct Nth {
  explicit Nth(long n, bool on = false) { failed = false, fail_on = on, left = n; }
  ~Nth() { left = -1; }
  Nth(const Nth&) = delete;
  Nth& operator=(const Nth&) = delete;
};

inline void note(std::size_t size) noexcept {
  if (!counting.load(std::memory_order_relaxed)) return;
  (in_onednn ? of_onednn : calls).fetch_add(1, std::memory_order_relaxed);
  if (!in_onednn) bytes.fetch_add(size, std::memory_order_relaxed);
}

inline bool is_onednn(const void* caller) noexcept {
  Dl_info info;
  return dladdr(caller, &info) && info.dli_fname && std::strstr(info.dli_fname, "libdnnl");
}

#if defined(__SANITIZE_THREAD__)
inline constexpr bool hooks_miss_aligned = true;  // as the thread sanitizer calls them
#else
inline constexpr bool hooks_miss_aligned = false;
#endif

inline void install() {
#if MEMORY_HOOKS_SANITIZED
  static const int installed = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, std::size_t size) { note(size); }, [](const volatile void*) {});
  (void)installed;
#endif
}

// Requests of memory while f runs, on all threads; operator new is one of them.
template <class F>
long requests(const F& f) {
  install();
  calls = 0;
  bytes = 0;
  counting = true;
  f();
  counting = false;
  return calls;
}

// While one lives, aligned_alloc (which is what buffers and nodes come from) fails after so many calls.
struct Scarce {
  explicit Scarce(long calls_left) { aligned_left = calls_left; }
  ~Scarce() { aligned_left = -1; }
  Scarce(const Scarce&) = delete;
  Scarce& operator=(const Scarce&) = delete;
  bool spent() const { return aligned_left == 0; }
};

}  // namespace memory_hooks

extern "C" {

#if !MEMORY_HOOKS_SANITIZED
void* malloc(std::size_t n) noexcept {
  if (memory_hooks::refuse()) return nullptr;
  memory_hooks::note(n);
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) noexcept {
  if (memory_hooks::refuse()) return nullptr;
  memory_hooks::note(n * size);
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) noexcept {
  if (memory_hooks::refuse()) return nullptr;
  memory_hooks::note(n);
  return __libc_realloc(p, n);
}
void* memalign(std::size_t alignment, std::size_t n) noexcept {
  if (memory_hooks::refuse()) return nullptr;
  memory_hooks::note(n);
  return __libc_memalign(alignment, n);
}
#endif

int posix_memalign(void** p, std::size_t alignment, std::size_t n) noexcept {
  using namespace memory_hooks;
  if (refuse()) return ENOMEM;
  in_onednn = counting.load(std::memory_order_relaxed) && is_onednn(__builtin_return_address(0));
#if MEMORY_HOOKS_SANITIZED
  static const auto next =
      reinterpret_cast<int (*)(void**, std::size_t, std::size_t)>(dlsym(RTLD_NEXT, "posix_memalign"));
  if (hooks_miss_aligned) note(n);
  const int failed = next(p, alignment, n);
#else
  note(n);
  *p = __libc_memalign(alignment, n);
  const int failed = *p ? 0 : ENOMEM;
#endif
  in_onednn = false;
  return failed;
}

void* aligned_alloc(std::size_t alignment, std::size_t n) noexcept {
  long left = memory_hooks::aligned_left.load(std::memory_order_relaxed);
  while (left > 0 && !memory_hooks::aligned_left.compare_exchange_weak(left, left - 1)) {
  }
  if (left == 0) {
    errno = ENOMEM;
    return nullptr;
  }
  if (memory_hooks::refuse()) return nullptr;
#if MEMORY_HOOKS_SANITIZED
  static const auto next = reinterpret_cast<void* (*)(std::size_t, std::size_t)>(dlsym(RTLD_NEXT, "aligned_alloc"));
  if (memory_hooks::hooks_miss_aligned) memory_hooks::note(n);
  return next(alignment, n);
#else
  memory_hooks::note(n);
  return __libc_memalign(alignment, n);
#endif
}

}  // extern "C"

#if MEMORY_HOOKS_SANITIZED  // there malloc is the sanitizer's, so operator new fails by itself
void* operator new(std::size_t n) {
  if (void* p = memory_hooks::refuse() ? nullptr : std::malloc(n)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return memory_hooks::refuse() ? nullptr : std::malloc(n);
}
void* operator new[](std::size_t n) { return operator new(n); }
void* operator new[](std::size_t n, const std::nothrow_t& t) noexcept { return operator new(n, t); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
#endif

#if MEMORY_HOOKS_SANITIZED  // what cannot be had is no reason to stop there either
extern "C" inline const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" inline const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
#endif
