// Kernels on the rows of a contiguous matrix [rows, columns], f32 or f64. Not threaded: the caller shares out rows.
#pragma once

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::kernels {

// y = x - max x - log sum exp(x - max x), of each row; with all digits where that is near 0. `out` may be x. A row's bits depend on that row alone.
void log_softmax_rows(DType dtype, void* out, const void* x, Size rows, Size columns);

// y = exp(x - max x) / sum exp(x - max x), of each row. `out` may be x. A row's bits depend on that row alone.
void softmax_rows(DType dtype, void* out, const void* x, Size rows, Size columns);

// z = x - exp(y) sum x, of each row; with all digits where x is 0 but in one place, and y is near 0 there. `out` is neither x nor y. A row's bits depend on that row alone.
void log_softmax_vjp_rows(DType dtype, void* out, const void* x, const void* y, Size rows, Size columns);

// y = (x - max x - log sum exp(x - max x))[at], of each row, and what leads from its g to x: g (1 [c = at] - softmax x). `at` is in
// 0 ... columns - 1. The digits and the bits are those of log_softmax_rows.
void log_softmax_at(DType dtype, void* out, const void* x, const Size* at, Size rows, Size columns);
void log_softmax_at_vjp(DType dtype, void* out, const void* g, const void* x, const Size* at, Size rows, Size columns);

// sums[c] += x[r, c] for r = 0 ... rows - 1, in this order.
void add_rows(DType dtype, void* sums, const void* x, Size rows, Size columns);

}  // namespace xgrad::kernels
