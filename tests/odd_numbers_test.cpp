// Odd numbers that are no errors mean what C++ and IEEE say they are.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {
constexpr Size most = std::numeric_limits<Size>::max(), least = std::numeric_limits<Size>::min();
const double nan_ = std::nan("");
}  // namespace

BOOST_AUTO_TEST_CASE(whole_numbers_and_sizes) {
  const Tensor m = evaluate(randn({2, 3})), s = tensor(2.0f), i = tensor({0, 2, 1});
  const auto is = [](const Tensor& t, DType dtype, std::vector<double> numbers) {
    return t.dtype() == dtype && t.to_vector<double>() == numbers;
  };
  const double infinity = std::numeric_limits<double>::infinity();
  BOOST_TEST(is(s * ~std::uint64_t{0}, f32, {2 * 0x1p64}));  // it would be -1 as an i64
  BOOST_TEST(is(tensor({~std::uint64_t{0}}), f64, {0x1p64}));
  BOOST_TEST(is(i + true, i64, {1, 3, 2}));
  BOOST_TEST(is(s + 'a', f32, {99}));
  BOOST_TEST(is((s > 1) * 3, i64, {3}));
  BOOST_TEST(is(s / 0, f32, {infinity}));
  BOOST_TEST(is(floor_divide(tensor({least, least, least}), tensor({-1, 1, 2})), i64,
                {0x1p63 * -1, 0x1p63 * -1, 0x1p62 * -1}));
  BOOST_TEST(is(tensor({7, -7}) / tensor({2, 2}), f32, {3.5, -3.5}));
  BOOST_TEST(is(tensor({most}) + 1 - 1, i64, {0x1p63}));  // i64 wraps round
  BOOST_TEST(is(-tensor({least}), i64, {0x1p63 * -1}));
  BOOST_TEST(is(abs(tensor({least})), i64, {0x1p63 * -1}));
  for (const Size n : {Size{3}, Size{3000}}) {  // the same in regions
    const Tensor low = full({n}, least), one = full({n}, -1) * (arange(n) + 1);
    BOOST_TEST(slice(floor_divide(low, one), 0, 0, 2).to_vector<Size>()[1] == least / -2);
    BOOST_TEST(slice(floor_divide(low, one), 0, 0, 2).to_vector<Size>()[0] == least);
  }
  BOOST_TEST(is(arange(0), i64, {}));
  BOOST_TEST(is(linspace(3, 5, 0), f64, {}));
  BOOST_TEST(is(linspace(3, 5, 1), f64, {3}));
  BOOST_TEST(is(linspace(infinity, infinity, 1, f32), f32, {infinity}));
  BOOST_TEST(is(linspace(0.0f, 1.0f, 3), f32, {0, 0.5, 1}));
  BOOST_TEST(is(linspace(0, 1.0f, 3), f32, {0, 0.5, 1}));
  BOOST_TEST(is(linspace(0, 1.0, 3), f64, {0, 0.5, 1}));
  BOOST_TEST(is(linspace(-1e308, 1e308, 5), f64, {-1e308, -5e307, 0, 5e307, 1e308}));
  BOOST_TEST(is(linspace(0.1, 0.1, 4), f64, {0.1, 0.1, 0.1, 0.1}));
  BOOST_TEST(is(arange(-1, 2), i64, {-1, 0, 1}));
  BOOST_TEST(is(arange(most, most), i64, {}));
  BOOST_TEST(full_like(i, 9007199254740993).to_vector<Size>() == std::vector<Size>(3, 9007199254740993));
  BOOST_TEST(is(randint(most - 1, most, {2}), i64, {0x1p63, 0x1p63}));
  BOOST_TEST(randint(least, most, {100}).numel() == 100);
  BOOST_TEST(is(slice(i, 0, 3), i64, {}));
  BOOST_TEST(is(slice(i, 0, 1, 1, most), i64, {}));
  BOOST_TEST(is(slice(i, 0, 0, 3, most), i64, {0}));
  BOOST_TEST(is(slice(transpose(m), 0, 1, 3, most), f32, slice(transpose(m), 0, 1, 2).to_vector<double>()));
  BOOST_TEST(is(sum(zeros({0, 3}), 0), f32, {0, 0, 0}));
  BOOST_TEST(is(matmul(zeros({2, 0}), zeros({0, 1})), f32, {0, 0}));
  BOOST_TEST(is(linear(zeros({2, 1, 0}), zeros({3, 0}), tensor({1.0f, 2.0f, 3.0f})), f32, {1, 2, 3, 1, 2, 3}));
  BOOST_TEST((linear(zeros({2, 0, 4}), zeros({3, 4}), zeros({3})).shape() == Shape{2, 0, 3}));
  BOOST_TEST(is(full({2}, 3.0, i64), i64, {3, 3}));
  BOOST_TEST(is(zeros(std::vector<int>{2, 0}), f32, {}));
  BOOST_TEST(ones(std::vector<std::size_t>{2, 3}).shape() == (Shape{2, 3}));
  BOOST_TEST(is(tensor(std::vector<long double>{1.5L, -2}), f64, {1.5, -2}));
  BOOST_TEST((tensor({1.5f, 2.0f}).to_vector<long double>() == std::vector<long double>{1.5L, 2}));
  BOOST_TEST((tensor({255, 0}).to_vector<unsigned char>() == std::vector<unsigned char>{255, 0}));
  BOOST_TEST((tensor({-2.7, 2.7}).to_vector<int>() == std::vector<int>{-2, 2}));
  BOOST_TEST(is(argmax(tensor({{1, 5}, {5, 2}})), i64, {1}));
  BOOST_TEST(is(argmin(tensor(3.0)), i64, {0}));
  BOOST_TEST(is(prod(tensor({{2, 3}, {4, 5}})), i64, {120}));
  BOOST_TEST(is(var(tensor({{1.0, 2.0}, {3.0, 6.0}})), f64, {14. / 3}));
  BOOST_TEST(is(clamp(i, 1, 1), i64, {1, 1, 1}));
  BOOST_TEST(is(isnan(i), boolean, {0, 0, 0}));
  BOOST_TEST(is(isfinite(i), boolean, {1, 1, 1}));
  std::ostringstream out;
  out << i << " " << parameter(0.5);
  BOOST_TEST(out.str() == fmt::format("{} 0.5", i));
  BOOST_TEST(is(permute(m, {-1, 0}), f32, transpose(m).to_vector<double>()));
}

