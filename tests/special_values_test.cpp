// Values and derivatives at zeros, ties, infinities and NaN: a table, as of the sweep's but by hand.
#include <boost/test/unit_test.hpp>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double pi = std::numbers::pi;

bool same(double got, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return std::abs(got - expected) <= tolerance * std::max(1.0, std::abs(expected));
}
void expect(const std::string& what, const Tensor& got, const std::vector<double>& expected) {
  const double tolerance = got.dtype() == f32 ? 1e-6 : 1e-14;
  const std::vector<double> v = got.to_vector<double>();
  BOOST_REQUIRE_EQUAL(v.size(), expected.size());
  for (std::size_t i = 0; i < v.size(); ++i)
    BOOST_CHECK_MESSAGE(same(v[i], expected[i], tolerance), what << ", " << name(got.dtype()) << ", element " << i
                                                                 << ": " << v[i] << ", expected " << expected[i]);
}
void expect_all(const std::string& what, const Tensor& got, double expected) {
  expect(what, got, std::vector<double>(static_cast<std::size_t>(got.numel()), expected));
}

// One number, a few, and so many that they are computed in a region; all alike, and none a constant.
const std::vector<Shape> shapes = {{}, {5}, {2000}};
Tensor repeated(const Shape& shape, double x, DType dtype) {
  return cast(tensor(std::vector<double>(static_cast<std::size_t>(shape.numel()), x), shape), dtype);
}

// ---- of one operand

