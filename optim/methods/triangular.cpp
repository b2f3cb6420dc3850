#include "optim/methods/triangular.hpp"

#include <algorithm>
#include <cmath>

#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {
std::size_t at(Size i) { return static_cast<std::size_t>(i); }
}  // namespace

// Reflection k: I - v v^T / v_k maps column k to (.., -sign |column|, 0, ..), with v_k = 1 + |column_k| / |column|, as
// LINPACK scales it.
Matrix triangularise(const double* columns, Size m, Size n, std::vector<double>& b) {
  std::vector<double> a(columns, columns + m * n);
  Matrix r(std::min(m, n), n);
  for (Size k = 0; k < r.rows; ++k) {
    double* const v = a.data() + k * m + k;
    const Size rest = m - k;
    double most = 1, squares = dot(v, v, rest);
    if (!(squares > 1e-280 && squares < 1e280)) {  // they may have left what a double can hold
      most = largest(v, rest);
      for (Size i = 0; i < rest && most > 0; ++i) v[i] /= most;
      squares = dot(v, v, rest);
    }
    if (squares > 0) {
      const double size = std::copysign(std::sqrt(squares), v[0]);
      for (Size i = 0; i < rest; ++i) v[i] *= 1 / size;
      v[0] += 1;
      const auto reflect = [&](double* x) { combine(x, x, -dot(v, x, rest) / v[0], v, rest); };
      for (Size j = k + 1; j < n; ++j) reflect(a.data() + j * m + k);
      reflect(b.data() + k);
      r[k][k] = -size * most;
    }
    for (Size j = k + 1; j < n; ++j) r[k][j] = a[at(j * m + k)];
  }
  b.resize(at(r.rows));
  return r;
}

std::vector<double> solve_upper(const Matrix& r, const std::vector<double>& b) {
  std::vector<double> x(static_cast<std::size_t>(r.columns));
  for (Size i = r.columns; i-- > 0;) {
    double rest = b[static_cast<std::size_t>(i)];
    for (Size j = i + 1; j < r.columns; ++j) rest -= r[i][j] * x[static_cast<std::size_t>(j)];
    x[static_cast<std::size_t>(i)] = rest / r[i][i];
  }
  return x;
}

// The reflections again, of n rows of R above n of the diagonal: reflection k meets row k of R, and of the others those
// up to k, which earlier ones have filled.
std::vector<double> damped_step(const Matrix& r, const std::vector<double>& qtr, double u,
                                const std::vector<double>& scale, Matrix& factor) {
  const Size n = r.columns;
  factor = Matrix(n, n);
  std::copy(r.numbers.begin(), r.numbers.end(), factor.numbers.begin());
  Matrix below(n, n);
  std::vector<double> b(at(n)), c(at(n));
  for (Size i = 0; i < r.rows; ++i) b[at(i)] = -qtr[at(i)];
  for (Size i = 0; i < n; ++i) below[i][i] = std::sqrt(u) * scale[at(i)];
  for (Size k = 0; k < n; ++k) {
    double most = std::abs(factor[k][k]), squares = 0;
    for (Size i = 0; i <= k; ++i) most = std::max(most, std::abs(below[i][k]));
    if (most == 0) continue;
    const auto add = [&](double x) { squares += (x / most) * (x / most); };
    add(factor[k][k]);
    for (Size i = 0; i <= k; ++i) add(below[i][k]);
    const double size = std::copysign(most * std::sqrt(squares), factor[k][k]), head = 1 + factor[k][k] / size;
    for (Size i = 0; i <= k; ++i) below[i][k] /= size;
    const auto reflect = [&](double& top, const auto& x) {  // a column: its number in row k, and those below
      double along = head * top;
      for (Size i = 0; i <= k; ++i) along += below[i][k] * x(i);
      along /= head;
      top -= along * head;
      for (Size i = 0; i <= k; ++i) x(i) -= along * below[i][k];
    };
    for (Size j = k + 1; j < n; ++j) reflect(factor[k][j], [&](Size i) -> double& { return below[i][j]; });
    reflect(b[at(k)], [&](Size i) -> double& { return c[at(i)]; });
    factor[k][k] = -size;
  }
  return solve_upper(factor, b);
}

std::vector<double> solve_normal(const Matrix& r, std::vector<double> b) {
  for (Size i = 0; i < r.columns; ++i) {
    for (Size j = 0; j < i; ++j) b[at(i)] -= r[j][i] * b[at(j)];
    b[at(i)] /= r[i][i];
  }
  return solve_upper(r, b);
}

Size factorise(Matrix& a, double least) {
  for (Size i = 0; i < a.rows; ++i)
    for (Size j = 0; j <= i; ++j) {
      double rest = a[i][j];
      for (Size k = 0; k < j; ++k) rest -= a[i][k] * a[j][k];
      if (i > j) {
        a[i][j] = rest / a[j][j];
        continue;
      }
      const bool positive = rest > least && std::isfinite(rest);
      a[i][i] = positive ? std::sqrt(rest) : rest;
      if (!positive) return i;
    }
  return a.rows;
}

std::vector<double> solve_factorised(const Matrix& lower, std::vector<double> b) {
  const Size n = lower.rows;
  for (Size i = 0; i < n; ++i) {
    for (Size j = 0; j < i; ++j) b[at(i)] -= lower[i][j] * b[at(j)];
    b[at(i)] /= lower[i][i];
  }
  for (Size i = n; i-- > 0;) {
    for (Size j = i + 1; j < n; ++j) b[at(i)] -= lower[j][i] * b[at(j)];
    b[at(i)] /= lower[i][i];
  }
  return b;
}

}  // namespace xgrad::optim
