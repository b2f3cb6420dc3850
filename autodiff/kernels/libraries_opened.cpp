// OpenBLAS and oneDNN as they are found when the program runs (XGRAD_BLAS=open).
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <type_traits>

#include "autodiff/kernels/libraries.hpp"

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

void Libraries::take_openblas() {
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
  found_openblas(config ? config() : "OpenBLAS", core ? core() : "");
}

void Libraries::take_dnnl() {
  void* library = nullptr;
  for (const char* name : {"libdnnl.so.2", "libdnnl.so.3"})
    if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  most_omp_threads = symbol<int (*)()>(library, "omp_get_max_threads");
  set_omp_threads = symbol<void (*)(int)>(library, "omp_set_num_threads");
  if (most_omp_threads && set_omp_threads) dnnl = symbol<DnnlSgemm>(library, "dnnl_sgemm");
  if (dnnl) found += found.empty() ? "oneDNN" : ", oneDNN";
}

}  // namespace xgrad::kernels