struct Unary {
  const char* name;
  Tensor (*f)(const In&);
  double x, y, slope;
};
const Unary unary[] = {
    // clang-format off
    {"abs", abs, 0, 0, 0}, {"abs", abs, -0.0, 0, 0}, {"abs", abs, inf, inf, 1}, {"abs", abs, -inf, inf, -1}, {"abs", abs, not_a_number, not_a_number, not_a_number},
    {"sign", sign, 0, 0, 0}, {"sign", sign, -inf, -1, 0}, {"sign", sign, not_a_number, not_a_number, 0},
    {"floor", floor, -0.5, -1, 0}, {"floor", floor, 2, 2, 0}, {"floor", floor, inf, inf, 0}, {"ceil", ceil, -2, -2, 0},
    {"ceil", ceil, 0.5, 1, 0}, {"round", round, 0.5, 0, 0}, {"round", round, 1.5, 2, 0}, {"round", round, -2.5, -2, 0},
    {"round", round, -inf, -inf, 0}, {"round", round, not_a_number, not_a_number, 0},
    {"neg", neg, inf, -inf, -1}, {"neg", neg, not_a_number, not_a_number, -1},
    {"square", square, 0, 0, 0}, {"square", square, -inf, inf, -inf}, {"square", square, not_a_number, not_a_number, not_a_number},
    {"sqrt", sqrt, 0, 0, inf}, {"sqrt", sqrt, inf, inf, 0}, {"sqrt", sqrt, -1, not_a_number, not_a_number},
    {"cbrt", cbrt, 0, 0, inf}, {"cbrt", cbrt, -8, -2, 1.0 / 12}, {"cbrt", cbrt, -inf, -inf, 0}, {"cbrt", cbrt, not_a_number, not_a_number, not_a_number},
    {"rsqrt", rsqrt, 0, inf, -inf}, {"rsqrt", rsqrt, inf, 0, 0}, {"rsqrt", rsqrt, -1, not_a_number, not_a_number},
    {"reciprocal", reciprocal, 0, inf, -inf}, {"reciprocal", reciprocal, -0.0, -inf, -inf}, {"reciprocal", reciprocal, inf, 0, 0},
    {"exp", exp, 0, 1, 1}, {"exp", exp, 1000, inf, inf}, {"exp", exp, -1000, 0, 0}, {"exp", exp, inf, inf, inf},
    {"exp", exp, -inf, 0, 0}, {"exp", exp, not_a_number, not_a_number, not_a_number},
    {"expm1", expm1, 0, 0, 1}, {"expm1", expm1, -inf, -1, 0}, {"expm1", expm1, 1000, inf, inf}, {"expm1", expm1, not_a_number, not_a_number, not_a_number},
    {"log", log, 0, -inf, inf}, {"log", log, -0.0, -inf, -inf}, {"log", log, inf, inf, 0}, {"log", log, 1, 0, 1},
    {"log", log, -1, not_a_number, -1},  // as 1 / x says
    {"log1p", log1p, 0, 0, 1}, {"log1p", log1p, -1, -inf, inf}, {"log1p", log1p, inf, inf, 0}, {"log1p", log1p, -2, not_a_number, -1},
    {"log2", log2, 0, -inf, inf}, {"log2", log2, inf, inf, 0}, {"log2", log2, not_a_number, not_a_number, not_a_number},
    {"log10", log10, 0, -inf, inf}, {"log10", log10, inf, inf, 0}, {"log10", log10, 100, 2, 0.01 / std::numbers::ln10}, {"log10", log10, not_a_number, not_a_number, not_a_number},
    {"sin", sin, 0, 0, 1}, {"sin", sin, inf, not_a_number, not_a_number}, {"cos", cos, 0, 1, 0}, {"cos", cos, -inf, not_a_number, not_a_number},
    {"tan", tan, 0, 0, 1}, {"tan", tan, inf, not_a_number, not_a_number}, {"tan", tan, not_a_number, not_a_number, not_a_number},
    {"asin", asin, 1, pi / 2, inf}, {"asin", asin, -1, -pi / 2, inf}, {"asin", asin, 0, 0, 1}, {"asin", asin, 2, not_a_number, not_a_number},
    {"acos", acos, 1, 0, -inf}, {"acos", acos, -1, pi, -inf}, {"acos", acos, -2, not_a_number, not_a_number},
    {"atan", atan, inf, pi / 2, 0}, {"atan", atan, -inf, -pi / 2, 0}, {"atan", atan, 0, 0, 1}, {"atan", atan, not_a_number, not_a_number, not_a_number},
    {"sinh", sinh, 0, 0, 1}, {"sinh", sinh, -inf, -inf, inf}, {"sinh", sinh, 1000, inf, inf}, {"sinh", sinh, not_a_number, not_a_number, not_a_number},
    {"cosh", cosh, 0, 1, 0}, {"cosh", cosh, -inf, inf, -inf}, {"cosh", cosh, -1000, inf, -inf}, {"cosh", cosh, not_a_number, not_a_number, not_a_number},
    {"asinh", asinh, 0, 0, 1}, {"asinh", asinh, inf, inf, 0}, {"asinh", asinh, -inf, -inf, 0}, {"asinh", asinh, -1e30, -69.77069997038132, 1e-30}, {"asinh", asinh, not_a_number, not_a_number, not_a_number},
    {"acosh", acosh, 1, 0, inf}, {"acosh", acosh, inf, inf, 0}, {"acosh", acosh, 1e30, 69.77069997038132, 1e-30}, {"acosh", acosh, 0.5, not_a_number, not_a_number},
    {"acosh", acosh, -inf, not_a_number, not_a_number}, {"acosh", acosh, not_a_number, not_a_number, not_a_number},
    {"atanh", atanh, 0, 0, 1}, {"atanh", atanh, 1, inf, inf}, {"atanh", atanh, -1, -inf, inf}, {"atanh", atanh, 2, not_a_number, -1.0 / 3},  // as its slope says
    {"atanh", atanh, -inf, not_a_number, 0}, {"atanh", atanh, not_a_number, not_a_number, not_a_number},
    {"tanh", tanh, 0, 0, 1}, {"tanh", tanh, inf, 1, 0}, {"tanh", tanh, -inf, -1, 0}, {"tanh", tanh, 100, 1, 0}, {"tanh", tanh, not_a_number, not_a_number, not_a_number},
    {"sigmoid", sigmoid, 0, 0.5, 0.25}, {"sigmoid", sigmoid, inf, 1, 0}, {"sigmoid", sigmoid, -inf, 0, 0},
    {"sigmoid", sigmoid, -1000, 0, 0}, {"sigmoid", sigmoid, 1000, 1, 0}, {"sigmoid", sigmoid, not_a_number, not_a_number, not_a_number},
    {"softplus", softplus, 0, std::numbers::ln2, 0.5}, {"softplus", softplus, inf, inf, 1}, {"softplus", softplus, -inf, 0, 0},
    {"softplus", softplus, 1000, 1000, 1}, {"softplus", softplus, -1000, 0, 0}, {"softplus", softplus, not_a_number, not_a_number, not_a_number},
    {"relu", relu, 0, 0, 0}, {"relu", relu, -1, 0, 0}, {"relu", relu, inf, inf, 1}, {"relu", relu, -inf, 0, 0}, {"relu", relu, not_a_number, not_a_number, not_a_number},
    {"step", step, 0, 0, 0}, {"step", step, -0.0, 0, 0}, {"step", step, inf, 1, 0}, {"step", step, not_a_number, not_a_number, 0},
    {"log_or_0", log_or_0, 0, 0, 0}, {"log_or_0", log_or_0, -0.0, 0, 0}, {"log_or_0", log_or_0, inf, inf, 0}, {"log_or_0", log_or_0, not_a_number, not_a_number, not_a_number},
    {"reciprocal_or_0", reciprocal_or_0, 0, 0, 0}, {"reciprocal_or_0", reciprocal_or_0, inf, 0, 0}, {"reciprocal_or_0", reciprocal_or_0, not_a_number, not_a_number, not_a_number},
    {"erfc", erfc, 0, 1, -2 / std::sqrt(pi)}, {"erfc", erfc, inf, 0, 0}, {"erfc", erfc, -inf, 2, 0}, {"erfc", erfc, not_a_number, not_a_number, not_a_number},
    {"ndtr", ndtr, 0, 0.5, 1 / std::sqrt(2 * pi)}, {"ndtr", ndtr, inf, 1, 0}, {"ndtr", ndtr, -inf, 0, 0}, {"ndtr", ndtr, not_a_number, not_a_number, not_a_number},
    {"one_minus_square", one_minus_square, 1, 0, -2}, {"one_minus_square", one_minus_square, -inf, -inf, inf}, {"one_minus_square", one_minus_square, not_a_number, not_a_number, not_a_number},
    {"pow_half", pow_half, -0.0, 0, inf}, {"pow_half", pow_half, -inf, inf, 0}, {"pow_half", pow_half, inf, inf, 0}, {"pow_half", pow_half, -1, not_a_number, not_a_number}, {"pow_half", pow_half, not_a_number, not_a_number, not_a_number},
    {"erf", erf, 0, 0, 2 / std::sqrt(pi)}, {"erf", erf, inf, 1, 0}, {"erf", erf, -inf, -1, 0}, {"erf", erf, not_a_number, not_a_number, not_a_number},
    // clang-format on
};

