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
  Size i = 0;
  for (; i + 4 <= rows; i += 4, left.a += 4 * left.row)
    tile<T, 4, vectors>(left, panel, stride, depth, c + i * ldc, ldc, columns, add);
  for (; i < rows; ++i, left.a += left.row)
    tile<T, 1, vectors>(left, panel, stride, depth, c + i * ldc, ldc, columns, add);
}

template <class T>
void matmul(bool ta, bool tb, Size m, Size n, Size k, const void* a_bytes, Size lda, const void* b_bytes, Size ldb,
            void* c_bytes, Size ldc) {
  const T* a = static_cast<const T*>(a_bytes);
  const T* b = static_cast<const T*>(b_bytes);
  T* c = static_cast<T*>(c_bytes);
  constexpr Size most_columns = 2 * width<T>, most_depth = 256;
  alignas(64) T packed[most_depth * most_columns];
  Size from = 0;
  do {
    const Size depth = k - from < most_depth ? k - from : most_depth;
    const Left<T> left{ta ? a + from * lda : a + from, ta ? 1 : lda, ta ? lda : 1};
    for (Size j = 0; j < n; j += most_columns) {
      const Size columns = n - j < most_columns ? n - j : most_columns;
      const bool two = columns > width<T>;
      const T* panel = b + from * ldb + j;
      Size stride = ldb;
      if (tb || columns != (two ? most_columns : width<T>)) {  // columns that lie side by side, filled up with zeros
        stride = two ? most_columns : width<T>;
        panel = packed;
        for (Size l = 0; l < depth; ++l) {
          T* to = packed + l * stride;
          for (Size i = 0; i < columns; ++i) to[i] = tb ? b[(j + i) * ldb + from + l] : b[(from + l) * ldb + j + i];
          for (Size i = columns; i < stride; ++i) to[i] = T(0);
        }
      }
      if (two) strip<T, 2>(left, panel, stride, depth, c + j, ldc, m, columns, from > 0);
      else strip<T, 1>(left, panel, stride, depth, c + j, ldc, m, columns, from > 0);
    }
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
