// How tensors are printed: as NumPy does.
#include <fmt/format.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

BOOST_AUTO_TEST_CASE(tensors) {
  const std::pair<Tensor, const char*> rows[] = {
      {tensor(1.5), "1.5"},
      {tensor({1.0, -2.5, 1e10}), "[   1.,  -2.5, 1e+10]"},
      {tensor({{1, 20}, {3, 4}}), "[[ 1, 20],\n [ 3,  4]]"},
      {reshape(arange(8), {2, 2, 2}), "[[[0, 1],\n  [2, 3]],\n [[4, 5],\n  [6, 7]]]"},
      {tensor({1, 0}) > 0, "[ true, false]"},
      {arange(1001), "[   0,    1,    2, ...,  998,  999, 1000]"},
      {reshape(arange(3000), {2, 1500}),
       "[[   0,    1,    2, ..., 1497, 1498, 1499],\n"
       " [1500, 1501, 1502, ..., 2997, 2998, 2999]]"},
      {reshape(arange(1400), {700, 2}),
       "[[   0,    1],\n [   2,    3],\n [   4,    5],\n ...,\n [1394, 1395],\n"
       " [1396, 1397],\n [1398, 1399]]"},
      {Tensor(), "(empty)"},
      {zeros({0}), "[]"},
      {zeros({3000000, 0}), "[] of shape (3000000, 0)"},
  };
  for (const auto& [t, text] : rows) BOOST_TEST(to_string(t) == text);
}

BOOST_AUTO_TEST_CASE(formats) {
  const Tensor t = tensor({1.25, 1000.0});
  BOOST_TEST(fmt::format("{:.2}", t) == to_string(t, 2));
  BOOST_TEST(fmt::format("{:.1f} {:.1e}", t, t) == to_string(t, 1, 'f') + " " + to_string(t, 1, 'e'));
  for (const char* other : {"{:q}", "{:.3d}", "{:8}"})
    BOOST_CHECK_THROW((void)fmt::format(fmt::runtime(other), t), fmt::format_error);
}

BOOST_AUTO_TEST_CASE(a_great_rank_overflows_no_stack) {
  Shape extents;
  extents.resize(200'000);
  std::fill(extents.begin(), extents.end(), 1);
  try {
    BOOST_TEST(to_string(ones(extents)).size() == 2 * extents.size() + 2);
  } catch (const Error& refused) {
    BOOST_TEST(std::string(refused.what()).find("200000") != std::string::npos, refused.what());
  }
}
