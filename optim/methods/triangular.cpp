#include "optim/methods/triangular.hpp"

#include <algorithm>
#include <cmath>

namespace xgrad::optim {

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

}  // namespace xgrad::optim
