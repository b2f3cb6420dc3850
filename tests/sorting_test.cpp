// Order along an axis against std::stable_sort: ties, NaN, infinities, every dtype, empty rows.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

// The places of one row, NaN last, or first where descending.
std::vector<Size> expected(const std::vector<double>& row, bool descending) {
  std::vector<Size> places(row.size());
  std::iota(places.begin(), places.end(), Size{0});
  const auto rank = [](double v) { return std::isnan(v) ? std::numeric_limits<double>::infinity() : v; };
  std::stable_sort(places.begin(), places.end(), [&](Size i, Size j) {
    const double a = row[static_cast<std::size_t>(i)], b = row[static_cast<std::size_t>(j)];
    if (std::isnan(a) != std::isnan(b)) return descending ? std::isnan(a) : std::isnan(b);
    return descending ? rank(a) > rank(b) : rank(a) < rank(b);
  });
  return places;
}

Tensor numbers(const Shape& shape, DType dtype) {
  Tensor x = cast(randint(-3, 4, shape), f64);  // with many ties
  if (is_float(dtype)) {
    const Tensor kind = randint(0, 12, shape);
    x = where(kind == 0, std::numeric_limits<double>::quiet_NaN(),
              where(kind == 1, std::numeric_limits<double>::infinity(), x));
  }
  return evaluate(cast(x, dtype));
}

}  // namespace

BOOST_AUTO_TEST_CASE(as_a_stable_sort) {
  manual_seed(2);
  for (const DType dtype : {f32, f64, i64, boolean})
    for (const Size n : {0, 1, 2, 7, 64, 1500})
      for (const bool descending : {false, true})
        BOOST_TEST_CONTEXT(name(dtype) << " " << n << " " << descending) {
          const Tensor x = numbers({5, n}, dtype), wide = cast(x, f64);
          const auto [values, places] = sort(x, 1, descending);
          BOOST_TEST(values.dtype() == dtype);
          const Tensor of_columns = argsort(transpose(x), 0, descending), first = topk(x, n / 2, -1, descending)[1];
          const Size few = std::min<Size>(n, 5);
          const Tensor first_few = topk(x, few, -1, descending)[1];
          for (Size r = 0; r < 5; ++r) {
            const std::vector<Size> want = expected(wide[r].to_vector<double>(), descending);
            BOOST_TEST(places[r].to_vector<Size>() == want, boost::test_tools::per_element());
            BOOST_TEST(select(of_columns, 1, r).to_vector<Size>() == want, boost::test_tools::per_element());
            BOOST_TEST(first[r].to_vector<Size>() == std::vector<Size>(want.begin(), want.begin() + n / 2),
                       boost::test_tools::per_element());
            BOOST_TEST(first_few[r].to_vector<Size>() == std::vector<Size>(want.begin(), want.begin() + few),
                       boost::test_tools::per_element());
          }
        }
}

BOOST_AUTO_TEST_CASE(gradients_go_to_where_values_were) {
  const Tensor x = watch(tensor({3.0, 1.0, 3.0, 2.0}));
  const Tensor g = grad(sum(sort(x)[0] * tensor({1.0, 10.0, 100.0, 1000.0})), {x})[0];
  BOOST_TEST(allclose(g, tensor({100.0, 1.0, 1000.0, 10.0})));
  BOOST_TEST(allclose(grad(sum(topk(x, 1)[0]), {x})[0], tensor({1.0, 0.0, 0.0, 0.0})));  // of equals, the first
  BOOST_TEST(!argsort(x).requires_grad());
}

BOOST_AUTO_TEST_CASE(refusals) {
  const Tensor x = ones({3, 2});
  BOOST_CHECK_THROW(topk(x, 3), Error);
  BOOST_CHECK_THROW(topk(x, -1), Error);
  BOOST_CHECK_THROW(sort(x, 2), Error);
  BOOST_CHECK_THROW(argsort(tensor(1.0)), Error);
}
