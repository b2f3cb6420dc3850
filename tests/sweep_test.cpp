// The gradient sweep: every op x shapes x layouts x f32 and f64 x orders x modes. The rows are in sweep/.
#include <boost/test/unit_test.hpp>
#include <cstdio>

#include "sweep/row.hpp"

using namespace sweep;

namespace {

void sweep_rows(const std::vector<Row>& rows) {
  std::size_t cases = 0, refused = 0;
  for (const Row& row : rows) {
    if (row.no_repeats) std::printf("  %s: no repeated numbers: %s\n", row.name.c_str(), row.no_repeats);
    for (const Case& c : cases_of(row)) {
      ++cases;
      for (const Refusal& r : row.refused)
        if (r.of(c.shapes[0])) {
          ++refused;
          break;
        }
      std::string wrong = check(c);
      BOOST_CHECK_MESSAGE(wrong.empty(), c.name() << ": " << wrong);
      wrong = check_batched(c);
      BOOST_CHECK_MESSAGE(wrong.empty(), c.name() << ", batched: " << wrong);
    }
  }
  std::printf("%zu rows, %zu cases, %zu of them refused with an Error\n", rows.size(), cases, refused);
  BOOST_TEST(cases > refused);
}

}  // namespace

BOOST_AUTO_TEST_CASE(elementwise) { sweep_rows(elementwise_rows()); }
BOOST_AUTO_TEST_CASE(choices) { sweep_rows(select_rows()); }
BOOST_AUTO_TEST_CASE(reductions) { sweep_rows(reduction_rows()); }
BOOST_AUTO_TEST_CASE(shapes) { sweep_rows(shape_rows()); }
BOOST_AUTO_TEST_CASE(indices) { sweep_rows(index_rows()); }
BOOST_AUTO_TEST_CASE(products) { sweep_rows(product_rows()); }
BOOST_AUTO_TEST_CASE(custom) { sweep_rows(custom_rows()); }
BOOST_AUTO_TEST_CASE(linear_algebra) { sweep_rows(linalg_rows()); }
BOOST_AUTO_TEST_CASE(convolutions) { sweep_rows(convolution_rows()); }