// ---- of two

struct Binary {
  const char* name;
  Tensor (*f)(const In&, const In&);
  double x, y, z, slope_x, slope_y;
};
const Binary binary[] = {
    // clang-format off
    {"add", add, inf, -inf, not_a_number, 1, 1}, {"add", add, not_a_number, 1, not_a_number, 1, 1}, {"sub", sub, inf, inf, not_a_number, 1, -1},
    {"mul", mul, 0, inf, not_a_number, inf, 0}, {"mul", mul, 0, not_a_number, not_a_number, not_a_number, 0}, {"mul", mul, inf, -2, -inf, -2, inf},
    {"div", div, 1, 0, inf, inf, -inf}, {"div", div, -1, 0, -inf, inf, inf}, {"div", div, 0, 0, not_a_number, inf, not_a_number},
    {"div", div, 1, inf, 0, 0, 0}, {"div", div, inf, inf, not_a_number, 0, not_a_number}, {"div", div, 0, 2, 0, 0.5, 0},
    {"pow", pow, 0, 0, 1, 0, 0}, {"pow", pow, 0, 1, 0, 1, 0}, {"pow", pow, 0, 2, 0, 0, 0}, {"pow", pow, 0, 0.5, 0, inf, 0},
    {"pow", pow, 0, -1, inf, -inf, -inf}, {"pow", pow, inf, -1, 0, 0, 0},
    {"pow_slope", pow_slope, 0, 0, 0, 0, 0}, {"pow_slope", pow_slope, 0, 2, 0, 2, 0}, {"pow_slope", pow_slope, -1, 3, 3, -6, not_a_number},
    {"pow_log", pow_log, 0, 0, 0, 0, 0}, {"pow_log", pow_log, 0, 2, 0, 0, 0}, {"pow_log", pow_log, 0, not_a_number, not_a_number, not_a_number, not_a_number},
    {"gaussian", gaussian, inf, 1, 0, 0, 0}, {"gaussian", gaussian, -inf, 0.5, 0, 0, 0}, {"gaussian", gaussian, not_a_number, 1, not_a_number, not_a_number, not_a_number},
    {"inversion", inversion, 0, 0, not_a_number, not_a_number, not_a_number}, {"inversion", inversion, inf, 1, 0, 0, 0}, {"inversion", inversion, 1, inf, 0, 0, 0},
    {"inversion", inversion, inf, not_a_number, not_a_number, not_a_number, not_a_number}, {"inversion", inversion, not_a_number, inf, not_a_number, not_a_number, not_a_number},
    {"half_step", half_step, 1, not_a_number, not_a_number, 0, 0}, {"half_step", half_step, not_a_number, -inf, not_a_number, 0, 0}, {"half_step", half_step, inf, inf, 0.5, 0, 0},
    {"pow", pow, -2, 3, -8, 12, not_a_number}, {"pow", pow, -2, 2, 4, -4, not_a_number}, {"pow", pow, -2, 0.5, not_a_number, not_a_number, not_a_number},
    {"pow", pow, 1, inf, 1, inf, 0}, {"pow", pow, 2, inf, inf, inf, inf}, {"pow", pow, inf, 0, 1, 0, inf},
    {"pow", pow, inf, 2, inf, inf, inf}, {"pow", pow, not_a_number, 0, 1, not_a_number, not_a_number}, {"pow", pow, not_a_number, 2, not_a_number, not_a_number, not_a_number},
    {"pow", pow, 2, not_a_number, not_a_number, not_a_number, not_a_number}, {"pow", pow, 3, 0, 1, 0, std::log(3.0)},
    {"maximum", maximum, 2, 1, 2, 1, 0}, {"maximum", maximum, 1, 1, 1, 0.5, 0.5}, {"maximum", maximum, 0, -0.0, 0, 0.5, 0.5},
    {"maximum", maximum, inf, inf, inf, 0.5, 0.5}, {"maximum", maximum, -inf, -inf, -inf, 0.5, 0.5},
    {"maximum", maximum, -inf, inf, inf, 0, 1}, {"maximum", maximum, 1, not_a_number, not_a_number, not_a_number, not_a_number}, {"maximum", maximum, not_a_number, inf, not_a_number, not_a_number, not_a_number},
    {"minimum", minimum, 2, 1, 1, 0, 1}, {"minimum", minimum, -1, -1, -1, 0.5, 0.5}, {"minimum", minimum, inf, inf, inf, 0.5, 0.5},
    {"minimum", minimum, -inf, 5, -inf, 1, 0}, {"minimum", minimum, not_a_number, -inf, not_a_number, not_a_number, not_a_number},
    {"at_least", at_least, 2, 1, 2, 1, 0}, {"at_least", at_least, 1, 2, 2, 0, 1}, {"at_least", at_least, 1, 1, 1, 1, 0}, {"at_least", at_least, inf, inf, inf, 1, 0},
    {"at_least", at_least, 1, not_a_number, not_a_number, not_a_number, not_a_number}, {"at_least", at_least, not_a_number, -inf, not_a_number, not_a_number, not_a_number},
    {"at_most", at_most, 2, 1, 1, 0, 1}, {"at_most", at_most, 1, 2, 1, 1, 0}, {"at_most", at_most, 1, 1, 1, 1, 0}, {"at_most", at_most, -inf, -inf, -inf, 1, 0},
    {"at_most", at_most, not_a_number, inf, not_a_number, not_a_number, not_a_number},
    {"atan2", atan2, 0, 1, 0, 1, 0}, {"atan2", atan2, 1, 0, pi / 2, 0, -1}, {"atan2", atan2, 0, -1, pi, -1, 0},
    {"atan2", atan2, -0.0, -1, -pi, -1, 0}, {"atan2", atan2, -1, 0, -pi / 2, 0, 1},
    {"atan2", atan2, 0, 0, 0, not_a_number, not_a_number},  // 0 / 0: there is no direction
    {"hypot", hypot, 0, -0.0, 0, 0, 0}, {"hypot", hypot, -3, 4, 5, -0.6, 0.8}, {"hypot", hypot, 3e-30, 4e-30, 5e-30, 0.6, 0.8}, {"hypot", hypot, 3e30, -4e30, 5e30, 0.6, -0.8},
    {"hypot", hypot, inf, 1, inf, not_a_number, 0}, {"hypot", hypot, not_a_number, -inf, inf, not_a_number, not_a_number}, {"hypot", hypot, not_a_number, 1, not_a_number, not_a_number, not_a_number},
    {"logaddexp", logaddexp, 0, 0, std::numbers::ln2, 0.5, 0.5}, {"logaddexp", logaddexp, 1000, 1000, 1000 + std::numbers::ln2, 0.5, 0.5}, {"logaddexp", logaddexp, -1000, 0, 0, 0, 1},
    {"logaddexp", logaddexp, -inf, -inf, -inf, 0, 0}, {"logaddexp", logaddexp, -inf, 2, 2, 0, 1}, {"logaddexp", logaddexp, inf, -inf, inf, 1, 0}, {"logaddexp", logaddexp, inf, inf, inf, 0.5, 0.5},
    {"logaddexp", logaddexp, not_a_number, -inf, not_a_number, not_a_number, not_a_number}, {"logaddexp", logaddexp, inf, not_a_number, not_a_number, not_a_number, not_a_number},
    {"atan2", atan2, 1, inf, 0, 0, 0}, {"atan2", atan2, inf, inf, pi / 4, 0, 0}, {"atan2", atan2, not_a_number, 1, not_a_number, not_a_number, not_a_number},
    // clang-format on
};

}  // namespace

