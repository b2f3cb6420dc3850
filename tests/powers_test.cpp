// x^y at zeros, infinities, NaN and of negative x: values as C's pow has them, by number and by tensor, and derivatives.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();

bool same(double got, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return std::abs(got - expected) <= tolerance * std::max(1.0, std::abs(expected));
}
void expect(const std::string& what, const Tensor& got, const std::vector<double>& expected) {
  const std::vector<double> v = got.to_vector<double>();
  BOOST_REQUIRE_EQUAL(v.size(), expected.size());
  for (std::size_t i = 0; i < v.size(); ++i)
    BOOST_CHECK_MESSAGE(
        same(v[i], expected[i], got.dtype() == f32 ? 1e-6 : 1e-14),
        what << ", " << name(got.dtype()) << ", element " << i << ": " << v[i] << ", expected " << expected[i]);
}
Tensor at(double x, DType dtype) { return cast(tensor(x), dtype); }

const std::vector<double> bases{0.0,  -0.0,  1.0, -1.0, 2.0,   -2.0,   0.25, -0.25, 3.5,         -3.5,
                                1e30, 1e-30, inf, -inf, 1e-40, -1e-40, 7e37, -7e37, not_a_number};

}  // namespace

// A number that has an op of its own gives what a tensor gives, and that is std::pow.
BOOST_AUTO_TEST_CASE(values_are_those_of_std_pow) {
  for (const double y : {1.0, 2.0, 0.5, -1.0, 0.0, -0.0, 3.0, -2.0, -0.5, 1.5, inf, -inf, not_a_number})
    for (const double b : bases)
      for (const DType dtype : {f32, f64})
        for (const Shape& shape : {Shape{}, Shape{3}, Shape{2000}}) {
          const double x = dtype == f32 ? static_cast<double>(static_cast<float>(b)) : b;
          const double wide = std::pow(x, y);
          const double z = dtype == f32 ? static_cast<double>(static_cast<float>(wide)) : wide;
          const Tensor of = cast(tensor(std::vector<double>(static_cast<std::size_t>(shape.numel()), b), shape), dtype);
          for (const bool by_number : {true, false}) {
            const Tensor got = by_number ? pow(of, y) : pow(of, cast(full({}, y, f64), dtype));
            const double first = slice(reshape(got, {-1}), 0, 0, 1).to_vector<double>()[0];
            const double last = reshape(got, {-1}).to_vector<double>().back();
            for (const double g : {first, last})
              BOOST_CHECK_MESSAGE(
                  same(g, z, dtype == f32 ? 1e-6 : 1e-14) && (std::isnan(z) || std::signbit(g) == std::signbit(z)),
                  fmt::format("{}^{} of shape {}, {}, {}: {}, expected {}", x, y, shape, name(dtype),
                              by_number ? "a number" : "a tensor", g, z));
          }
        }
}

// The slopes in x, too, are the same by number and by tensor.
BOOST_AUTO_TEST_CASE(slopes_are_the_same_by_number_and_by_tensor) {
  for (const double y : {1.0, 2.0, 0.5, -1.0, 0.0, 3.0, -2.0, 1.5})
    for (const double b : bases)
      for (const DType dtype : {f32, f64}) {
        const Tensor x = watch(at(b, dtype));
        const auto slopes = [&](const Tensor& z) {
          const Tensor g = grad(z, {x}, {.create_graph = true, .allow_unused = true})[0];
          return std::vector<double>{g.item(), grad(g, {x}, {.allow_unused = true})[0].item()};
        };
        const std::vector<double> number = slopes(pow(x, y)), tensor = slopes(pow(x, at(y, dtype)));
        for (int order = 0; order < 2; ++order) {
          const auto k = static_cast<std::size_t>(order);
          const double tolerance = dtype == f32 ? 1e-5 : 1e-13;
          const bool alike = same(number[k], tensor[k], tolerance * std::max(1., std::abs(tensor[k])));
          BOOST_CHECK_MESSAGE(alike || (order == 1 && !std::isfinite(b)),
                              fmt::format("{}^{}, {}, order {}: {} by number, {} by tensor", b, y, name(dtype),
                                          order + 1, number[k], tensor[k]));
        }
      }
}

