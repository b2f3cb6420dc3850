#include "autodiff/kernels/libraries.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <iterator>
#include <mutex>
#include <thread>

namespace xgrad::kernels {

namespace {

template <class F>
F symbol(void* library, const char* name) {
  return reinterpret_cast<F>(dlsym(library, name));
}

template <class T>
void load_lapack(void* library, char type, Lapack<T>& lapack) {
  const auto load = [&](auto& f, const char* format) {
    f = symbol<std::remove_reference_t<decltype(f)>>(library, fmt::format(fmt::runtime(format), type).c_str());
  };
  load(lapack.potrf, "{}potrf_");
  load(lapack.getrf, "{}getrf_");
  load(lapack.getrs, "{}getrs_");
  load(lapack.syevd, "{}syevd_");
  load(lapack.trsm, "cblas_{}trsm");
}

}  // namespace

Libraries::Libraries() {
  open_openblas();
  open_dnnl();
  if (found.empty()) found = "own loops: neither OpenBLAS nor oneDNN was found";
}

void Libraries::open_openblas() {
  constexpr const char* variable = "OPENBLAS_CORETYPE";
  void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (!library) {
    const bool set = std::getenv(variable) != nullptr;
    const char* core = nullptr;  // of other machines it knows itself
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) core = "SkylakeX";
    else if (__builtin_cpu_supports("avx2")) core = "Haswell";
#endif
    if (!set && core) setenv(variable, core, 1);
    library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!set && core) unsetenv(variable);
  }
  if (!library) return;
  sgemm = symbol<Sgemm>(library, "cblas_sgemm");
  dgemm = symbol<Dgemm>(library, "cblas_dgemm");
  load_lapack(library, 's', lapack_f32);
  load_lapack(library, 'd', lapack_f64);
  // Its own threads would change bits; the pool splits products instead.
  if (auto set_threads = symbol<void (*)(int)>(library, "openblas_set_num_threads")) set_threads(1);
  const auto config = symbol<const char* (*)()>(library, "openblas_get_config");
  const auto core = symbol<const char* (*)()>(library, "openblas_get_corename");
  std::string version = config ? config() : "OpenBLAS";
  version = version.substr(0, version.find(' ', version.find(' ') + 1));
  found = fmt::format("{} {}", version, core ? core() : "");
}

void Libraries::open_dnnl() {
  void* library = nullptr;
  for (const char* name : {"libdnnl.so.2", "libdnnl.so.3"})
    if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  most_omp_threads = symbol<int (*)()>(library, "omp_get_max_threads");
  set_omp_threads = symbol<void (*)(int)>(library, "omp_set_num_threads");
  if (most_omp_threads && set_omp_threads) dnnl = symbol<DnnlSgemm>(library, "dnnl_sgemm");
  if (dnnl) found += found.empty() ? "oneDNN" : ", oneDNN";
}

namespace {
std::mutex opening;
}  // namespace

const Libraries& libraries() {
  static std::atomic<const Libraries*> opened{nullptr};
  if (const Libraries* l = opened.load(std::memory_order_acquire)) return *l;
  const std::lock_guard lock(opening);
  if (!opened.load(std::memory_order_relaxed)) opened.store(new Libraries, std::memory_order_release);
  return *opened.load(std::memory_order_relaxed);
}

namespace {

// Who is inside of a library is counted, each thread in a place that it shares with few others.
std::atomic<bool> closed{false};
struct alignas(64) Inside {
  std::atomic<int> calls{0};
};
Inside inside[64];

Inside& own_place() {
  static std::atomic<unsigned> threads{0};
  static thread_local Inside& own = inside[threads.fetch_add(1, std::memory_order_relaxed) % std::size(inside)];
  return own;
}

}  // namespace

LibraryCall::LibraryCall() : calls_(own_place().calls) {
  while (calls_.fetch_add(1), closed.load()) {
    calls_.fetch_sub(1);
    std::this_thread::yield();
  }
}
LibraryCall::~LibraryCall() { calls_.fetch_sub(1, std::memory_order_release); }

void close_libraries() {
  opening.lock();
  closed = true;
  for (Inside& place : inside)
    while (place.calls.load() != 0) std::this_thread::yield();
}
void open_libraries() {
  closed = false;
  opening.unlock();
}

}  // namespace xgrad::kernels