BOOST_AUTO_TEST_CASE(of_one_operand) {
  for (const Unary& u : unary)
    for (const DType dtype : {f32, f64})
      for (const Shape& shape : shapes) {
        const std::string what = fmt::format("{}({}) of shape {}", u.name, u.x, shape);
        const Tensor x = watch(repeated(shape, u.x, dtype));
        const Tensor y = u.f(x);
        const Tensor g = grad(sum(y), {x}, {.allow_unused = true})[0];
        expect_all(what, y, u.y);
        expect_all("slope of " + what, g, u.slope);
        const auto f = [&](const Tensor& v) { return u.f(v); };
        expect_all("forward slope of " + what, jvp(f, x, ones(shape, dtype)).tangent, u.slope);
        expect_all("of a uniform tensor " + what, u.f(full(shape, u.x, dtype)), u.y);
      }
}

BOOST_AUTO_TEST_CASE(of_two_operands) {
  for (const Binary& b : binary)
    for (const DType dtype : {f32, f64})
      for (const Shape& shape : shapes) {
        const std::string what = fmt::format("{}({}, {}) of shape {}", b.name, b.x, b.y, shape);
        const Tensor x = watch(repeated(shape, b.x, dtype)), y = watch(repeated(shape, b.y, dtype));
        const Tensor z = b.f(x, y);
        const Tensors g = grad(sum(z), {x, y}, {.allow_unused = true});
        expect_all(what, z, b.z);
        expect_all("slope in x of " + what, g[0], b.slope_x);
        expect_all("slope in y of " + what, g[1], b.slope_y);
        const Tensor one = ones(shape, dtype);
        expect_all("forward slope in x of " + what, jvp([&](const Tensor& v) { return b.f(v, y); }, x, one).tangent,
                   b.slope_x);
        expect_all("forward slope in y of " + what, jvp([&](const Tensor& v) { return b.f(x, v); }, y, one).tangent,
                   b.slope_y);
        if (std::isfinite(b.y)) expect_all("with a number, " + what, b.f(x, b.y), b.z);
      }
}

