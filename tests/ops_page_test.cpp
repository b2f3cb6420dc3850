// What the comments of ops.hpp say of special values, line by line.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();
using Numbers = std::vector<double>;

void says(const char* line, const Tensor& got, const Numbers& expected) {
  const Numbers v = cast(reshape(got, {-1}), f64).to_vector<double>();
  BOOST_REQUIRE_EQUAL(v.size(), expected.size());
  for (std::size_t i = 0; i < v.size(); ++i) {
    const bool same = std::isnan(expected[i]) ? std::isnan(v[i])
                      : std::isinf(expected[i])
                          ? v[i] == expected[i]
                          : std::abs(v[i] - expected[i]) <= 1e-6 * std::max(1., std::abs(expected[i]));
    BOOST_CHECK_MESSAGE(same, line << ": " << v[i] << ", not " << expected[i]);
  }
}
Tensor slope(const Function& f, const Tensor& at) {
  const Tensor x = watch(at);
  return grad(sum(f(x)), {x}, {.allow_unused = true})[0];
}
#define SLOPE_OF(f, at) slope([](const Tensor& x) { return f; }, at)

}  // namespace

BOOST_AUTO_TEST_CASE(arithmetic) {
  const Tensor least = tensor(std::vector<Size>{INT64_MIN});
  BOOST_TEST((least - 1).to_vector<Size>()[0] == INT64_MAX);  // i64 wraps around
  says("div: of integers in the default float dtype", div(tensor({7, -7}), tensor({2, 2})), {3.5, -3.5});
  says("floor_divide: floor(x / y)", floor_divide(tensor({7, -7}), tensor({2, 2})), {3, -4});
  says("remainder: of y's sign", remainder(tensor({7, -7}), tensor({2, 2})), {1, 1});
  BOOST_CHECK_THROW(floor_divide(tensor({1}), tensor({0})), Error);
  for (const DType dtype : {f32, f64}) {
    const auto t = [&](const Literal& numbers) { return cast(tensor(numbers), dtype); };
    says("abs: derivative 0 at 0", SLOPE_OF(abs(x), t({0.0, -2.0})), {0, -1});
    says("sign: -1, 0 or 1; NaN of NaN", sign(t({-inf, 0.0, 3.0, not_a_number})), {-1, 0, 1, not_a_number});
    says("maximum: NaN if either is", maximum(t({not_a_number, 1.0, 2.0}), t({1.0, not_a_number, 1.0})),
         {not_a_number, not_a_number, 2});
    says("minimum: NaN if either is", minimum(t({not_a_number, 1.0, 2.0}), t({1.0, not_a_number, 1.0})),
         {not_a_number, not_a_number, 1});
    says("maximum: at a tie each gets half", SLOPE_OF(maximum(x, 1), t({1.0, 2.0})), {0.5, 1});
    says("minimum: at a tie each gets half", SLOPE_OF(minimum(x, 1), t({1.0, 2.0})), {0.5, 0});
    says("at_least: at a tie x gets all", SLOPE_OF(at_least(x, 1), t({1.0, 0.0})), {1, 0});
    says("at_most: at a tie x gets all", SLOPE_OF(at_most(x, 1), t({1.0, 0.0})), {1, 1});
    says("clamp: slope 1 on the bounds", SLOPE_OF(clamp(x, 0, 1), t({0.0, 1.0, 2.0})), {1, 1, 0});
    says("lerp: exactly x at 0, and y at 1", lerp(t({0.1, 0.3}), t({0.7, 1e10}), t({0.0, 1.0})) == t({0.1, 1e10}),
         {1, 1});
    says("lerp: x + t (y - x)", lerp(t({1.0}), t({3.0}), 0.25), {1.5});
    says("clamp: high where low > high", clamp(t({-5.0, 0.5, 5.0}), 1, 0), {0, 0, 0});
  }
}

