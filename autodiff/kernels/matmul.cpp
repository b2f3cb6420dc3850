#include "autodiff/kernels/matmul.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "autodiff/arches.hpp"
#include "autodiff/kernels/libraries.hpp"
#include "autodiff/kernels/simd.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::kernels {

namespace {

double work_of(Size m, Size n, Size k) {
  return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

// A row times rows, sums that go along both: our own kernel reads the matrix once, as it lies.
bool is_row_by_rows(bool ta, bool tb, Size m) { return m == 1 && tb && !ta; }

// Is our own kernel the faster one? Up to a few thousand multiplications a library's call costs more than it saves. With
// vectors of 256 bits it is faster in f32 until oneDNN begins to be, and wherever few rows meet rows: libraries lay those
// out by columns first. (Where there is no oneDNN, OpenBLAS begins there too.)
constexpr double least_of_library = 1 << 13, worth_library = 1 << 20;
template <class T>
bool worth_own(bool ta, bool tb, Size m, Size n, Size k) {
  const double work = work_of(m, n, k);
  if (work <= least_of_library) return true;
  if (is_row_by_rows(ta, tb, m) || (m == 1 && !ta && sizeof(T) == 8)) return true;
#if defined(__x86_64__)
  constexpr Size few_rows = 4, least_inner = 32;  // of a short inner axis OpenBLAS stores what it has the faster
  const bool worth_it = (sizeof(T) == 4 && k >= least_inner) || (m <= few_rows && tb && !ta);
  return worth_it && work < worth_library && arch_in_use() >= Arch::avx2;
#else
  return false;
#endif
}

// Is oneDNN's sgemm the faster one? A matter of the machine and of the shape alone, so that bits do not depend on timing.
// Measured on Xeons with AVX-512, and on EPYC (Zen 3), where rows 4,096 bytes apart slow it down. It takes its scratch
// memory from malloc, OpenBLAS does not.
bool worth_dnnl(double work, Size lda, Size ldb) {
#if defined(__x86_64__)
  static const bool avx512 = __builtin_cpu_supports("avx512f");
#else
  constexpr bool avx512 = false;
#endif
  return work >= worth_library && (avx512 || (work < 1 << 24 && lda < 1024 && ldb < 1024));
}

// Where rows meet rows, the sums of our own kernel are the fastest too: it lays B out by columns a panel at a time, in the
// first cache. Measured with vectors of 512 bits, until what it reads of A and of B leaves the second one.
template <class T>
bool worth_own_panels(bool ta, bool tb, Size m, Size n, Size k) {
#if defined(__x86_64__)
  constexpr Size least_rows = 32, most_columns = 512, most_inner = 1024;
  return sizeof(T) == 4 && tb && !ta && m >= least_rows && n <= most_columns && k <= most_inner &&
         arch_in_use() >= Arch::avx512;
#else
  return false;
#endif
}

constexpr double worth_sharing = 1 << 21;  // from here on the pool takes part
constexpr Size most_tiles = 8;

// `plus`, below: a row that is added to each of C's, or null.
template <class T>
void own(bool ta, bool tb, Size m, Size n, Size k, const T* a, Size lda, const T* b, Size ldb, const T* plus, T* c,
         Size ldc) {
  simd().matmul[sizeof(T) == 8](ta, tb, m, n, k, a, lda, b, ldb, plus, c, ldc);
}

template <class T>
void add_row(Size m, Size n, const T* plus, T* c, Size ldc) {
  if (!plus) return;
  const Kernel add = table().elementwise[static_cast<int>(Elementwise::add)]
                                        [static_cast<int>(sizeof(T) == 8 ? DType::f64 : DType::f32)][0];
  for (Size i = 0; i < m; ++i, c += ldc) add(c, c, plus, nullptr, n);
}

void one(bool ta, bool tb, Size m, Size n, Size k, const float* a, Size lda, const float* b, Size ldb,
         const float* plus, float* c, Size ldc) {
  const Libraries& l = libraries();
  if (worth_own_panels<float>(ta, tb, m, n, k)) return own(ta, tb, m, n, k, a, lda, b, ldb, plus, c, ldc);
  if (l.dnnl && !is_row_by_rows(ta, tb, m) && worth_dnnl(work_of(m, n, k), lda, ldb)) {
    const LibraryCall call;
    const int threads = l.most_omp_threads();
    if (threads != 1) l.set_omp_threads(1);
    const int failed = l.dnnl(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1, a, lda, b, ldb, 0, c, ldc);
    if (threads != 1) l.set_omp_threads(threads);
    if (failed) throw std::bad_alloc();  // for its scratch; a product in another library would have other bits
    return add_row(m, n, plus, c, ldc);
  }
  constexpr int row_major = 101, no = 111, yes = 112;
  if (worth_own<float>(ta, tb, m, n, k) || !l.sgemm) return own(ta, tb, m, n, k, a, lda, b, ldb, plus, c, ldc);
  const LibraryCall call;
  l.sgemm(row_major, ta ? yes : no, tb ? yes : no, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1, a,
          static_cast<int>(lda), b, static_cast<int>(ldb), 0, c, static_cast<int>(ldc));
  add_row(m, n, plus, c, ldc);
}

void one(bool ta, bool tb, Size m, Size n, Size k, const double* a, Size lda, const double* b, Size ldb,
         const double* plus, double* c, Size ldc) {
  const Libraries& l = libraries();
  constexpr int row_major = 101, no = 111, yes = 112;
  if (worth_own<double>(ta, tb, m, n, k) || !l.dgemm) return own(ta, tb, m, n, k, a, lda, b, ldb, plus, c, ldc);
  const LibraryCall call;
  l.dgemm(row_major, ta ? yes : no, tb ? yes : no, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1, a,
          static_cast<int>(lda), b, static_cast<int>(ldb), 0, c, static_cast<int>(ldc));
  add_row(m, n, plus, c, ldc);
}

template <class T>
void at_once(bool ta, bool tb, Size m, Size n, Size k, const T* a, Size lda, const T* b, Size ldb, const T* plus, T* c,
             Size ldc) {
  if (k == 0 || std::max({m, n, k, lda, ldb, ldc}) > std::numeric_limits<int>::max())  // beyond the libraries' sizes
    return own(ta, tb, m, n, k, a, lda, b, ldb, plus, c, ldc);
  // A matrix and a column, as a row and the matrix: C^T = B^T A^T.
  if (n == 1 && m > 1 && ldc == 1 && !plus && work_of(m, n, k) > least_of_library) {
    std::vector<T> row;
    if (!tb && ldb != 1) {
      row.resize(static_cast<std::size_t>(k));
      for (Size i = 0; i < k; ++i) row[static_cast<std::size_t>(i)] = b[i * ldb];
      b = row.data();
    }
    return at_once<T>(false, !ta, 1, m, k, b, k, a, lda, nullptr, c, m);
  }
  // A transposed A, which makes a weight's gradient, is split by the weight's rows, as an optimizer splits them: the
  // gradient is in the caches of the core that will read it.
  const bool rows = m >= n || (n < 256 && m >= 64) || (ta && m >= 128);
  const Size length = rows ? m : n, grain = length < 256 ? 32 : 64;
  if (work_of(m, n, k) < worth_sharing || std::max(m, n) < 128)
    return one(ta, tb, m, n, k, a, lda, b, ldb, plus, c, ldc);
  if (worth_own_panels<T>(ta, tb, m, n, k)) {  // its sums are the same, however many rows it is given
    // Enough rows for each panel that is laid out, in whole strips, and what is read of A stays in the second cache. What
    // is left over goes to the last: of few rows alone the kernel adds in another order.
    constexpr Size strips = 24, least = 128, of_a = 1 << 17, depth = 256;
    const Size workers = workers_for(std::max<Size>(1, m / least)), most = of_a / std::min(k, depth);
    const Size wanted = std::max(workers == 1 ? 1 : 2 * workers, (m + most - 1) / most);
    const Size each = std::max(m / wanted / strips * strips, least), jobs = std::max<Size>(1, m / each);
    return parallel_for(jobs, [&](Size job) {
      const Size from = job * each, rows = job == jobs - 1 ? m - from : each;
      own(ta, tb, rows, n, k, a + from * lda, lda, b, ldb, plus, c + from * ldc, ldc);
    });
  }
  // Few large tiles, at multiples of the grain, whatever the number of threads: the same bits.
  const Size grains = (length + grain - 1) / grain, tiles = std::clamp<Size>((grains + 1) / 2, 2, most_tiles);
  const Size each = (grains + tiles - 1) / tiles * grain;
  parallel_for((length + each - 1) / each, [&](Size job) {
    const Size from = job * each, extent = std::min(each, length - from);
    if (rows) one(ta, tb, extent, n, k, a + (ta ? from : from * lda), lda, b, ldb, plus, c + from * ldc, ldc);
    else
      one(ta, tb, m, extent, k, a, lda, b + (tb ? from * ldb : from), ldb, plus ? plus + from : nullptr, c + from, ldc);
  });
}

// Libraries add along the inner axis in f32, and lose digits with its length. So a long one is cut, by shape alone, and
// the products of the pieces are added in f64.
void product(bool ta, bool tb, Size m, Size n, Size k, const float* a, Size lda, const float* b, Size ldb,
             const float* plus, float* c, Size ldc) {
  constexpr Size longest = 1 << 16, piece = 1 << 11;
  if (k <= longest) return at_once(ta, tb, m, n, k, a, lda, b, ldb, plus, c, ldc);
  std::vector<float> part(static_cast<std::size_t>(m * n));
  std::vector<double> sums(part.size());
  for (Size from = 0; from < k; from += piece) {
    at_once(ta, tb, m, n, std::min(piece, k - from), a + (ta ? from * lda : from), lda, b + (tb ? from : from * ldb),
            ldb, static_cast<const float*>(nullptr), part.data(), n);
    for (std::size_t i = 0; i < part.size(); ++i) sums[i] += static_cast<double>(part[i]);
  }
  for (Size i = 0; i < m; ++i)
    for (Size j = 0; j < n; ++j) c[i * ldc + j] = static_cast<float>(sums[static_cast<std::size_t>(i * n + j)]);
  add_row(m, n, plus, c, ldc);
}

}  // namespace

void matmul(DType dtype, bool transpose_a, bool transpose_b, Size m, Size n, Size k, const void* a, Size lda,
            const void* b, Size ldb, void* c, Size ldc) {
  matmul_plus(dtype, transpose_a, transpose_b, m, n, k, a, lda, b, ldb, nullptr, c, ldc);
}

bool takes_row(Size m, Size n) {
  constexpr Size tile = 1 << 17;  // numbers that still lie there when the product is done
  return m * n <= most_tiles * tile;
}

void matmul_plus(DType dtype, bool transpose_a, bool transpose_b, Size m, Size n, Size k, const void* a, Size lda,
                 const void* b, Size ldb, const void* row, void* c, Size ldc) {
  if (m == 0 || n == 0) return;
  if (work_of(m, n, k) <= least_of_library)
    return simd().matmul[dtype == DType::f64](transpose_a, transpose_b, m, n, k, a, lda, b, ldb, row, c, ldc);
  if (dtype == DType::f32)
    product(transpose_a, transpose_b, m, n, k, static_cast<const float*>(a), lda, static_cast<const float*>(b), ldb,
            static_cast<const float*>(row), static_cast<float*>(c), ldc);
  else
    at_once(transpose_a, transpose_b, m, n, k, static_cast<const double*>(a), lda, static_cast<const double*>(b), ldb,
            static_cast<const double*>(row), static_cast<double*>(c), ldc);
}

const char* matmul_libraries() { return libraries().found.c_str(); }

}  // namespace xgrad::kernels