// What was rounded once too often.
BOOST_AUTO_TEST_CASE(sums_means_and_logarithms) {
  for (const DType dtype : {f32, f64}) {
    for (Size n = 1; n < 300; ++n) {
      const Tensor one = cast(tensor(std::vector<double>(static_cast<std::size_t>(n), 1.0)), dtype);
      BOOST_TEST(mean(one).item() == 1, fmt::format("the mean of {} ones of {}", n, name(dtype)));
      BOOST_TEST(mean(expand(one, {2, n}), 1)[1].item() == 1);
      BOOST_TEST(mean(one, {0}).item() == 1);
    }
    const int far = dtype == f32 ? 10 : 22;  // 10^far has no rounding
    for (int k = 0; k <= far; ++k) BOOST_TEST(log10(cast(tensor(std::pow(10.0, k)), dtype)).item() == k);
  }
  const Tensor x = tensor({{16777216.0f, 0.0f}, {1.0f, 16777216.0f}, {1.0f, -1.0f}});  // 2^24
  BOOST_TEST(
      cumsum(x, 0).to_vector<double>() == (std::vector<double>{0x1p24, 0, 0x1p24, 0x1p24, 0x1p24 + 2, 0x1p24 - 1}),
      boost::test_tools::per_element());
  BOOST_TEST(cumsum(slice(transpose(x), 0, 0, 1), 1)[0][2].item() == 0x1p24 + 2);
}