BOOST_AUTO_TEST_CASE(higher_orders_at_zero) {
  const auto orders = [](const Function& f, double at, const std::vector<double>& expected) {
    Parameter x = parameter(at);
    Tensor y = f(x);
    for (std::size_t order = 0; order < expected.size(); ++order) {
      expect(fmt::format("order {}", order), y, {expected[order]});
      y = grad(y, {x}, {.create_graph = true, .allow_unused = true})[0];
    }
  };
  orders([](const Tensor& x) { return pow(x, 3); }, 0, {0, 0, 0, 6, 0, 0});
  orders([](const Tensor& x) { return pow(x, tensor(2.0)); }, 0, {0, 0, 2, 0, 0});
  orders([](const Tensor& x) { return pow(x, tensor(1.0)); }, 0, {0, 1, 0, 0});
  orders([](const Tensor& x) { return pow(x, 0.0); }, 0, {1, 0, 0});
  orders([](const Tensor& x) { return pow(x, 4); }, -1, {1, -4, 12, -24, 24, 0});
  orders([](const Tensor& x) { return relu(x) + abs(x) + sign(x); }, 0, {0, 0, 0});
  orders([](const Tensor& x) { return maximum(x, 0); }, 0, {0, 0.5, 0});
  orders([](const Tensor& x) { return x * abs(x); }, 0, {0, 0, 0});
  orders([](const Tensor& x) { return exp(x) * 2; }, 0, {2, 2, 2, 2});
  orders([](const Tensor& x) { return square(x) * x; }, 0, {0, 0, 0, 6, 0});
  orders([](const Tensor& x) { return tanh(x); }, 0, {0, 1, 0, -2, 0, 16});
  orders([](const Tensor& x) { return sqrt(x); }, 0, {0, inf, -inf});
  orders([](const Tensor& x) { return asinh(x); }, 0, {0, 1, 0, -1, 0, 9});
  orders([](const Tensor& x) { return atanh(x); }, 0, {0, 1, 0, 2, 0, 24});
  orders([](const Tensor& x) { return hypot(x, 0); }, 0, {0, 0, 0, 0});
  orders([](const Tensor& x) { return logaddexp(x, 0); }, 0, {std::numbers::ln2, 0.5, 0.25, 0, -0.125, 0});
  orders([](const Tensor& x) { return logaddexp(0, x); }, 0, {std::numbers::ln2, 0.5, 0.25, 0, -0.125, 0});
}

// ---- choosing: what is on the other side does not leak

BOOST_AUTO_TEST_CASE(where_hides_the_other_side) {
  for (const DType dtype : {f32, f64}) {
    const Tensor x = watch(cast(tensor({-1.0, 0.0, 4.0}), dtype));
    const auto slope = [&](const Tensor& y) { return grad(sum(y), {x}, {.allow_unused = true})[0]; };
    const Tensor y = where(x > 0, x, not_a_number);
    expect("NaN beside", y, {not_a_number, not_a_number, 4});
    expect("slope, NaN beside", slope(where(x > 0, 3 * x, inf)), {0, 0, 3});
    expect("of nothing but NaN", slope(where(x > 0, 3 * x, 0 * x / 0)),
           {not_a_number, not_a_number, not_a_number});  // 0 x infinity
    // the mask of a result does not stop 0 x infinity inside; the mask of the operand does
    expect("mask of the result", slope(where(x > 0, sqrt(x), 0)), {not_a_number, not_a_number, 0.25});
    expect("mask of the operand", slope(where(x > 0, sqrt(where(x > 0, x, 1)), 0)), {0, 0, 0.25});
    const Tensor c = tensor({true, false, true});
    const Tensor bad = cast(tensor({1.0, not_a_number, inf}), dtype),
                 good = cast(tensor({not_a_number, 2.0, not_a_number}), dtype);
    expect("where", where(c, bad, good), {1, 2, inf});
  }
}

