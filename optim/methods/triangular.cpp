#include "optim/methods/triangular.hpp"

#include <algorithm>
#include <cmath>

namespace xgrad::optim {
namespace {
std::size_t at(Size i) { return static_cast<std::size_t>(i); }
}  // namespace

// Reflection k: I - v v^T / v_k maps column k to (.., -sign |column|, 0, ..), with v_k = 1 + |column_k| / |column|, as
// LINPACK scales it.
void triangularise(Matrix& a, std::vector<double>& b) {
  const Size m = a.rows, n = a.columns, kept = std::min(m, n);
  std::vector<double> dots(static_cast<std::size_t>(n));
  for (Size k = 0; k < kept; ++k) {
    double most = 0, squares = 0;
    for (Size i = k; i < m; ++i) most = std::max(most, std::abs(a[i][k]));
    if (most == 0) continue;
    for (Size i = k; i < m; ++i) squares += (a[i][k] / most) * (a[i][k] / most);
    const double length = std::copysign(most * std::sqrt(squares), a[k][k]);
    for (Size i = k; i < m; ++i) a[i][k] /= length;
    a[k][k] += 1;  // column k is v now
    const double head = a[k][k];

    std::fill(dots.begin(), dots.end(), 0.0);
    double dot_b = 0;
    for (Size i = k; i < m; ++i) {
      const double v = a[i][k];
      for (Size j = k + 1; j < n; ++j) dots[static_cast<std::size_t>(j)] += v * a[i][j];
      dot_b += v * b[static_cast<std::size_t>(i)];
    }
    for (Size i = k; i < m; ++i) {
      const double v = a[i][k] / head;
      for (Size j = k + 1; j < n; ++j) a[i][j] -= v * dots[static_cast<std::size_t>(j)];
      b[static_cast<std::size_t>(i)] -= v * dot_b;
    }
    a[k][k] = -length;
    for (Size i = k + 1; i < m; ++i) a[i][k] = 0;
  }
  a.rows = kept;
  a.numbers.resize(static_cast<std::size_t>(kept * n));
  b.resize(static_cast<std::size_t>(kept));
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

std::vector<double> damped_step(const Matrix& r, const std::vector<double>& qtr, double u,
                                const std::vector<double>& scale, Matrix& a) {
  const Size n = r.columns;
  a = Matrix(r.rows + n, n);
  std::vector<double> b(at(r.rows + n));
  std::copy(r.numbers.begin(), r.numbers.end(), a.numbers.begin());
  for (Size i = 0; i < r.rows; ++i) b[at(i)] = -qtr[at(i)];
  for (Size i = 0; i < n; ++i) a[r.rows + i][i] = std::sqrt(u) * scale[at(i)];
  triangularise(a, b);
  return solve_upper(a, b);
}

std::vector<double> solve_normal(const Matrix& r, std::vector<double> b) {
  for (Size i = 0; i < r.columns; ++i) {
    for (Size j = 0; j < i; ++j) b[at(i)] -= r[j][i] * b[at(j)];
    b[at(i)] /= r[i][i];
  }
  return solve_upper(r, b);
}

bool factorise(Matrix& a) {
  for (Size i = 0; i < a.rows; ++i)
    for (Size j = 0; j <= i; ++j) {
      double rest = a[i][j];
      for (Size k = 0; k < j; ++k) rest -= a[i][k] * a[j][k];
      if (i > j)
        a[i][j] = rest / a[j][j];
      else if (rest > 0 && std::isfinite(rest))
        a[i][i] = std::sqrt(rest);
      else
        return false;
    }
  return true;
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
