// OpenBLAS and oneDNN: opened as the program runs, or linked (libraries_opened.cpp, libraries_linked.cpp; XGRAD_BLAS).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::kernels {

using Sgemm = void (*)(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda,
                       const float* b, int ldb, float beta, float* c, int ldc);
using Dgemm = void (*)(int order, int ta, int tb, int m, int n, int k, double alpha, const double* a, int lda,
                       const double* b, int ldb, double beta, double* c, int ldc);
using DnnlSgemm = int (*)(char ta, char tb, std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a,
                          std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc);

// What of LAPACK is used, for one float type: matrices by columns, as Fortran has them. The last arguments are the
// lengths of the letters. All null where the library has none.
template <class T>
struct Lapack {
  void (*potrf)(const char* uplo, const int* n, T* a, const int* lda, int* info, std::size_t) = nullptr;
  void (*getrf)(const int* m, const int* n, T* a, const int* lda, int* pivots, int* info) = nullptr;
  void (*getrs)(const char* trans, const int* n, const int* columns, const T* a, const int* lda, const int* pivots,
                T* b, const int* ldb, int* info, std::size_t) = nullptr;
  void (*syevd)(const char* job, const char* uplo, const int* n, T* a, const int* lda, T* w, T* work, const int* size,
                int* whole, const int* whole_size, int* info, std::size_t, std::size_t) = nullptr;
  void (*trsm)(int order, int side, int uplo, int trans, int diag, int m, int n, T alpha, const T* a, int lda, T* b,
               int ldb) = nullptr;  // of CBLAS
  explicit operator bool() const { return potrf && getrf && getrs && syevd && trsm; }
};

// By default they are opened, not linked: OpenBLAS reads its core type as it is loaded, and takes newer Xeons for old ones.
struct Libraries {
  Sgemm sgemm = nullptr;
  Dgemm dgemm = nullptr;
  DnnlSgemm dnnl = nullptr;
  int (*most_omp_threads)() = nullptr;  // oneDNN's OpenMP: of the calling thread
  void (*set_omp_threads)(int) = nullptr;
  std::string found;
  Lapack<float> lapack_f32;
  Lapack<double> lapack_f64;

  Libraries();

 private:
  void take_openblas();
  void found_openblas(std::string_view config, std::string_view core);
  void take_dnnl();
};
const Libraries& libraries();  // taken by the first call

// Around each call of a library.
class LibraryCall {
 public:
  LibraryCall();
  ~LibraryCall();
  LibraryCall(const LibraryCall&) = delete;

 private:
  std::atomic<int>& calls_;
};

// Around a fork(): waits until no thread is inside of a library, whose locks a child would find locked; and lets them in
// again.
void close_libraries();
void open_libraries();

}  // namespace xgrad::kernels
