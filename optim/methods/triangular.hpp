// Small linear algebra in plain numbers: QR of a least-squares problem, Cholesky. Private to optim/.
#pragma once

#include <vector>

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::optim {

// A matrix, row by row.
struct Matrix {
  Size rows = 0, columns = 0;
  std::vector<double> numbers;
  Matrix() = default;
  Matrix(Size rows, Size columns) : rows(rows), columns(columns), numbers(static_cast<std::size_t>(rows * columns)) {}
  double* operator[](Size row) { return numbers.data() + row * columns; }
  const double* operator[](Size row) const { return numbers.data() + row * columns; }
};

// a x = b, of m rows and n columns that lie one behind the other, becomes R x = Q^T b by Householder reflections, and only the
// first min(m, n) rows are kept: gives R, upper triangular. To solve it loses as many digits as a's condition number has, and not
// twice as many, as a^T a does.
Matrix triangularise(const double* columns, Size m, Size n, std::vector<double>& b);

// x: R x = b. A 0 on the diagonal gives an infinite x.
std::vector<double> solve_upper(const Matrix& r, const std::vector<double>& b);

// d: R d = -qtr and sqrt(u) D d = 0 in the least squares. `factor` becomes the triangular factor of [R; sqrt(u) D].
std::vector<double> damped_step(const Matrix& r, const std::vector<double>& qtr, double u,
                                const std::vector<double>& scale, Matrix& factor);

// x: R^T R x = b
std::vector<double> solve_normal(const Matrix& r, std::vector<double> b);

// a = L L^T of a symmetric a, whose lower half counts: L in its place. Gives the rows done: all, or those before the first whose
// L_ii^2, which is left at a[i][i], is not above `least`: a is not positive definite.
Size factorise(Matrix& a, double least = 0);
std::vector<double> solve_factorised(const Matrix& lower, std::vector<double> b);  // x: L L^T x = b

}  // namespace xgrad::optim
