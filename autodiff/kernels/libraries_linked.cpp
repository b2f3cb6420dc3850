// OpenBLAS, and oneDNN where CMake found it, as they are linked (XGRAD_BLAS=link).
#include <dlfcn.h>

#include <type_traits>

#include "autodiff/kernels/libraries.hpp"

using namespace xgrad::kernels;

// Their own headers would bring types of their own for the same arguments.
#define XGRAD_LAPACK(T, type)                                     \
  std::remove_pointer_t<decltype(Lapack<T>::potrf)> type##potrf_; \
  std::remove_pointer_t<decltype(Lapack<T>::getrf)> type##getrf_; \
  std::remove_pointer_t<decltype(Lapack<T>::getrs)> type##getrs_; \
  std::remove_pointer_t<decltype(Lapack<T>::syevd)> type##syevd_; \
  std::remove_pointer_t<decltype(Lapack<T>::trsm)> cblas_##type##trsm;
extern "C" {
std::remove_pointer_t<Sgemm> cblas_sgemm;
std::remove_pointer_t<Dgemm> cblas_dgemm;
XGRAD_LAPACK(float, s)
XGRAD_LAPACK(double, d)
void openblas_set_num_threads(int);
char* openblas_get_config();
char* openblas_get_corename();
#ifdef XGRAD_LINKS_DNNL
std::remove_pointer_t<DnnlSgemm> dnnl_sgemm;
#endif
}
#undef XGRAD_LAPACK

namespace xgrad::kernels {

void Libraries::take_openblas() {
  sgemm = cblas_sgemm;
  dgemm = cblas_dgemm;
  lapack_f32 = {spotrf_, sgetrf_, sgetrs_, ssyevd_, cblas_strsm};
  lapack_f64 = {dpotrf_, dgetrf_, dgetrs_, dsyevd_, cblas_dtrsm};
  openblas_set_num_threads(1);  // its own would change bits; the pool splits products instead
  found_openblas(openblas_get_config(), openblas_get_corename());
}

void Libraries::take_dnnl() {
#ifdef XGRAD_LINKS_DNNL
  // Its OpenMP is the one that its own file stands on, which need not be this compiler's.
  Dl_info lies{};
  void* library =
      dladdr(reinterpret_cast<void*>(dnnl_sgemm), &lies) ? dlopen(lies.dli_fname, RTLD_NOW | RTLD_NOLOAD) : nullptr;
  if (!library) library = dlopen(nullptr, RTLD_NOW);
  most_omp_threads = reinterpret_cast<int (*)()>(dlsym(library, "omp_get_max_threads"));
  set_omp_threads = reinterpret_cast<void (*)(int)>(dlsym(library, "omp_set_num_threads"));
  if (!most_omp_threads || !set_omp_threads) return;
  dnnl = dnnl_sgemm;
  found += ", oneDNN";
#endif
}

}  // namespace xgrad::kernels
