// Reductions where numbers are huge, tiny or infinite: lengths, deviations, logsumexp; values and derivatives by hand.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include <xgrad/autodiff.hpp>
#include "expected.hpp"

using namespace xgrad;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan_ = std::numeric_limits<double>::quiet_NaN();
using Scalar = std::function<Tensor(const Tensor&)>;

constexpr double ulps = 4;  // of the expected number
bool same(double got, double expected, DType dtype) { return helpers::same(got, expected, dtype, ulps); }
void expect(const std::string& what, const Tensor& got, const std::vector<double>& expected) {
  helpers::expect(what, got, expected, ulps);
}

struct Length {
  DType dtype;
  std::vector<double> x;
  double y;
  std::vector<double> slope;
};

}  // namespace

BOOST_AUTO_TEST_CASE(lengths_far_out) {
  const std::vector<Length> rows = {
      {f64, {3e-200, 4e-200}, 5e-200, {0.6, 0.8}},
      {f64, {3e200, -4e200}, 5e200, {0.6, -0.8}},
      {f64, {0x1p-1073, 0}, 0x1p-1073, {1, 0}},
      {f64, {3 * 0x1p-1074, 4 * 0x1p-1074}, 5 * 0x1p-1074, {0.6, 0.8}},
      {f64, {1e308, 0, 0}, 1e308, {1, 0, 0}},
      {f64, {1e-300, 1}, 1, {1e-300, 1}},
      {f64, {1e300, 1}, 1e300, {1, 1e-300}},
      {f64, {1e308, 1e308, 1e308, 1e308}, inf, {0, 0, 0, 0}},  // the length itself is out of range
      {f32, {0x1p+66, 1, 1}, 0x1p+66, {1, 0x1p-66, 0x1p-66}},
      {f32, {3 * 0x1p+100, 4 * 0x1p+100}, 5 * 0x1p+100, {0.6f, 0.8f}},
      {f32, {3 * 0x1p-100, 4 * 0x1p-100}, 5 * 0x1p-100, {0.6f, 0.8f}},
      {f32, {3 * 0x1p-148, 4 * 0x1p-148}, 5 * 0x1p-148, {0.6f, 0.8f}},
      {f32, {3 * 0x1p+124, 4 * 0x1p+124}, 5 * 0x1p+124, {0.6f, 0.8f}},
  };
  std::vector<Length> all = rows;
  for (const DType dtype : {f32, f64}) {
    all.push_back({dtype, {0, 0}, 0, {0, 0}});
    all.push_back({dtype, {inf, 1}, inf, {nan_, 0}});
    all.push_back({dtype, {1, -inf, 2}, inf, {0, nan_, 0}});
    all.push_back({dtype, {inf, nan_}, nan_, {nan_, nan_}});
    all.push_back({dtype, {nan_, 1}, nan_, {nan_, nan_}});
  }
  for (const Length& row : all)
    for (const Size copies : {Size{1}, Size{1024}}) {  // at once, and in a region
      // zeros beside them change nothing
      std::vector<double> numbers = row.x, slopes = row.slope;
      numbers.resize(numbers.size() * static_cast<std::size_t>(copies), 0.0);
      slopes.resize(numbers.size(), std::isnan(row.y) ? nan_ : 0.0);
      const Tensor x = watch(cast(tensor(numbers), row.dtype));
      const std::string what = fmt::format("norm of {} ... x {}", row.x[0], numbers.size());
      const Tensor y = norm(x);
      expect(what, y, {row.y});
      expect("slope, " + what, grad(y, {x})[0], slopes);
      expect("forward slope, " + what,
             jvp([](const Tensor& v) { return norm(v); }, x, cast(eye(x.numel()), row.dtype)[0]).tangent,
             {std::isinf(row.y) && std::isnan(slopes[0] + slopes[1]) ? nan_ : slopes[0]});  // 0 x NaN beside infinity
      if (copies > 1) continue;
      // of deviations: those of {x, -x} from 0 are x, twice
      const Tensor twice = stack({x, -x}, 0);
      const Tensor d = stddev(twice, 0, 0);
      std::vector<double> sizes;
      for (const double v : row.x) sizes.push_back(std::isinf(v) ? nan_ : std::abs(v));
      expect("stddev of a number and its negative, " + what, d, sizes);
      if (const double least = row.dtype == f32 ? 0x1p-120 : 0x1p-1000;
          std::isfinite(row.y) && row.y > least)  // whose roots have all digits
        for (std::size_t i = 0; i < sizes.size(); ++i) {
          const Tensor slope = grad(d, {x}, cast(eye(x.numel())[i], row.dtype))[0];
          BOOST_TEST(same(slope[static_cast<Size>(i)].item(),
                          row.x[i] == 0  ? 0
                          : row.x[i] < 0 ? -1
                                         : 1,
                          row.dtype),
                     what);
        }
    }
}

// A slice of nothing but -inf has no weight, and spoils nothing.
BOOST_AUTO_TEST_CASE(logsumexp_of_impossible_things) {
  for (const DType dtype : {f32, f64})
    for (const Size n : {Size{3}, Size{3000}}) {
      const Tensor x = watch(cast(stack({full({n}, -inf), zeros({n}, f64)}), dtype));
      const Tensor y = logsumexp(x, 1);
      BOOST_TEST(y[0].item() == -inf);
      BOOST_TEST(y[1].item() == std::log(static_cast<double>(n)), boost::test_tools::tolerance(1e-6));
      const Tensor g = grad(sum(where(tensor({false, true}), y, 0)), {x})[0];
      BOOST_TEST(amax(abs(g[0])).item() == 0);
      BOOST_TEST(g[1][0].item() == 1.0 / static_cast<double>(n), boost::test_tools::tolerance(1e-6));
      const Tensor some = watch(cast(tensor({-inf, 0.0}), dtype));
      expect("one of two", grad(logsumexp(some, 0), {some})[0], {0, 1});
    }
}

BOOST_AUTO_TEST_CASE(second_derivatives_of_lengths_far_out) {
  const Scalar length = [](const Tensor& v) { return norm(v); };
  for (const double scale : {0x1p-600, 1.0, 0x1p+600}) {  // H = (I - u u^T) / |x|, u = x / |x|
    const Tensor x = tensor({3 * scale, 4 * scale});
    const double y = 5 * scale;
    expect("hessian", reshape(hessian(length, x), {-1}), {0.64 / y, -0.48 / y, -0.48 / y, 0.36 / y});
  }
  // of its square: 2 I; but at 0, where the length has no derivative and 0 stands for it, it is 0
  const Scalar squared = [](const Tensor& v) { return square(norm(v)); };
  expect("of the square", reshape(hessian(squared, tensor({3.0, 4.0})), {-1}), {2, 0, 0, 2});
  expect("of the square at 0", reshape(hessian(squared, tensor({0.0, 0.0})), {-1}), {0, 0, 0, 0});
}
