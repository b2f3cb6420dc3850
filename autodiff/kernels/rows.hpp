// Kernels on rows of numbers, f32 or f64. Not threaded: the caller shares out rows.
#pragma once

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::kernels {

// Rows of a tensor [..., columns, apart]: row r is of the numbers x[r / apart, 0 ... columns - 1, r % apart]. The rows first ...
// first + count - 1 of it; pointers are to the whole. A row's bits depend on that row alone.
struct Rows {
  Size first, count, columns, apart;
};
inline constexpr Size longest_apart = 256;  // columns, where apart > 1

// y = x - max x - log sum exp(x - max x), of each row; with all digits where that is near 0. `out` may be x.
void log_softmax_rows(DType dtype, void* out, const void* x, const Rows& rows);

// y = exp(x - max x) / sum exp(x - max x), of each row. `out` may be x.
void softmax_rows(DType dtype, void* out, const void* x, const Rows& rows);

// z = y (g - sum g y), of each row. `out` is neither g nor y.
void softmax_vjp_rows(DType dtype, void* out, const void* g, const void* y, const Rows& rows);

// z = x - exp(y) sum x, of each row; with all digits where x is 0 but in one place, and y is near 0 there. `out` is neither x nor y.
void log_softmax_vjp_rows(DType dtype, void* out, const void* x, const void* y, const Rows& rows);

// y = (x - max x - log sum exp(x - max x))[at], of each row, and what leads from its g to x: g (1 [c = at] - softmax x). `at` is in
// 0 ... columns - 1; it, y and g have a number a row. The digits and the bits are those of log_softmax_rows.
void log_softmax_at(DType dtype, void* out, const void* x, const Size* at, const Rows& rows);
void log_softmax_at_vjp(DType dtype, void* out, const void* g, const void* x, const Size* at, const Rows& rows);

// sums[c] += x[r, c] for r = 0 ... rows - 1, in this order.
void add_rows(DType dtype, void* sums, const void* x, Size rows, Size columns);

// What rows are standardised by: less their mean where `centred`, and divided by sqrt(mean square + eps).
struct Standard {
  Size columns;
  double eps;
  bool centred;
};
// y = z w + b, z being x standardised, of each row; w and b, of the columns, may be null. A row's bits depend on that row alone.
void standardize_rows(DType dtype, const Standard& s, void* out, const void* x, const void* w, const void* b,
                      Size rows);
// The cotangents of x, a row for a row; and of w and b, the sums over the rows. Null: not wanted.
struct Cotangents {
  void *x, *weight, *bias;
};
void standardize_vjp_rows(DType dtype, const Standard& s, const Cotangents& out, const void* g, const void* x,
                          const void* w, Size rows);

}  // namespace xgrad::kernels
