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

// Rows x (vectors of columns) of C, over `depth` of the inner axis; panel: depth rows of `stride` numbers.
template <class T, int rows, int vectors>
XGRAD_INLINE void tile(const Left<T>& left, const T* panel, Size stride, Size depth, T* c, Size ldc, Size columns,
                       bool add) {
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
      T* out = c + r * ldc + v * width<T>;
      const Size k = columns - v * width<T>;
      if (k >= width<T>) {
        (add ? sums[r][v] + load(out) : sums[r][v]).store_unaligned(out);
      } else {
        store_part(out, add ? sums[r][v] + load_part(out, k) : sums[r][v], k);
      }
    }
}

template <class T, int vectors>
void strip(Left<T> left, const T* panel, Size stride, Size depth, T* c, Size ldc, Size rows, Size columns, bool add) {
  for (; rows >= 4; rows -= 4, left.a += 4 * left.row, c += 4 * ldc)
    tile<T, 4, vectors>(left, panel, stride, depth, c, ldc, columns, add);
  if (rows == 3) tile<T, 3, vectors>(left, panel, stride, depth, c, ldc, columns, add);
  if (rows == 2) tile<T, 2, vectors>(left, panel, stride, depth, c, ldc, columns, add);
  if (rows == 1) tile<T, 1, vectors>(left, panel, stride, depth, c, ldc, columns, add);
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
        (k >= width<T> ? load(b + i) : k > 0 ? load_part(b + i, k) : Batch<T>(T(0))).store_unaligned(to + l * stride + i);
      }
    return;
  }
  if (columns < stride)
    for (Size i = 0; i < depth * stride; i += width<T>) Batch<T>(T(0)).store_unaligned(to + i);
  for (Size i = 0; i < columns; ++i)
    for (Size l = 0; l < depth; ++l) to[l * stride + i] = b[i * ldb + l];
}

// C += or = op(A) op(B), for as many of the inner axis as a panel holds
template <class T>
void add_depth(Left<T> left, const T* b, Size ldb, bool tb, Size depth, T* c, Size ldc, Size m, Size n, bool add,
               T* packed) {
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
    if (two) strip<T, 2>(left, panel, stride, depth, c + j, ldc, m, columns, add);
    else strip<T, 1>(left, panel, stride, depth, c + j, ldc, m, columns, add);
  }
}

template <class T>
void matmul(bool ta, bool tb, Size m, Size n, Size k, const void* a_bytes, Size lda, const void* b_bytes, Size ldb,
            void* c_bytes, Size ldc) {
  const T* a = static_cast<const T*>(a_bytes);
  const T* b = static_cast<const T*>(b_bytes);
  T* c = static_cast<T*>(c_bytes);
  constexpr Size most_depth = 256, few = width<T> / 2;
  alignas(64) T packed[most_depth * most_columns<T>];
  if (ta && n <= few && k <= most_depth && m > n) {  // narrow: C^T = op(B)^T A, whose rows lie side by side, has full vectors
    alignas(64) T turned[few * most_columns<T>];
    const Left<T> left{b, tb ? ldb : 1, tb ? 1 : ldb};
    for (Size i = 0; i < m; i += most_columns<T>) {
      const Size rows = m - i < most_columns<T> ? m - i : most_columns<T>;
      add_depth(left, a + i, lda, false, k, turned, most_columns<T>, n, rows, false, packed);
      for (Size r = 0; r < rows; ++r)
        for (Size j = 0; j < n; ++j) c[(i + r) * ldc + j] = turned[j * most_columns<T> + r];
    }
    return;
  }
  Size from = 0;
  do {
    const Size depth = k - from < most_depth ? k - from : most_depth;
    const Left<T> left{ta ? a + from * lda : a + from, ta ? 1 : lda, ta ? lda : 1};
    add_depth(left, tb ? b + from : b + from * ldb, ldb, tb, depth, c, ldc, m, n, from > 0, packed);
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
