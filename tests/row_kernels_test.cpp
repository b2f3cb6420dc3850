// The kernels of small products and of rows, of every instruction set that the machine has, against plain loops in f64.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "autodiff/kernels/rows.hpp"
#include "kernel_cases.hpp"

using namespace kernel_cases;

namespace {

template <class T>
std::vector<T> draw(Size count, std::mt19937& dice, double scale = 1) {
  std::vector<T> x(static_cast<std::size_t>(count));
  for (T& v : x) v = static_cast<T>(scale * std::normal_distribution<double>()(dice));
  return x;
}

struct Product {
  bool ta, tb;
  Size m, n, k, extra;  // extra numbers between rows
  bool plus;
};

template <class T>
void check_product(const kernels::Simd& simd, const Product& p, std::mt19937& dice) {
  const Size lda = (p.ta ? p.m : p.k) + p.extra, ldb = (p.tb ? p.k : p.n) + p.extra, ldc = p.n + p.extra;
  const auto a = draw<T>((p.ta ? p.k : p.m) * lda, dice), b = draw<T>((p.tb ? p.n : p.k) * ldb, dice),
             row = draw<T>(p.n, dice);
  std::vector<T> c(static_cast<std::size_t>(p.m * ldc), T(77));
  simd.matmul[sizeof(T) == 8](p.ta, p.tb, p.m, p.n, p.k, a.data(), lda, b.data(), ldb, p.plus ? row.data() : nullptr,
                              c.data(), ldc);
  const auto of = [](const std::vector<T>& x, Size i) { return static_cast<double>(x[static_cast<std::size_t>(i)]); };
  double worst = 0;
  for (Size i = 0; i < p.m; ++i)
    for (Size j = 0; j < ldc; ++j) {
      double sum = p.plus && j < p.n ? of(row, j) : 0, size = std::abs(sum);
      for (Size l = 0; j < p.n && l < p.k; ++l) {
        const double z = of(a, p.ta ? l * lda + i : i * lda + l) * of(b, p.tb ? j * ldb + l : l * ldb + j);
        sum += z, size += std::abs(z);
      }
      const double off = std::abs(of(c, i * ldc + j) - (j < p.n ? sum : 77));
      worst = std::max(worst, off / (j < p.n ? std::max(size, 1e-30) : 1e-30));
    }
  BOOST_TEST(worst <= 4 * static_cast<double>(std::numeric_limits<T>::epsilon()),
             simd.table.name << " f" << 8 * sizeof(T) << " (" << p.m << ", " << p.k << ") x (" << p.k << ", " << p.n
                             << ") ta " << p.ta << " tb " << p.tb << " extra " << p.extra << " plus " << p.plus
                             << ": off by " << worst);
}

// Log softmax at a place of each row, and its cotangent, where x is of `scale`; in two calls, as jobs are.
template <class T>
void check_rows(const kernels::Simd& simd, Size rows, Size columns, Size apart, double scale, std::mt19937& dice) {
  const auto x = draw<T>(rows * columns, dice, scale), g = draw<T>(rows, dice);
  std::vector<Size> at;
  for (Size r = 0; r < rows; ++r) at.push_back(static_cast<Size>(dice()) % columns);
  std::vector<T> y(static_cast<std::size_t>(rows)), z(x.size());
  for (const kernels::Rows& some :
       {kernels::Rows{0, rows / 3, columns, apart}, kernels::Rows{rows / 3, rows - rows / 3, columns, apart}}) {
    simd.log_softmax_at[sizeof(T) == 8](y.data(), x.data(), at.data(), some);
    simd.log_softmax_at_vjp[sizeof(T) == 8](z.data(), g.data(), x.data(), at.data(), some);
  }
  const auto place = [&](Size r, Size c) {
    return static_cast<std::size_t>((r / apart * columns + c) * apart + r % apart);
  };
  const long double eps = std::numeric_limits<T>::epsilon();
  long double off_y = 0, off_z = 0;
  for (Size r = 0; r < rows; ++r) {
    std::vector<T> row;
    for (Size c = 0; c < columns; ++c) row.push_back(x[place(r, c)]);
    const std::size_t i = static_cast<std::size_t>(at[static_cast<std::size_t>(r)]);
    long double most = row[0], others = 0;
    for (const T number : row) most = std::max<long double>(most, number);
    for (std::size_t c = 0; c < row.size(); ++c)
      if (c != i) others += std::exp(row[c] - most);
    const long double mine = std::exp(row[i] - most), sum = mine + others;
    const long double expected = row[i] == most ? -std::log1p(others) : row[i] - most - std::log(sum),
                      gr = g[static_cast<std::size_t>(r)];
    off_y = std::max(off_y, std::abs(y[static_cast<std::size_t>(r)] - expected) / std::abs(expected));
    for (std::size_t c = 0; c < row.size(); ++c) {
      const long double slope = gr * (c == i ? others : -std::exp(row[c] - most)) / sum;
      const long double off = std::abs(z[place(r, static_cast<Size>(c))] - slope);
      if (std::abs(slope) > 1e3L * std::numeric_limits<T>::min()) off_z = std::max(off_z, off / std::abs(slope));
    }
  }
  // the difference with the greatest is rounded, and exp magnifies that
  const long double rounded = std::max(8.0L, 5.0L * static_cast<long double>(scale));
  BOOST_TEST(off_y / eps <= rounded, simd.table.name << " f" << 8 * sizeof(T) << " " << rows << " x " << columns << ", "
                                                     << apart << " apart, of " << scale << ": values off by "
                                                     << off_y / eps << " eps");
  BOOST_TEST(off_z / eps <= rounded, simd.table.name << " f" << 8 * sizeof(T) << " " << rows << " x " << columns << ", "
                                                     << apart << " apart, of " << scale << ": cotangents off by "
                                                     << off_z / eps << " eps");
}

}  // namespace

