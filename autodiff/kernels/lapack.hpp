// Factorisations and solutions of one dense matrix, row by row in memory, f32 or f64: LAPACK's where OpenBLAS is there and
// the matrix is not small, else own loops. The same bits whatever the number of threads.
#pragma once

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::kernels {

// A = L L^T, in place: L below and on the diagonal, 0 above; only A's lower triangle is read. False: not positive definite.
bool cholesky(DType dtype, Size n, void* a);

// P A = L U, in place, with n pivots; for lu_solve and lu_determinant alone. False: a pivot is 0, or NaN.
bool lu(DType dtype, Size n, void* a, int* pivots);
// B [n, columns] <- A^-1 B, or A^-T B.
void lu_solve(DType dtype, Size n, Size columns, const void* lu, const int* pivots, bool transposed, void* b);
// |det A| as its logarithm, and its sign: -1, 0, 1; and det A itself, by the product of the pivots.
struct Determinant {
  double sign, log, value;
};
Determinant lu_determinant(DType dtype, Size n, const void* lu, const int* pivots);

// B [n, columns] <- T^-1 B, or T^-T B, of a triangular T: what lies in the other triangle is not read.
void triangular_solve(DType dtype, Size n, Size columns, const void* t, bool lower, bool transposed, void* b);

// A V = V diag(w), V^T V = 1, w ascending: in place, A becomes V, whose columns they are; only A's lower triangle is read.
// False: it did not converge, or has a NaN.
bool eigh(DType dtype, Size n, void* a, void* w);

}  // namespace xgrad::kernels