BOOST_AUTO_TEST_CASE(clamp_at_its_bounds) {
  for (const DType dtype : {f32, f64}) {
    const Tensor x = watch(cast(tensor({-1.0, 0.0, 0.5, 1.0, 2.0, inf, -inf, not_a_number}), dtype));
    const auto slope = [&](const Tensor& y) { return grad(sum(y), {x})[0]; };
    expect("clamp", clamp(x, 0, 1), {0, 0, 0.5, 1, 1, 1, 0, not_a_number});
    expect("slope of clamp", slope(clamp(x, 0, 1)), {0, 1, 1, 1, 0, 0, 0, not_a_number});
    expect("slope of clamp without bounds", slope(clamp(x, -inf, inf)), {1, 1, 1, 1, 1, 1, 1, not_a_number});
    expect("clamp, crossed", clamp(x, 1, 0), {0, 0, 0, 0, 0, 0, 0, not_a_number});
    const Tensor low = watch(zeros({8}, dtype)), high = watch(ones({8}, dtype));
    const Tensors bounds = grad(sum(clamp(x, low, high)), {low, high});
    expect("slope in the lower bound", bounds[0], {1, 0, 0, 0, 0, 0, 1, not_a_number});
    expect("slope in the upper bound", bounds[1], {0, 0, 0, 0, 1, 1, 0, not_a_number});
  }
}

// Where factors are split in two, exponents near the end of the range overflow.
BOOST_AUTO_TEST_CASE(great_powers) {
  for (const Shape& shape : shapes)
    for (const double y : {1e300, 1e307, 1.7e308, -1.7e308}) {
      const auto power = [&](double x) { return pow(repeated(shape, x, f64), repeated(shape, y, f64)); };
      const double more = y > 0 ? inf : 0;
      expect_all(fmt::format("1^{}", y), power(1), 1);
      expect_all(fmt::format("(-1)^{}", y), power(-1), 1);
      expect_all(fmt::format("(1 + 2^-52)^{}", y), power(1 + 0x1p-52), more);
      expect_all(fmt::format("0.5^{}", y), power(0.5), y > 0 ? 0 : inf);
      expect_all(fmt::format("(-7)^{}", y), power(-7), more);
    }
}

// ---- reductions

BOOST_AUTO_TEST_CASE(ties_share) {
  for (const DType dtype : {f32, f64}) {
    const Tensor x =
        watch(cast(tensor({{1.0, 3.0, 3.0}, {2.0, 2.0, 2.0}, {-inf, inf, inf}, {5.0, not_a_number, 1.0}}), dtype));
    const auto slope = [&](const Tensor& y) { return reshape(grad(y, {x}, ones(y.shape(), dtype))[0], {-1}); };
    expect("amax", amax(x, 1), {3, 2, inf, not_a_number});
    expect("slope of amax", slope(amax(x, 1)),
           {0, 0.5, 0.5, 1. / 3, 1. / 3, 1. / 3, 0, 0.5, 0.5, not_a_number, not_a_number, not_a_number});
    expect("amin", amin(x, 1, true), {1, 2, -inf, not_a_number});
    expect("slope of amin", slope(amin(x, 1, true)),
           {1, 0, 0, 1. / 3, 1. / 3, 1. / 3, 1, 0, 0, not_a_number, not_a_number, not_a_number});
    const auto f = [](const Tensor& v) { return amax(v, 1); };
    expect("forward slope of amax",
           jvp(f, x, cast(tensor({{1, 2, 4}, {1, 2, 6}, {1, 2, 4}, {0, 0, 0}}), dtype)).tangent,
           {3, 3, 3, not_a_number});
  }
  const Tensor cube = watch(tensor({{{2.0, 1.0}, {2.0, 0.0}}, {{2.0, -1.0}, {1.0, 0.0}}}));  // ties across axes 0 and 1
  expect("amax of axes", amax(cube, {0, 1}, true), {2, 1});
  expect("slope of amax of axes", reshape(grad(sum(amax(cube, {0, 1})), {cube})[0], {-1}),
         {1. / 3, 1, 1. / 3, 0, 1. / 3, 0, 0, 0});
  expect("amin of scattered axes", amin(cube, {0, -1}), {-1, 0});
  expect("slope of amin of scattered axes", reshape(grad(sum(amin(cube, {0, -1})), {cube})[0], {-1}),
         {0, 0, 0, 0.5, 0, 1, 0, 0.5});
  Parameter all = parameter(full({40, 50}, 2.0));  // in a region
  expect_all("slope of amax of a uniform tensor", grad(amax(all), {all})[0], 1. / 2000);
  expect_all("slope of amax, along columns", grad(sum(amin(all, 0)), {all})[0], 1. / 40);
  const Tensor second = grad(sum(square(grad(square(amax(all)), {all}, {.create_graph = true})[0])), {all})[0];
  expect_all("second derivative of amax", second,
             2 * 2 * 2. * 2 / 2000 / 2000);  // g = m / 1000, sum of g^2 = m^2 / 500
}