BOOST_AUTO_TEST_CASE(small_products) {
  std::mt19937 dice(1);
  for (const kernels::Simd* simd : instruction_sets())
    for (const Size m : {1, 2, 3, 5, 8, 17, 33})
      for (const Size n : {1, 2, 3, 4, 7, 8, 9, 16, 31, 33})
        for (const Size k : {0, 1, 2, 7, 8, 16, 19, 33, 300})
          for (int way = 0; way < 4; ++way) {
            const Product p{(way & 1) != 0, (way & 2) != 0, m, n, k, (m + n + k) % 3, (m + k) % 2 == 0};
            check_product<float>(*simd, p, dice);
            check_product<double>(*simd, p, dice);
          }
}

// Every width of a panel, whole and in part, and every height of a tile.
BOOST_AUTO_TEST_CASE(products_of_many_columns) {
  std::mt19937 dice(2);
  for (const kernels::Simd* simd : instruction_sets())
    for (const Size m : {1, 4, 6, 7, 11, 13, 25})
      for (const Size n : {40, 48, 64, 65, 80, 90, 130})
        for (const Size k : {3, 37, 260})
          for (int way = 0; way < 4; ++way) {
            const Product p{(way & 1) != 0, (way & 2) != 0, m, n, k, (m + n) % 3, (m + k) % 2 == 0};
            check_product<float>(*simd, p, dice);
            check_product<double>(*simd, p, dice);
          }
}

BOOST_AUTO_TEST_CASE(log_softmax_at_places) {
  std::mt19937 dice(2);
  for (const kernels::Simd* simd : instruction_sets())
    for (const double scale : {0.1, 3.0, 20.0}) {
      for (const Size rows : {1, 2, 7, 16, 37})
        for (const Size columns : {2, 3, 10, 16, 17, 40, 1000}) {
          check_rows<float>(*simd, rows, columns, 1, scale, dice);
          check_rows<double>(*simd, rows, columns, 1, scale, dice);
        }
      for (const Size apart : {8, 16, 17, 33})
        for (const Size columns : {1, 3, 32, 256}) {
          check_rows<float>(*simd, 3 * apart, columns, apart, scale, dice);
          check_rows<double>(*simd, 3 * apart, columns, apart, scale, dice);
        }
    }
}
