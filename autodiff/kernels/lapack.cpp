#include "autodiff/kernels/lapack.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "autodiff/kernels/libraries.hpp"

namespace xgrad::kernels {

namespace {

constexpr Size small = 16;  // up to here a library's call costs more than it saves

template <class T>
const Lapack<T>& lapack() {
  if constexpr (sizeof(T) == 4) return libraries().lapack_f32;
  else return libraries().lapack_f64;
}
template <class T>
bool by_library(Size n, Size columns = 1) {
  constexpr Size most = std::numeric_limits<int>::max();
  return n > small && n < most && columns < most && lapack<T>();
}

// ---- own loops

// Row i of L from the rows above it (Cholesky and Banachiewicz)
template <class T>
bool own_cholesky(Size n, T* a) {
  for (Size i = 0; i < n; ++i) {
    T* row = a + i * n;
    for (Size j = 0; j <= i; ++j) {
      T s = row[j];
      for (Size k = 0; k < j; ++k) s -= row[k] * a[j * n + k];
      if (j < i) row[j] = s / a[j * n + j];
      else if (s > 0 && std::isfinite(s)) row[i] = std::sqrt(s);
      else return false;
    }
  }
  return true;
}

// By rows, with partial pivoting: row k changed places with row pivots[k]
template <class T>
bool own_lu(Size n, T* a, int* pivots) {
  bool regular = true;
  for (Size k = 0; k < n; ++k) {
    Size best = k;
    for (Size i = k + 1; i < n; ++i)
      if (std::abs(a[i * n + k]) > std::abs(a[best * n + k])) best = i;
    pivots[k] = static_cast<int>(best);
    if (best != k) std::swap_ranges(a + k * n, a + (k + 1) * n, a + best * n);
    const T pivot = a[k * n + k];
    if (pivot == 0 || std::isnan(pivot)) {
      regular = false;
      continue;
    }
    for (Size i = k + 1; i < n; ++i) {
      const T f = a[i * n + k] /= pivot;
      if (f != 0)
        for (Size j = k + 1; j < n; ++j) a[i * n + j] -= f * a[k * n + j];
    }
  }
  return regular;
}

// T x = b row by row, from the first or from the last; t(i, k) reads op(T)
template <class T, class At>
void substitute(Size n, Size columns, const At& t, bool lower, bool unit, T* b) {
  for (Size step = 0; step < n; ++step) {
    const Size i = lower ? step : n - 1 - step;
    T* row = b + i * columns;
    for (Size k = lower ? 0 : i + 1; k < (lower ? i : n); ++k) {
      const T f = t(i, k);
      for (Size c = 0; c < columns; ++c) row[c] -= f * b[k * columns + c];
    }
    if (unit) continue;
    for (Size c = 0; c < columns; ++c) row[c] /= t(i, i);
  }
}

template <class T>
void own_triangular_solve(Size n, Size columns, const T* t, bool lower, bool transposed, T* b) {
  if (transposed)
    substitute(
        n, columns, [&](Size i, Size k) { return t[k * n + i]; }, !lower, false, b);
  else
    substitute(
        n, columns, [&](Size i, Size k) { return t[i * n + k]; }, lower, false, b);
}

template <class T>
void own_lu_solve(Size n, Size columns, const T* lu, const int* pivots, bool transposed, T* b) {
  const auto exchange = [&](Size k) {
    if (pivots[k] != k) std::swap_ranges(b + k * columns, b + (k + 1) * columns, b + pivots[k] * columns);
  };
  const auto at = [&](Size i, Size k) { return lu[i * n + k]; };
  const auto across = [&](Size i, Size k) { return lu[k * n + i]; };
  if (transposed) {  // A^T = U^T L^T P
    substitute(n, columns, across, true, false, b);
    substitute(n, columns, across, false, true, b);
    for (Size k = n; k-- > 0;) exchange(k);
  } else {
    for (Size k = 0; k < n; ++k) exchange(k);
    substitute(n, columns, at, true, true, b);
    substitute(n, columns, at, false, false, b);
  }
}

// Jacobi's method, by cyclic sweeps (Golub and Van Loan, Matrix Computations, 8.5)
template <class T>
bool own_eigh(Size n, T* a, T* w) {
  std::vector<T> s(static_cast<std::size_t>(n * n)), v(s.size(), T(0));
  for (Size i = 0; i < n; ++i) {
    v[static_cast<std::size_t>(i * n + i)] = 1;
    for (Size j = 0; j < n; ++j) s[static_cast<std::size_t>(i * n + j)] = a[std::max(i, j) * n + std::min(i, j)];
  }
  const auto at = [&](std::vector<T>& m, Size i, Size j) -> T& { return m[static_cast<std::size_t>(i * n + j)]; };
  T greatest = 0;
  for (const T x : s) {
    if (!std::isfinite(x)) return false;
    greatest = std::max(greatest, std::abs(x));
  }
  const T negligible = greatest * std::numeric_limits<T>::epsilon() / 8;
  constexpr int most_sweeps = 60;
  bool done = false;
  for (int sweep = 0; sweep < most_sweeps && !done; ++sweep) {
    done = true;
    for (Size p = 0; p < n; ++p)
      for (Size q = p + 1; q < n; ++q) {
        const T off = at(s, p, q);
        if (std::abs(off) <= negligible) continue;
        done = false;
        // t = tan of the angle that makes s[p][q] 0
        const T tau = (at(s, q, q) - at(s, p, p)) / (2 * off);
        const T t = (tau >= 0 ? T(1) : T(-1)) / (std::abs(tau) + std::hypot(T(1), tau));
        const T c = 1 / std::hypot(T(1), t), d = t * c;
        for (Size k = 0; k < n; ++k) {
          const T x = at(s, k, p), y = at(s, k, q);
          at(s, k, p) = c * x - d * y, at(s, k, q) = d * x + c * y;
        }
        for (Size k = 0; k < n; ++k) {
          const T x = at(s, p, k), y = at(s, q, k);
          at(s, p, k) = c * x - d * y, at(s, q, k) = d * x + c * y;
        }
        at(s, p, q) = at(s, q, p) = 0;
        for (Size k = 0; k < n; ++k) {
          const T x = at(v, k, p), y = at(v, k, q);
          at(v, k, p) = c * x - d * y, at(v, k, q) = d * x + c * y;
        }
      }
  }
  if (!done) return false;
  std::vector<Size> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Size{0});
  std::stable_sort(order.begin(), order.end(), [&](Size i, Size j) { return at(s, i, i) < at(s, j, j); });
  for (Size j = 0; j < n; ++j) {
    const Size from = order[static_cast<std::size_t>(j)];
    w[j] = at(s, from, from);
    for (Size i = 0; i < n; ++i) a[i * n + j] = at(v, i, from);
  }
  return true;
}

// ---- LAPACK's, which reads a row-major matrix as its transpose

template <class T>
bool cholesky_of(Size n, T* a) {
  bool found = true;
  if (by_library<T>(n)) {
    const int size = static_cast<int>(n);
    int info = 0;
    const LibraryCall call;
    lapack<T>().potrf("U", &size, a, &size, &info, 1);
    found = info == 0;
    for (Size i = 0; i < n && found; ++i) found = std::isfinite(a[i * n + i]);
  } else {
    found = own_cholesky(n, a);
  }
  for (Size i = 0; i < n; ++i) std::fill(a + i * n + i + 1, a + (i + 1) * n, T(0));
  return found;
}

template <class T>
bool lu_of(Size n, T* a, int* pivots) {
  if (!by_library<T>(n)) return own_lu(n, a, pivots);
  const int size = static_cast<int>(n);
  int info = 0;
  {
    const LibraryCall call;
    lapack<T>().getrf(&size, &size, a, &size, pivots, &info);
  }
  bool regular = info == 0;
  for (Size i = 0; i < n; ++i) {
    regular = regular && !std::isnan(a[i * n + i]);
    --pivots[i];  // Fortran counts from 1
  }
  return regular;
}

template <class T>
void transpose(Size rows, Size columns, const T* from, T* to) {
  for (Size i = 0; i < rows; ++i)
    for (Size j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
}

template <class T>
void lu_solve_of(Size n, Size columns, const T* lu, const int* pivots, bool transposed, T* b) {
  if (!by_library<T>(n, columns)) return own_lu_solve(n, columns, lu, pivots, transposed, b);
  std::vector<T> turned(static_cast<std::size_t>(n * columns));
  std::vector<int> places(pivots, pivots + n);
  for (int& p : places) ++p;
  transpose(n, columns, b, turned.data());
  const int size = static_cast<int>(n), width = static_cast<int>(columns);
  int info = 0;
  {
    const LibraryCall call;
    lapack<T>().getrs(transposed ? "N" : "T", &size, &width, lu, &size, places.data(), turned.data(), &size, &info, 1);
  }
  transpose(columns, n, turned.data(), b);
}

template <class T>
void triangular_solve_of(Size n, Size columns, const T* t, bool lower, bool transposed, T* b) {
  if (!by_library<T>(n, columns)) return own_triangular_solve(n, columns, t, lower, transposed, b);
  constexpr int row_major = 101, no = 111, yes = 112, above = 121, below = 122, general = 131, left = 141;
  const LibraryCall call;
  lapack<T>().trsm(row_major, left, lower ? below : above, transposed ? yes : no, general, static_cast<int>(n),
                   static_cast<int>(columns), T(1), t, static_cast<int>(n), b, static_cast<int>(columns));
}

template <class T>
bool eigh_of(Size n, T* a, T* w) {
  if (!by_library<T>(n)) return own_eigh(n, a, w);
  for (Size i = 0; i < n; ++i)
    for (Size j = 0; j <= i; ++j)
      if (!std::isfinite(a[i * n + j])) return false;
  const int size = static_cast<int>(n), ask = -1;
  int info = 0, whole = 0;
  T most = 0;
  {
    const LibraryCall call;
    lapack<T>().syevd("V", "U", &size, a, &size, w, &most, &ask, &whole, &ask, &info, 1, 1);
  }
  // A float of more than 2^24 may have been rounded down.
  std::vector<T> work(static_cast<std::size_t>(static_cast<double>(most) * 1.000001) + 1);
  std::vector<int> whole_work(static_cast<std::size_t>(whole));
  const int work_size = static_cast<int>(work.size());
  {
    const LibraryCall call;
    lapack<T>().syevd("V", "U", &size, a, &size, w, work.data(), &work_size, whole_work.data(), &whole, &info, 1, 1);
  }
  for (Size i = 0; i < n; ++i)
    for (Size j = 0; j < i; ++j) std::swap(a[i * n + j], a[j * n + i]);
  return info == 0;
}

template <class F>
auto with_float(DType dtype, const F& f) {
  return dtype == DType::f32 ? f(float{}) : f(double{});
}

}  // namespace

bool cholesky(DType dtype, Size n, void* a) {
  return with_float(dtype, [&](auto t) { return cholesky_of(n, static_cast<decltype(t)*>(a)); });
}
bool lu(DType dtype, Size n, void* a, int* pivots) {
  return with_float(dtype, [&](auto t) { return lu_of(n, static_cast<decltype(t)*>(a), pivots); });
}
void lu_solve(DType dtype, Size n, Size columns, const void* lu, const int* pivots, bool transposed, void* b) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    lu_solve_of(n, columns, static_cast<const T*>(lu), pivots, transposed, static_cast<T*>(b));
  });
}
Determinant lu_determinant(DType dtype, Size n, const void* lu, const int* pivots) {
  return with_float(dtype, [&](auto t) {
    using T = decltype(t);
    Determinant d{1, 0, 1};
    for (Size i = 0; i < n; ++i) {
      const double u = static_cast<double>(static_cast<const T*>(lu)[i * n + i]);
      if (pivots[i] != i) d.sign = -d.sign, d.value = -d.value;
      d.sign *= u > 0 ? 1 : u < 0 ? -1 : u;  // 0, or NaN
      d.log += std::log(std::abs(u));
      d.value *= u;
    }
    return d;
  });
}
void triangular_solve(DType dtype, Size n, Size columns, const void* t, bool lower, bool transposed, void* b) {
  with_float(dtype, [&](auto f) {
    using T = decltype(f);
    triangular_solve_of(n, columns, static_cast<const T*>(t), lower, transposed, static_cast<T*>(b));
  });
}
bool eigh(DType dtype, Size n, void* a, void* w) {
  return with_float(dtype, [&](auto t) {
    using T = decltype(t);
    return eigh_of(n, static_cast<T*>(a), static_cast<T*>(w));
  });
}

}  // namespace xgrad::kernels
