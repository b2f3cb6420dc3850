// Running totals and products, against loops: every dtype, zeros, infinities, empty axes; and their slopes.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "references/references.hpp"
#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
using Numbers = std::vector<double>;

// d(sum g y)/dx of running products, each the product of the others.
Numbers slopes(const Numbers& x, const Numbers& g) {
  Numbers all(x.size());
  for (std::size_t k = 0; k < x.size(); ++k)
    for (std::size_t i = 0; i <= k; ++i) {
      double others = g[k];
      for (std::size_t j = 0; j <= k; ++j)
        if (j != i) others *= x[j];
      all[i] += others;
    }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(products) {
  BOOST_TEST(cumprod(tensor({2.0, -3.0, 0.5}), 0).to_vector<double>() == (Numbers{2, -6, -3}),
             boost::test_tools::per_element());
  BOOST_TEST(cumprod(tensor({{1, 2}, {3, 4}, {5, 6}}), 0).to_vector<Size>() == (std::vector<Size>{1, 2, 3, 8, 15, 48}),
             boost::test_tools::per_element());
  BOOST_TEST(cumprod(tensor({{1, 2}, {3, 4}, {5, 6}}), -1).to_vector<Size>() == (std::vector<Size>{1, 2, 3, 12, 5, 30}),
             boost::test_tools::per_element());
  const Tensor flags = cumprod(tensor({true, true, false, true}), 0);
  BOOST_TEST((flags.dtype() == i64 && flags.to_vector<Size>() == std::vector<Size>{1, 1, 0, 0}));
  BOOST_TEST(cumprod(tensor({inf, 2.0, 0.0}), 0).to_vector<double>()[1] == inf);
  BOOST_TEST(std::signbit(cumprod(tensor({-0.0, 2.0}), 0).to_vector<double>()[0]));
  BOOST_TEST(cumprod(zeros({2, 0}), 1).shape() == Shape({2, 0}));
  BOOST_TEST(cumprod(zeros({0, 2}), 1).shape() == Shape({0, 2}));
  CHECK_ERROR(cumprod(tensor(1.0), 0), "[cumprod] axis 0 of a 0-d tensor");
  CHECK_ERROR(cumprod(ones({2}), 1), "[cumprod] axis 1 of a vector");
  const Tensor many = cumprod(full({300, 200}, 1.001f), 0);  // as in f64, and more columns than are walked at a time
  BOOST_TEST(std::abs(many[299][199].item() - std::pow(static_cast<double>(1.001f), 300)) < 1e-6);
}

BOOST_AUTO_TEST_CASE(slopes_at_zeros) {
  for (const Numbers& x :
       {Numbers{2, 3, 4, 5}, {0, 3, 4, 5}, {2, 0, 4, 5}, {2, 3, 4, 0}, {0, 3, 0, 5}, {0, 0, 0, 0}, {-1, 0, 2, -3}}) {
    const Numbers g{0.5, -1, 2, 3};
    const Tensor w = watch(tensor(x));
    const Tensor first = grad(cumprod(w, 0), w, tensor(g), {.create_graph = true})[0];
    BOOST_TEST(first.to_vector<double>() == slopes(x, g), boost::test_tools::per_element());
    // the second derivative, by differences of the first, which is linear in each number
    const Tensor along = tensor({1.0, -2.0, 0.5, 1.5});
    const Numbers exact = grad(sum(first * along), w)[0].to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      Numbers up = x, down = x;
      up[i] += 1, down[i] -= 1;
      const Numbers a = slopes(up, g), b = slopes(down, g), t = along.to_vector<double>();
      double slope = 0;
      for (std::size_t j = 0; j < x.size(); ++j) slope += t[j] * (a[j] - b[j]) / 2;
      BOOST_TEST(std::abs(exact[i] - slope) < 1e-12 * (1 + std::abs(slope)));
    }
  }
  const Tensor w = watch(tensor({2.0, inf}));
  BOOST_TEST(grad(sum(cumprod(w, 0)), w)[0].to_vector<double>() == (Numbers{inf, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(totals) {
  BOOST_TEST(std::signbit(cumsum(tensor({-0.0, -0.0}), 0).to_vector<double>()[1]));
  BOOST_TEST(cumsum(tensor({{1, 2}, {3, 4}}), 0).to_vector<Size>() == (std::vector<Size>{1, 2, 4, 6}),
             boost::test_tools::per_element());
  BOOST_TEST(cumsum(zeros({0, 2}), 0).shape() == Shape({0, 2}));
}