BOOST_AUTO_TEST_CASE(functions_of_floats) {
  for (const DType dtype : {f32, f64}) {
    const auto t = [&](const Literal& numbers) { return cast(tensor(numbers), dtype); };
    says("pow: 0^0 = 1, NaN^0 = 1, 1^NaN = 1", pow(t({0.0, not_a_number, 1.0}), t({0.0, 0.0, not_a_number})),
         {1, 1, 1});
    says("pow: of x < 0 only whole y", pow(t({-2.0, -2.0}), t({3.0, 0.5})), {-8, not_a_number});
    says("pow: without a slope in y", slope([&](const Tensor& y) { return pow(t({-2.0}), y); }, t({3.0})),
         {not_a_number});
    says("pow: in y at 0^0 it is 0", slope([&](const Tensor& y) { return pow(t({0.0}), y); }, t({0.0})), {0});
    says("floor, ceil, round: derivative 0", SLOPE_OF(floor(x) + ceil(x) + round(x), t({0.3, 1.0})), {0, 0});
    says("round: halves to even", round(t({0.5, 1.5, 2.5, -0.5, -1.5})), {0, 2, 2, 0, -2});
    says("sqrt: slope infinite at 0", SLOPE_OF(sqrt(x), t({0.0})), {inf});
    says("cbrt: the cube root, of x < 0 too", cbrt(t({27.0, -8.0})), {3, -2});
    says("cbrt: slope infinite at 0", SLOPE_OF(cbrt(x), t({0.0})), {inf});
    says("log: -infinity at 0", log(t({0.0})), {-inf});
    for (const Tensor& y : {log(t({-1.0})), log1p(t({-2.0})), log2(t({-1.0})), log10(t({-1.0})), sqrt(t({-1.0})),
                            rsqrt(t({-1.0})), asin(t({1.5})), acos(t({-1.5})), sin(t({inf})), cos(t({inf})),
                            tan(t({-inf})), acosh(t({0.5})), atanh(t({1.5}))})
      says("outside of its domain a function is NaN", y, {not_a_number});
    says("expm1: exact near 0", 1e20 * expm1(t({1e-20})), {1});
    says("log1p: exact near 0", 1e20 * log1p(t({1e-20})), {1});
    says("erfc: all digits where that is small", 1e20 * erfc(t({6.5})), {3.84214832712065});
    says("ndtr: the normal distribution", ndtr(t({-1.0, 0.0, 8.0})), {0.15865525393145705, 0.5, 1});
    says("times_sigmoid: x sigmoid(x)", times_sigmoid(t({1.0, -inf, inf})), {1 / (1 + std::exp(-1.)), 0, inf});
    says("times_ndtr: x ndtr(x)", times_ndtr(t({1.0, -inf, inf})), {0.8413447460685429, 0, inf});
    says("times_sigmoid_cubic: nearly times_ndtr", times_sigmoid_cubic(t({1.0, -inf, inf})),
         {0.8411919906082768, 0, inf});
    says("asin: -pi/2 ... pi/2", asin(t({-1.0, 1.0})), {-M_PI / 2, M_PI / 2});
    says("acos: 0 ... pi", acos(t({1.0, -1.0})), {0, M_PI});
    says("atan: -pi/2 ... pi/2", atan(t({-inf, inf})), {-M_PI / 2, M_PI / 2});
    says("atan2: -pi ... pi", atan2(t({0.0, -1e-30}), t({-1.0, -1.0})), {M_PI, -M_PI});
    says("atan2: no slope at (0, 0)", SLOPE_OF(atan2(x, 0 * x), t({0.0})), {not_a_number});
    says("hypot: without overflow", 1e-30 * hypot(t({3e30}), t({-4e30})), {5});
    says("hypot: derivatives 0 at (0, 0)", SLOPE_OF(hypot(x, 0), t({0.0, 2.0})), {0, 1});
    says("acosh: slope infinite at 1", SLOPE_OF(acosh(x), t({1.0})), {inf});
    says("atanh: infinite at both ends", atanh(t({-1.0, 1.0})), {-inf, inf});
    says("logaddexp: without overflow", logaddexp(t({1000.0, -1000.0}), t({1000.0, 0.0})), {1000 + std::log(2.), 0});
    says("logaddexp: gradient 0 where both are -inf", SLOPE_OF(logaddexp(x, x), t({-inf})), {0});
    says("softplus: without overflow", softplus(t({-1000.0, 1000.0})), {0, 1000});
    says("relu: derivative 0 at 0", SLOPE_OF(relu(x), t({0.0, -0.0, 1.0})), {0, 0, 1});
    says("leaky_relu: x > 0 ? x : slope x", leaky_relu(t({-2.0, 0.0, 3.0, not_a_number})), {-0.02, 0, 3, not_a_number});
    says("leaky_relu: a slope with a gradient", SLOPE_OF(leaky_relu(-3.0, x), t({0.5})), {-3});
    says("step: 1 where x > 0, else 0; NaN of NaN", step(t({-1.0, 0.0, 1e-30, inf, not_a_number})),
         {0, 0, 1, 1, not_a_number});
    says("step: derivative 0", SLOPE_OF(step(x), t({-1.0, 0.0, 1.0})), {0, 0, 0});
  }
}