BOOST_AUTO_TEST_CASE(softmax_of_infinities) {
  for (const DType dtype : {f32, f64})
    for (const Size axis : {0, 1}) {
      Tensor rows = cast(tensor({{-inf, 0.0, std::numbers::ln2},
                                 {1000.0, 1000.0, -1000.0},
                                 {-inf, -inf, -inf},
                                 {0.0, not_a_number, 1.0}}),
                         dtype);
      const Tensor x = watch(axis == 1 ? rows : transpose(rows));
      const auto flat = [&](const Tensor& t) { return reshape(axis == 1 ? t : transpose(t), {-1}); };
      const Tensor y = softmax(x, axis), z = log_softmax(x, axis);
      expect("softmax", flat(y),
             {0, 1. / 3, 2. / 3, 0.5, 0.5, 0, not_a_number, not_a_number, not_a_number, not_a_number, not_a_number,
              not_a_number});
      expect("log_softmax", flat(z),
             {-inf, -std::log(3.0), std::log(2. / 3), -std::numbers::ln2, -std::numbers::ln2, -2000 - std::numbers::ln2,
              not_a_number, not_a_number, not_a_number, not_a_number, not_a_number, not_a_number});
      const Tensor pick = cast(tensor({{0, 0, 1}, {1, 0, 0}, {0, 1, 0}, {0, 1, 0}}), dtype);
      const Tensor g = axis == 1 ? pick : transpose(pick);
      expect("slope of softmax", flat(grad(y, {x}, g)[0]),
             {0, -2. / 9, 2. / 9, 0.25, -0.25, 0, not_a_number, not_a_number, not_a_number, not_a_number, not_a_number,
              not_a_number});
      expect("slope of log_softmax", flat(grad(z, {x}, g)[0]),
             {0, -1. / 3, 1. / 3, 0.5, -0.5, 0, not_a_number, not_a_number, not_a_number, not_a_number, not_a_number,
              not_a_number});
    }
}

BOOST_AUTO_TEST_CASE(logsumexp_of_infinities) {
  for (const DType dtype : {f32, f64}) {
    const Tensor x =
        watch(cast(tensor({{-inf, 0.0}, {1000.0, 1000.0}, {-inf, -inf}, {inf, 0.0}, {not_a_number, 0.0}}), dtype));
    const Tensor y = logsumexp(x, 1);
    expect("logsumexp", y, {0, 1000 + std::numbers::ln2, -inf, inf, not_a_number});
    // of nothing but -infinity 0; beside infinity there is no slope
    expect("slope of logsumexp", reshape(grad(sum(y), {x})[0], {-1}),
           {0, 1, 0.5, 0.5, 0, 0, not_a_number, 0, not_a_number, not_a_number});
  }
}

BOOST_AUTO_TEST_CASE(norms_variances_and_sums) {
  for (const DType dtype : {f32, f64}) {
    const auto slope = [&](const Function& f, const Tensor& at) {
      const Tensor x = watch(at);
      return grad(f(x), {x}, ones(f(x).shape(), dtype))[0];
    };
    const Function length = [](const Tensor& v) { return norm(v); };
    expect_all("slope of the norm of zeros", slope(length, zeros({3}, dtype)), 0);
    expect_all("slope of the norm of many zeros", slope(length, zeros({2000}, dtype)), 0);
    expect_all("second derivative of the norm of zeros", hessian(length, zeros({3}, dtype)), 0);
    expect("slope of a norm", slope(length, cast(tensor({3.0, 4.0}), dtype)), {0.6, 0.8});
    expect("slope of the norm of NaN", slope(length, cast(tensor({not_a_number, 0.0}), dtype)),
           {not_a_number, not_a_number});
    expect("the norm of NaN", norm(cast(tensor({not_a_number, 0.0}), dtype)), {not_a_number});
    expect("stddev", stddev(cast(tensor({1.0, 3.0, 2.0, 6.0}), dtype)), {std::sqrt(14. / 3)});
    expect_all("slope of a deviation of equals",
               slope([](const Tensor& v) { return stddev(v); }, full({4}, 3.0, dtype)), 0);
    expect_all("slope of deviations of equals",
               slope([](const Tensor& v) { return stddev(v, 0, 0); }, full({4, 2}, 3.0, dtype)), 0);
    const Function product = [](const Tensor& v) { return prod(v); };
    expect("product", prod(cast(tensor({{2.0, 3.0}, {-1.0, 0.5}, {4.0, 5.0}}), dtype), 0, true), {-8, 7.5});
    expect("slope of a product with a zero", slope(product, cast(tensor({2.0, 0.0, 3.0}), dtype)), {0, 6, 0});
    expect_all("slope of a product with two", slope(product, cast(tensor({0.0, 2.0, 0.0}), dtype)), 0);
    expect("second derivative of a product with two", hessian(product, cast(tensor({0.0, 2.0, 0.0}), dtype)),
           {0, 0, 2, 0, 0, 0, 2, 0, 0});
    expect_all("product of nothing", prod(zeros({0, 3}, dtype), 0), 1);
    expect_all("slope of a variance of equals", slope([](const Tensor& v) { return var(v, 0); }, full({4}, 3.0, dtype)),
               0);
    const Tensor mixed = cast(tensor({{1.0, not_a_number}, {inf, -inf}, {1.0, 2.0}}), dtype);
    expect("sums", sum(mixed, 1), {not_a_number, not_a_number, 3});
    expect("sums down", sum(mixed, 0), {inf, not_a_number});
    expect("running sums", reshape(cumsum(mixed, 0), {-1}), {1, not_a_number, inf, not_a_number, inf, not_a_number});
    expect_all("slope of a sum with NaN", slope([](const Tensor& v) { return sum(v, 0); }, mixed), 1);
  }
}