// At x = 0: what derivatives tend to from above; 0^0 is flat. Of negative x there is none in y.
BOOST_AUTO_TEST_CASE(gradients_and_hessians) {
  const double n = not_a_number;
  struct Row {
    double x, y, z;
    std::vector<double> gradient, hessian;
  };
  const Row rows[] = {
      {0, 2, 0, {0, 0}, {2, 0, 0, 0}},
      {0, 3, 0, {0, 0}, {0, 0, 0, 0}},
      {0, 4, 0, {0, 0}, {0, 0, 0, 0}},
      {0, 2.5, 0, {0, 0}, {0, 0, 0, 0}},
      {0, 1.5, 0, {0, 0}, {inf, 0, 0, 0}},
      {0, 1, 0, {1, 0}, {0, 1, 1, 0}},  // 1 + 0: the slope in y of 0^0
      {0, 0.5, 0, {inf, 0}, {-inf, -inf, -inf, 0}},
      {0, 0.3, 0, {inf, 0}, {-inf, -inf, -inf, 0}},
      {0, 0, 1, {0, 0}, {0, 0, 0, 0}},
      {-0.0, 2, 0, {0, 0}, {2, 0, 0, 0}},
      {-0.0, 3, 0, {0, 0}, {0, 0, 0, 0}},
      {-2, 2, 4, {-4, n}, {2, n, n, n}},
      {-2, 3, -8, {12, n}, {-12, n, n, n}},
      {-2, 1, -2, {1, n}, {0, n, n, n}},
      {-2, 0, 1, {0, n}, {0, n, n, n}},
      {-2, -1, -0.5, {-0.25, n}, {-0.25, n, n, n}},
      {-2, 0.5, n, {n, n}, {n, n, n, n}},
      {2,
       3,
       8,
       {12, 8 * std::log(2.)},
       {12, 4 * (1 + 3 * std::log(2.)), 4 * (1 + 3 * std::log(2.)), 8 * std::log(2.) * std::log(2.)}},
      {1, 2, 1, {2, 0}, {2, 1, 1, 0}},
  };
  const auto f = [](const Tensor& v) { return pow(v[0], v[1]); };
  for (const Row& r : rows)
    for (const DType dtype : {f32, f64}) {
      const std::string what = fmt::format("{}^{}", r.x, r.y);
      const Tensor v = cast(tensor({r.x, r.y}), dtype);
      expect(what, f(v), {r.z});
      const Tensor x = watch(at(r.x, dtype)), y = watch(at(r.y, dtype));
      const Tensors g = grad(pow(x, y), {x, y});
      expect("slope in x of " + what, g[0], {r.gradient[0]});
      expect("slope in y of " + what, g[1], {r.gradient[1]});
      // Each second derivative by itself: beside 0, another's infinity would be NaN.
      const Tensors first = grad(pow(x, y), {x, y}, {.create_graph = true});
      for (std::size_t i = 0; i < 2; ++i) {
        const Tensors second = grad(first[static_cast<int>(i)], {x, y}, {.allow_unused = true});
        for (std::size_t j = 0; j < 2; ++j)
          expect(fmt::format("second derivative {}{} of {}", i, j, what), second[static_cast<int>(j)],
                 {r.hessian[2 * i + j]});
      }
    }
  // A hessian of two numbers that are parts of one tensor, where all is finite.
  for (const DType dtype : {f32, f64}) {
    expect("hessian of x^y at (0, 2)", hessian(f, cast(tensor({0.0, 2.0}), dtype)), {2, 0, 0, 0});
    expect("hessian of x^y at (0, 3)", hessian(f, cast(tensor({0.0, 3.0}), dtype)), {0, 0, 0, 0});
    expect("hessian of x^y at (0, 1)", hessian(f, cast(tensor({0.0, 1.0}), dtype)), {0, 1, 1, 0});
  }
}

// d^n x^y / dx^n and d^n x^y / dy^n at 0
BOOST_AUTO_TEST_CASE(every_order_at_zero) {
  const auto orders = [](const std::string& what, bool of_x, double x0, double y0,
                         const std::vector<double>& expected) {
    const Tensor x = watch(tensor(x0)), y = watch(tensor(y0));
    Tensor d = pow(x, y);
    for (std::size_t order = 0; order < expected.size(); ++order) {
      expect(fmt::format("{}, order {}", what, order), d, {expected[order]});
      d = grad(d, {of_x ? x : y}, {.create_graph = true, .allow_unused = true})[0];
    }
  };
  orders("x^1", true, 0, 1, {0, 1, 0, 0, 0, 0});
  orders("x^2", true, 0, 2, {0, 0, 2, 0, 0, 0});
  orders("x^3", true, 0, 3, {0, 0, 0, 6, 0, 0, 0});
  orders("x^5", true, 0, 5, {0, 0, 0, 0, 0, 120, 0, 0});
  orders("x^0.5", true, 0, 0.5, {0, inf, -inf, inf});
  orders("x^2.5", true, 0, 2.5, {0, 0, 0, inf, -inf});
  orders("(-1)^4", true, -1, 4, {1, -4, 12, -24, 24, 0, 0});
  orders("0^2 in y", false, 0, 2, {0, 0, 0, 0, 0});
  orders("0^0.5 in y", false, 0, 0.5, {0, 0, 0, 0, 0});
}