BOOST_AUTO_TEST_CASE(what_slopes_are_made_of) {
  for (const DType dtype : {f32, f64}) {
    const auto t = [&](const Literal& numbers) { return cast(tensor(numbers), dtype); };
    says("half_step", half_step(t({1.0, 1.0, 1.0, not_a_number, 1.0}), t({0.0, 1.0, 2.0, 0.0, not_a_number})),
         {1, 0.5, 0, not_a_number, not_a_number});
    says("one_minus_square: exact near 1", one_minus_square(t({1 - 0x1p-20, -1.0})), {0x1p-19 - 0x1p-40, 0});
    says("inversion: though the squares be out of range", 1e30 * inversion(t({1e30}), t({1e30})), {0.5});
    says("inversion: NaN at (0, 0)", inversion(t({0.0}), t({0.0})), {not_a_number});
    says("gaussian: e^(-y x^2)", gaussian(t({1.0, inf, 0.0}), t({2.0, 1.0, 1.0})), {std::exp(-2.), 0, 1});
    const Tensor half = pow_half(t({-0.0, -inf, 4.0, -1.0}));
    says("pow_half: 0 at -0, infinite at -infinity", half, {0, inf, 2, not_a_number});
    BOOST_TEST(!std::signbit(cast(half, f64).to_vector<double>()[0]));
    says("pow_slope: at 0^0 it is 0", pow_slope(t({0.0, 3.0, 0.0}), t({0.0, 2.0, 1.0})), {0, 6, 1});
    says("pow_log: 0 at 0^0", pow_log(t({0.0, 0.0, 0.0}), t({0.0, 2.0, -1.0})), {0, 0, -inf});
    says("log_or_0", log_or_0(t({0.0, 1.0})), {0, 0});
    says("log_or_0: so is its slope", SLOPE_OF(log_or_0(x), t({0.0, 2.0})), {0, 0.5});
    says("reciprocal_or_0", reciprocal_or_0(t({0.0, 2.0})), {0, 0.5});
    says("reciprocal_or_0: so is its slope", SLOPE_OF(reciprocal_or_0(x), t({0.0, 2.0})), {0, -0.25});
  }
}

BOOST_AUTO_TEST_CASE(comparisons_and_reductions) {
  for (const DType dtype : {f32, f64}) {
    const auto t = [&](const Literal& numbers) { return cast(tensor(numbers), dtype); };
    const Tensor bad = t({not_a_number}), one = t({1.0});
    says("with NaN all are false", stack({bad == one, bad<one, bad <= one, bad> one, bad >= one, bad == bad}),
         {0, 0, 0, 0, 0, 0});
    says("but != is true", bad != bad, {1});
    says("isnan", isnan(t({not_a_number, inf, 0.0})), {1, 0, 0});
    says("isfinite: neither NaN nor infinite", isfinite(t({not_a_number, inf, -inf, 1.0})), {0, 0, 0, 1});
    says("cast to i64: truncates, saturates, NaN is the least", cast(t({-2.9, inf, -inf, not_a_number}), i64),
         {-2, 9223372036854775807., -9223372036854775808., -9223372036854775808.});
    says("cast to boolean: x != 0", cast(t({0.0, -0.0, not_a_number, 0.5}), boolean), {0, 0, 1, 1});
    BOOST_TEST(allclose(t({inf}), t({inf})));  // equal infinities are close, NaN never is
    BOOST_TEST(!allclose(bad, bad));
    says("sum of nothing: 0", sum(zeros({0}, dtype)), {0});
    says("prod of nothing: 1", prod(zeros({0}, dtype)), {1});
    says("prod: slopes are exact at zeros", SLOPE_OF(prod(x), t({0.0, 2.0, 3.0})), {6, 0, 0});
    says("NaN makes the result NaN",
         stack({sum(t({1.0, not_a_number})), amax(t({1.0, not_a_number})), amin(t({not_a_number, 1.0})),
                prod(t({0.0, not_a_number}))}),
         {not_a_number, not_a_number, not_a_number, not_a_number});
    says("stddev: derivative 0 where that is 0", SLOPE_OF(stddev(x), t({2.0, 2.0})), {0, 0});
    says("amax: ties share equally", SLOPE_OF(amax(x), t({2.0, 1.0, 2.0})), {0.5, 0, 0.5});
    BOOST_CHECK_THROW(amax(zeros({0}, dtype)), Error);
    BOOST_CHECK_THROW(mean(zeros({0}, dtype)), Error);
    says("argmax: the first of equals", argmax(t({1.0, 2.0, 2.0})), {1});
    says("argmax: or the first NaN", argmax(t({1.0, not_a_number, inf, not_a_number})), {1});
    says("argmin: or the first NaN", argmin(t({1.0, not_a_number, -inf})), {1});
    says("all of nothing: true", all(zeros({0}, dtype)), {1});
    says("any of nothing: false", any(zeros({0}, dtype)), {0});
    says("all, any: is x != 0, NaN too", stack({all(bad), any(bad)}), {1, 1});
    says("logsumexp: without overflow", logsumexp(t({1000.0, 1000.0}), 0), {1000 + std::log(2.)});
  }
  says("isnan: false of integers", isnan(tensor({1, 0})), {0, 0});
  says("isfinite of integers", isfinite(tensor({1, 0})), {1, 1});
  says("logical: numbers count as x != 0", logical_and(tensor({2.0, 0.0, not_a_number}), tensor({true, true, true})),
       {1, 0, 1});
}