BOOST_AUTO_TEST_CASE(what_is_close_and_what_is_finite) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const DType dtype : {f32, f64})
    for (const Size copies : {1, 500}) {
      const auto many = [&](const std::vector<double>& numbers) {
        return cast(flatten(expand(tensor(numbers), {copies, static_cast<Size>(numbers.size())})), dtype);
      };
      const Tensor odd = many({nan_, inf, -inf, 0.0, -1.0});
      BOOST_TEST(isnan(odd).to_vector<bool>() == many({1, 0, 0, 0, 0}).to_vector<bool>());
      BOOST_TEST(isfinite(odd).to_vector<bool>() == many({0, 0, 0, 1, 1}).to_vector<bool>());
      const Tensor x = many({1, -100, 0, inf});
      BOOST_TEST(allclose(x, x));
      BOOST_TEST(allclose(x, many({1.000005, -100.0005, 1e-9, inf})));
      BOOST_TEST(!allclose(x, many({1.1, -100, 0, inf})));
      BOOST_TEST(!allclose(x, many({1, -100, 0, -inf})));
      BOOST_TEST(!allclose(x, many({1, -100, inf, inf})));
      BOOST_TEST(!allclose(x, many({1, -100, 0, 5})));
      BOOST_TEST(!allclose(odd, odd));
      BOOST_TEST(allclose(x, many({1.1, -101, 0.1, inf}), 0.01, 0.1));
    }
  BOOST_TEST(allclose(tensor({1, 2}), tensor({1.0f, 2.0f})));
  BOOST_TEST(allclose(zeros({0}), 1));
}

// NaN and infinity pass through arithmetic as IEEE says, in small work and in regions, at once and waiting.
BOOST_AUTO_TEST_CASE(nan_and_infinity) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> odd{nan_, inf, -inf, 0.0, -0.0, 1.0, -2.0};
  std::vector<double> left, right;
  for (const double x : odd)
    for (const double y : odd) left.push_back(x), right.push_back(y);
  const auto alike = [](double got, double wanted) {
    return std::isnan(wanted) ? std::isnan(got) : got == wanted && std::signbit(got) == std::signbit(wanted);
  };
  using Binary = std::pair<const char*, std::pair<Tensor (*)(const In&, const In&), double (*)(double, double)>>;
  const Binary binaries[] = {{"add", {add, [](double x, double y) { return x + y; }}},
                             {"sub", {sub, [](double x, double y) { return x - y; }}},
                             {"mul", {mul, [](double x, double y) { return x * y; }}},
                             {"div", {div, [](double x, double y) { return x / y; }}},
                             {"less",
                              {[](const In& x, const In& y) { return cast(x < y, f64); },
                               [](double x, double y) { return x < y ? 1.0 : 0.0; }}},
                             {"not_equal",
                              {[](const In& x, const In& y) { return cast(x != y, f64); },
                               [](double x, double y) { return x != y ? 1.0 : 0.0; }}}};
  using Unary = std::pair<const char*, std::pair<Tensor (*)(const In&), double (*)(double)>>;
  const Unary unaries[] = {{"neg", {neg, [](double x) { return -x; }}},
                           {"abs", {abs, [](double x) { return std::abs(x); }}},
                           {"square", {square, [](double x) { return x * x; }}},
                           {"sqrt", {sqrt, [](double x) { return std::sqrt(x); }}},
                           {"reciprocal", {reciprocal, [](double x) { return 1 / x; }}},
                           {"floor", {floor, [](double x) { return std::floor(x); }}}};
  for (const DType dtype : {f32, f64})
    for (const Size copies : {1, 100}) {
      const auto many = [&](const std::vector<double>& numbers) {
        return cast(flatten(expand(tensor(numbers), {copies, static_cast<Size>(numbers.size())})), dtype);
      };
      const Tensor x = many(left), y = many(right);
      for (const auto& [what, both] : binaries) {
        const std::vector<double> got = both.first(x, y).to_vector<double>();
        for (std::size_t i = 0; i < got.size(); ++i) {
          const double a = left[i % left.size()], b = right[i % right.size()];
          BOOST_TEST(alike(got[i], both.second(a, b)), fmt::format("{} of {} and {}: {}", what, a, b, got[i]));
        }
      }
      const Tensor z = many(odd);
      for (const auto& [what, both] : unaries) {
        const std::vector<double> got = both.first(z).to_vector<double>();
        for (std::size_t i = 0; i < got.size(); ++i)
          BOOST_TEST(alike(got[i], both.second(odd[i % odd.size()])),
                     fmt::format("{} of {}: {}", what, odd[i % odd.size()], got[i]));
      }
      BOOST_TEST(std::isnan(sum(x).item()));
      BOOST_TEST(sum(where(x > 0.0, x, 0.0)).item() == inf);
    }
}