// Zeros are not skipped: 0 x infinity and 0 x NaN are NaN, by whichever library multiplies.
BOOST_AUTO_TEST_CASE(products_with_nan) {
  for (const DType dtype : {f32, f64})
    for (const Size n : {2, 20, 160}) {
      std::vector<double> marks(static_cast<std::size_t>(n * n), 0.0);
      marks[1] = not_a_number;  // row 0, column 1
      const Tensor x = watch(zeros({n, n}, dtype) + cast(tensor(marks, {n, n}), dtype) * 0);
      const Tensor y = watch(eye(n, dtype));
      const std::vector<double> z = matmul(x, y).to_vector<double>();
      for (Size i = 0; i < n * n; ++i) BOOST_TEST(std::isnan(z[static_cast<std::size_t>(i)]) == (i < n));
      const Tensors g = grad(sum(matmul(x, y)), {x, y});
      expect_all("g y^T", g[0], 1);
      const std::vector<double> down = g[1].to_vector<double>();
      for (Size i = 0; i < n * n; ++i) BOOST_TEST(std::isnan(down[static_cast<std::size_t>(i)]) == (i / n == 1));
    }
}

BOOST_AUTO_TEST_CASE(casts_and_whole_numbers) {
  const Tensor x = tensor({not_a_number, inf, -inf, 2.9, -2.9, 0.0, 1e300});
  const std::vector<Size> whole = cast(x, i64).to_vector<Size>();
  BOOST_TEST(whole == (std::vector<Size>{INT64_MIN, INT64_MAX, INT64_MIN, 2, -2, 0, INT64_MAX}),
             boost::test_tools::per_element());
  expect("to boolean", cast(x, boolean), {1, 1, 1, 1, 1, 0, 1});
  expect("to f32", cast(x, f32), {not_a_number, inf, -inf, 2.9, -2.9, 0, inf});
  const Tensor least = tensor(std::vector<Size>{INT64_MIN});
  BOOST_TEST(floor_divide(least, -1).to_vector<Size>()[0] == INT64_MIN);  // wraps around
  BOOST_TEST(abs(least).to_vector<Size>()[0] == INT64_MIN);
  BOOST_TEST((least - 1).to_vector<Size>()[0] == INT64_MAX);
}

BOOST_AUTO_TEST_CASE(comparisons_with_nan) {
  for (const DType dtype : {f32, f64})
    for (const Size n : {Size{1}, Size{1500}}) {
      const Tensor x = repeated({n}, not_a_number, dtype), one = repeated({n}, 1, dtype);
      for (const Tensor& y : {x, one}) {
        expect_all("==", x == y, 0);
        expect_all("!=", x != y, 1);
        expect_all("<", x < y, 0);
        expect_all("<=", x <= y, 0);
        expect_all(">", x > y, 0);
        expect_all(">=", x >= y, 0);
      }
    }
}

// Where a slope is not to be differentiated, one kernel computes it: with the bits of its formula, wherever it is.
BOOST_AUTO_TEST_CASE(slopes_have_the_bits_of_their_formulas) {
  const std::vector<std::pair<const char*, Tensor (*)(const In&)>> ops = {
#define UNARY(op, ...) {#op, &xgrad::op},
#include "autodiff/elementwise.def"
  };
  const auto bits = [](const Tensor& x) {
    const Tensor y = cast(x, f64);
    std::vector<std::uint64_t> list;
    for (const double v : y.to_vector<double>()) list.push_back(std::isnan(v) ? 0 : std::bit_cast<std::uint64_t>(v));
    return list;
  };
  for (const DType dtype : {f32, f64})
    for (const Size n : {Size{1}, Size{37}, Size{3000}}) {
      const Tensor special =
          tensor({0.0, -0.0, 1.0, -1.0, inf, -inf, not_a_number, 1e-40, -1e-30, 1e30, 0.5, -0.25, 88.0, -104.0});
      const Tensor numbers = concat({special, 6 * randn({n}, f64), rand({n}, f64)}, 0);
      const Tensor v = cast(slice(numbers, 0, n == 1 ? 11 : 0, n == 1 ? 12 : n), dtype),
                   g = cast(randn({v.numel()}), dtype);
      for (const auto& [name, op] : ops)
        for (const Tensor& c : {g, full({v.numel()}, 0.7, dtype)}) {
          const Parameter x = Parameter(v);
          const Tensor y = op(x);
          BOOST_CHECK_MESSAGE(bits(grad(y, {x}, c)[0]) == bits(grad(y, {x}, c, {.create_graph = true})[0]),
                              "the slope of " << name << ", " << n << " numbers of " << xgrad::name(dtype));
        }
    }
}
