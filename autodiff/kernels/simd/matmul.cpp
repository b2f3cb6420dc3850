// Matrix products that are too small for libraries, and all of them where there is none.
#include "autodiff/kernels/simd/turn.hpp"

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
  each_of<rows, vectors>([&](int r, int v) XGRAD_LAMBDA {
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
  });
}

// As many vectors and rows as their sums have registers for.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int most_vectors = 4;
constexpr int most_rows[] = {0, 12, 12, 8, 6};  // by vectors
#else
constexpr int most_vectors = 2;
constexpr int most_rows[] = {0, 8, 6};
#endif

template <class T, int rows, int vectors>
void strip(Left<T>& left, const T* panel, Size stride, Size depth, Result<T>& result, Size& left_rows, Size columns) {
  for (; left_rows >= rows; left_rows -= rows, left.a += rows * left.row, result.c += rows * result.ldc)
    tile<T, rows, vectors>(left, panel, stride, depth, result, columns);
}

// All rows, by the columns of a panel
template <class T, int vectors>
void strips(Left<T> left, const T* panel, Size stride, Size depth, Result<T> result, Size rows, Size columns) {
  strip<T, most_rows[vectors], vectors>(left, panel, stride, depth, result, rows, columns);
  if (rows >= 4) strip<T, 4, vectors>(left, panel, stride, depth, result, rows, columns);
  if (rows >= 2) strip<T, 2, vectors>(left, panel, stride, depth, result, rows, columns);
  if (rows == 1) strip<T, 1, vectors>(left, panel, stride, depth, result, rows, columns);
}

// Vectors of the next panel of so many columns: no narrow one is left over.
template <class T>
int vectors_of(Size columns) {
  const Size vectors = (columns + width<T> - 1) / width<T>;
  return vectors == most_vectors + 1 && most_vectors > 2
             ? most_vectors - 1
             : static_cast<int>(vectors < most_vectors ? vectors : most_vectors);
}

template <class T>
inline constexpr Size most_columns = most_vectors* width<T>;

// `depth` rows of `columns` numbers of op(B), filled up with zeros to rows of `stride`.
template <class T>
void pack(T* to, Size stride, const T* b, Size ldb, bool tb, Size depth, Size columns) {
  if (tb) return turn(b, columns, ldb, depth, to, stride);
  for (Size l = 0; l < depth; ++l, b += ldb)
    for (Size i = 0; i < stride; i += width<T>) {
      const Size k = columns - i;
      (k >= width<T> ? load(b + i) : k > 0 ? load_part(b + i, k) : Batch<T>(T(0))).store_unaligned(to + l * stride + i);
    }
}

// op(A) op(B), for as many of the inner axis as a panel holds
template <class T>
void add_depth(Left<T> left, const T* b, Size ldb, bool tb, Size depth, Result<T> result, Size m, Size n, T* packed) {
  while (n > 0) {
    const int vectors = vectors_of<T>(n);
    const Size whole = vectors * width<T>, columns = n < whole ? n : whole;
    const T* panel = b;
    Size stride = ldb;
    if (tb || columns < whole) {
      pack(packed, whole, b, ldb, tb, depth, columns);
      panel = packed, stride = whole;
    }
    switch (vectors) {
#if defined(__AVX512F__) || defined(__aarch64__)
      case 4: strips<T, 4>(left, panel, stride, depth, result, m, columns); break;
      case 3: strips<T, 3>(left, panel, stride, depth, result, m, columns); break;
#endif
      case 2: strips<T, 2>(left, panel, stride, depth, result, m, columns); break;
      default: strips<T, 1>(left, panel, stride, depth, result, m, columns);
    }
    n -= columns, b += tb ? columns * ldb : columns, result.c += columns;
    if (result.plus) result.plus += columns;
  }
}

// Rows x columns of A B^T, whose sums go along rows of both, lane by lane
template <class T, int rows, int columns>
void dots(const T* a, Size lda, const T* b, Size ldb, Size k, const Result<T>& result) {
  Batch<T> sums[rows][columns];
  for (auto& row : sums)
    for (auto& sum : row) sum = Batch<T>(T(0));
  const auto add = [&](Size l, const auto& some) XGRAD_LAMBDA {
    Batch<T> x[rows];
    for (int r = 0; r < rows; ++r) x[r] = some(a + r * lda + l);
    for (int c = 0; c < columns; ++c) {
      const Batch<T> y = some(b + c * ldb + l);
      for (int r = 0; r < rows; ++r) sums[r][c] = madd(x[r], y, sums[r][c]);
    }
  };
  Size l = 0;
  for (; l + width<T> <= k; l += width<T>) add(l, [](const T* at) XGRAD_LAMBDA { return load(at); });
  if (l < k) add(l, [&](const T* at) XGRAD_LAMBDA { return load_part(at, k - l); });
  each_of<rows, columns>([&](int r, int c) XGRAD_LAMBDA {
    const T z = reduce_lanes(sums[r][c], [](const Batch<T>& p, const Batch<T>& q) XGRAD_LAMBDA { return p + q; });
    result.c[r * result.ldc + c] = result.plus ? z + result.plus[c] : z;
  });
}

template <class T, int rows, int columns>
void all_dots(const T* a, Size lda, const T* b, Size ldb, Size k, Result<T> result, Size n) {
  const auto next = [&](Size some) XGRAD_LAMBDA {
    b += some * ldb, result.c += some;
    if (result.plus) result.plus += some;
  };
  for (; n >= columns; n -= columns, next(columns)) dots<T, rows, columns>(a, lda, b, ldb, k, result);
  for (; n > 0; --n, next(1)) dots<T, rows, 1>(a, lda, b, ldb, k, result);
}

template <class T>
void matmul(bool ta, bool tb, Size m, Size n, Size k, const void* a_bytes, Size lda, const void* b_bytes, Size ldb,
            const void* plus_bytes, void* c_bytes, Size ldc) {
  const T* a = static_cast<const T*>(a_bytes);
  const T* b = static_cast<const T*>(b_bytes);
  const T* plus = static_cast<const T*>(plus_bytes);
  T* c = static_cast<T*>(c_bytes);
  if (tb && !ta && m <= 4 && k >= 2 * width<T>) {  // to lay B out by columns would cost as much as the product
    const Result<T> result{c, ldc, false, plus};
    switch (m) {
      case 1: return all_dots<T, 1, 8>(a, lda, b, ldb, k, result, n);
      case 2: return all_dots<T, 2, 4>(a, lda, b, ldb, k, result, n);
      case 3: return all_dots<T, 3, most_vectors>(a, lda, b, ldb, k, result, n);
      default: return all_dots<T, 4, most_vectors>(a, lda, b, ldb, k, result, n);
    }
  }
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
