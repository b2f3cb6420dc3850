// Matrix products that are too small for a library's call, and all of them where there is no library.
#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

// op(A) as numbers a[i * row + l * column].
template <class T>
struct Left {
  const T* a;
  Size row, column;
};

// Where results go: C, or added to what is there; then a row is added to each of its rows, where there is one.
template <class T>
struct Result {
  T* c;
  Size ldc;
  bool add;
  const T* plus;
};

// Rows x (vectors of columns) of C, over `depth` of the inner axis; panel: depth rows of `stride` numbers.
template <class T, int rows, int vectors>
XGRAD_INLINE void tile(const Left<T>& left, const T* panel, Size stride, Size depth, const Result<T>& result,
                       Size columns) {
  Batch<T> sums[rows][vectors];
  for (auto& row : sums)
    for (auto& sum : row) sum = Batch<T>(T(0));
  for (Size l = 0; l < depth; ++l) {
    Batch<T> y[vectors];
    for (int v = 0; v < vectors; ++v) y[v] = load(panel + l * stride + v * width<T>);
    for (int r = 0; r < rows; ++r) {
      const Batch<T> x(left.a[r * left.row + l * left.column]);
      for (int v = 0; v < vectors; ++v) sums[r][v] = madd(x, y[v], sums[r][v]);
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) {
      T* out = result.c + r * result.ldc + v * width<T>;
      const Size k = columns - v * width<T>;
      Batch<T> z = sums[r][v];
      if (k >= width<T>) {
        if (result.add) z = z + load(out);
        if (result.plus) z = z + load(result.plus + v * width<T>);
        z.store_unaligned(out);
      } else {
        if (result.add) z = z + load_part(out, k);
        if (result.plus) z = z + load_part(result.plus + v * width<T>, k);
        store_part(out, z, k);
      }
    }
}

template <class T, int vectors>
void strip(Left<T> left, const T* panel, Size stride, Size depth, Result<T> result, Size rows, Size columns) {
  for (; rows >= 4; rows -= 4, left.a += 4 * left.row, result.c += 4 * result.ldc)
    tile<T, 4, vectors>(left, panel, stride, depth, result, columns);
  if (rows == 3) tile<T, 3, vectors>(left, panel, stride, depth, result, columns);
  if (rows == 2) tile<T, 2, vectors>(left, panel, stride, depth, result, columns);
  if (rows == 1) tile<T, 1, vectors>(left, panel, stride, depth, result, columns);
}

template <class T>
inline constexpr Size most_columns = 2 * width<T>;

// `depth` rows of `columns` numbers of op(B), filled up with zeros to rows of `stride`.
template <class T>
void pack(T* to, Size stride, const T* b, Size ldb, bool tb, Size depth, Size columns) {
  if (!tb) {
    for (Size l = 0; l < depth; ++l, b += ldb)
      for (Size i = 0; i < stride; i += width<T>) {
        const Size k = columns - i;
        (k >= width<T> ? load(b + i)
         : k > 0       ? load_part(b + i, k)
                       : Batch<T>(T(0)))
            .store_unaligned(to + l * stride + i);
      }
    return;
  }
  if (columns < stride)
    for (Size i = 0; i < depth * stride; i += width<T>) Batch<T>(T(0)).store_unaligned(to + i);
  for (Size i = 0; i < columns; ++i)
    for (Size l = 0; l < depth; ++l) to[l * stride + i] = b[i * ldb + l];
}

// op(A) op(B), for as many of the inner axis as a panel holds
template <class T>
void add_depth(Left<T> left, const T* b, Size ldb, bool tb, Size depth, Result<T> result, Size m, Size n, T* packed) {
  for (Size j = 0; j < n; j += most_columns<T>) {
    const Size columns = n - j < most_columns<T> ? n - j : most_columns<T>;
    const bool two = columns > width<T>;
    const T* panel = tb ? b + j * ldb : b + j;
    Size stride = ldb;
    if (tb || columns != (two ? most_columns<T> : width<T>)) {
      stride = two ? most_columns<T> : width<T>;
      pack(packed, stride, panel, ldb, tb, depth, columns);
      panel = packed;
    }
    if (two) strip<T, 2>(left, panel, stride, depth, result, m, columns);
    else strip<T, 1>(left, panel, stride, depth, result, m, columns);
    result.c += columns;
    if (result.plus) result.plus += columns;
  }
}

template <class T>
void matmul(bool ta, bool tb, Size m, Size n, Size k, const void* a_bytes, Size lda, const void* b_bytes, Size ldb,
            const void* plus_bytes, void* c_bytes, Size ldc) {
  const T* a = static_cast<const T*>(a_bytes);
  const T* b = static_cast<const T*>(b_bytes);
  const T* plus = static_cast<const T*>(plus_bytes);
  T* c = static_cast<T*>(c_bytes);
  constexpr Size most_depth = 256, few = width<T> / 2;
  alignas(64) T packed[most_depth * most_columns<T>];
  if (ta && n <= few && k <= most_depth &&
      m > n) {  // narrow: C^T = op(B)^T A, whose rows lie side by side, has full vectors
    alignas(64) T turned[few * most_columns<T>];
    const Left<T> left{b, tb ? ldb : 1, tb ? 1 : ldb};
    for (Size i = 0; i < m; i += most_columns<T>) {
      const Size rows = m - i < most_columns<T> ? m - i : most_columns<T>;
      add_depth<T>(left, a + i, lda, false, k, {turned, most_columns<T>, false, nullptr}, n, rows, packed);
      for (Size r = 0; r < rows; ++r)
        for (Size j = 0; j < n; ++j) {
          const T z = turned[j * most_columns<T> + r];
          c[(i + r) * ldc + j] = plus ? z + plus[j] : z;
        }
    }
    return;
  }
  Size from = 0;
  do {
    const Size depth = k - from < most_depth ? k - from : most_depth;
    const Left<T> left{ta ? a + from * lda : a + from, ta ? 1 : lda, ta ? lda : 1};
    const T* last = from + depth == k ? plus : nullptr;
    add_depth<T>(left, tb ? b + from : b + from * ldb, ldb, tb, depth, {c, ldc, from > 0, last}, m, n, packed);
    from += depth;
  } while (from < k);
}

}  // namespace

namespace XGRAD_ARCH {

void fill_matmul(Simd& all) {
  all.matmul[0] = matmul<float>;
  all.matmul[1] = matmul<double>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
