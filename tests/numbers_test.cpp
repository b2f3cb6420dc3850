// Which dtype operands meet in: a table, by kind and by strength; gradients in their operands' dtypes; the default dtype.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <sstream>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>

#include "helpers.hpp"

using namespace xgrad;
using helpers::says;

namespace {

// The default dtype, for a while.
struct Default {
  explicit Default(DType dtype) { set_default_dtype(dtype); }
  ~Default() { set_default_dtype(f32); }
};

Tensor array(DType dtype) { return cast(tensor({1.0, 2.0}), dtype); }
Tensor scalar(DType dtype) { return cast(sum(tensor({1.0, 1.0})), dtype); }

constexpr DType dtypes[] = {f32, f64, i64, boolean};

}  // namespace

BOOST_AUTO_TEST_CASE(arrays_meet) {
  //                      f32  f64  i64  boolean
  const DType met[4][4] = {{f32, f64, f32, f32}, {f64, f64, f64, f64}, {f32, f64, i64, i64}, {f32, f64, i64, i64}};
  for (const DType x : dtypes)
    for (const DType y : dtypes) {
      const DType expected = met[static_cast<int>(x)][static_cast<int>(y)];
      BOOST_TEST_CONTEXT(name(x) << " + " << name(y)) {
        BOOST_CHECK((array(x) + array(y)).dtype() == expected);
        BOOST_CHECK((scalar(x) + scalar(y)).dtype() == expected);
        BOOST_CHECK((array(x) / array(y)).dtype() == (is_float(expected) ? expected : f32));
        BOOST_CHECK((array(x) < array(y)).dtype() == boolean);
        const DType kept = x == boolean && y == boolean ? boolean : expected;
        BOOST_CHECK(where(tensor({true, false}), array(x), array(y)).dtype() == kept);
        BOOST_CHECK(concat({array(x), array(y)}).dtype() == kept);
        BOOST_CHECK(stack({array(x), array(y)}).dtype() == kept);
      }
    }
}

// A 0-d tensor takes the float dtype of what has axes; of a higher kind, it says the dtype.
BOOST_AUTO_TEST_CASE(scalars_are_weak) {
  const DType met[4][4] = {{f32, f32, f32, f32}, {f64, f64, f64, f64}, {f32, f64, i64, i64}, {f32, f64, i64, i64}};
  for (const DType x : dtypes)
    for (const DType y : dtypes)
      BOOST_TEST_CONTEXT(name(x) << " array, " << name(y) << " scalar") {
        const DType expected = met[static_cast<int>(x)][static_cast<int>(y)];
        BOOST_CHECK((array(x) * scalar(y)).dtype() == expected);
        BOOST_CHECK((scalar(y) * array(x)).dtype() == expected);
      }
}

// So does a C++ number, and a Tensor made from one; a fractional one makes integers floats of the default dtype.
BOOST_AUTO_TEST_CASE(numbers_are_weak) {
  for (const DType usual : {f32, f64}) {
    const Default scope(usual);
    for (const DType x : dtypes)
      for (const auto& t : {array(x), scalar(x)}) {
        const DType whole = x == boolean ? i64 : x, fraction = is_float(x) ? x : usual;
        const Tensor half = 0.5, three = 3;
        BOOST_TEST_CONTEXT(name(x) << " " << t.shape() << ", default " << name(usual)) {
          BOOST_CHECK((t * 3).dtype() == whole);
          BOOST_CHECK((3 - t).dtype() == whole);
          BOOST_CHECK((t * 0.5).dtype() == fraction);
          BOOST_CHECK((0.5f + t).dtype() == fraction);
          BOOST_CHECK((t * three).dtype() == whole);
          BOOST_CHECK((half * t).dtype() == fraction);
          BOOST_CHECK((t / 2).dtype() == fraction);
          BOOST_CHECK(maximum(t, 0.5).dtype() == fraction);
          BOOST_CHECK(where(t > 0, t, 0.5).dtype() == fraction);
          BOOST_CHECK(pow(t, 2).dtype() == fraction);
          BOOST_CHECK(sqrt(t).dtype() == fraction);
          BOOST_CHECK(mean(t).dtype() == fraction);
          BOOST_CHECK(floor_divide(t, 2).dtype() == whole);
          BOOST_CHECK((t == 0.5).dtype() == boolean);
        }
      }
  }
  BOOST_CHECK((0.1 + tensor({1.0f})).to_vector<double>()[0] == static_cast<double>(1.1f));
  BOOST_CHECK(stack({scalar(f32), 1.0}).dtype() == f32);
  BOOST_CHECK(concat({array(f32), unsqueeze(scalar(f32), 0)}).dtype() == f32);
}

BOOST_AUTO_TEST_CASE(booleans_count) {
  const Tensor a = tensor({true, true, false}), b = tensor({true, false, false});
  BOOST_TEST((a + b).to_vector<Size>() == (std::vector<Size>{2, 1, 0}));
  BOOST_TEST((a - b).to_vector<Size>() == (std::vector<Size>{0, 1, 0}));
  BOOST_TEST((-a).to_vector<Size>() == (std::vector<Size>{-1, -1, 0}));
  BOOST_TEST(mean(a == b).item() == 2.0 / 3, boost::test_tools::tolerance(1e-7));
  BOOST_TEST((sum(a == b) / 3).item() == 2.0 / 3, boost::test_tools::tolerance(1e-7));
  BOOST_TEST((1 / tensor({2, 4})).to_vector<double>() == (std::vector<double>{0.5, 0.25}));
}

// Each operand's gradient has its dtype, to second order.
BOOST_AUTO_TEST_CASE(gradients_in_the_operands_dtypes) {
  const auto ops = std::vector<std::pair<const char*, Tensor (*)(const In&, const In&)>>{{"add", add},
                                                                                         {"mul", mul},
                                                                                         {"div", div},
                                                                                         {"pow", pow},
                                                                                         {"maximum", maximum},
                                                                                         {"atan2", atan2},
                                                                                         {"remainder", remainder}};
  for (const auto& [name, f] : ops)
    for (const DType x : {f32, f64})
      for (const DType y : {f32, f64})
        for (const Shape& shape : {Shape{}, Shape{3}, Shape{2000}}) {
          const Parameter p(full({3}, 1.5, x)), q(full(shape == Shape{3} ? Shape{3} : Shape{}, 0.75, y));
          const Tensor z = sum(square(f(p, q)));
          const auto [gp, gq] = grad(z, {p, q}, {.create_graph = true});
          BOOST_TEST_CONTEXT(name << " " << xgrad::name(x) << " " << xgrad::name(y) << " " << shape) {
            BOOST_CHECK(gp.dtype() == x);
            BOOST_CHECK(gq.dtype() == y);
            BOOST_CHECK(gq.shape() == q.shape());
            const Tensors second = grad(sum(gp) + sum(gq), {p, q}, {.allow_unused = true});
            BOOST_CHECK(second[0].dtype() == x && second[1].dtype() == y);
          }
        }
  // a scalar f64 model on f32 data, as a person writes it first
  Parameter slope(0.0), offset(0.0);
  const Tensor x = linspace(-1.0f, 1.0f, 64), y = 2 * x - 0.5;
  for (int i = 0; i < 300; ++i) {
    const auto [a, b] = grad(mean(square(slope * x + offset - y)), {slope, offset});
    slope -= 0.3 * a;
    offset = offset - 0.3 * b;
  }
  BOOST_TEST(slope.item() == 2.0, boost::test_tools::tolerance(1e-5));
  BOOST_CHECK(slope.dtype() == f64);
  slope = 1;  // a number takes the variable's dtype
  BOOST_TEST(slope.item() == 1.0);
}

BOOST_AUTO_TEST_CASE(integer_division) {
  const std::vector<Size> x = {7, -7, 7, -7, 6, 0, std::numeric_limits<Size>::min()}, y = {2, 2, -2, -2, 3, 5, -1};
  const std::vector<Size> quotient = {3, -4, -4, 3, 2, 0, std::numeric_limits<Size>::min()},
                          rest = {1, 1, -1, -1, 0, 0, 0};
  BOOST_TEST(floor_divide(tensor(x), tensor(y)).to_vector<Size>() == quotient);
  BOOST_TEST(remainder(tensor(x), tensor(y)).to_vector<Size>() == rest);
  for (const DType dtype : {f32, f64})
    for (int i = 0; i < 6; ++i) {
      const Tensor a = cast(tensor(x[i]), dtype), b = cast(tensor(y[i]), dtype);
      BOOST_TEST(floor_divide(a, b).item() == static_cast<double>(quotient[i]));
      BOOST_TEST(remainder(a, b).item() == static_cast<double>(rest[i]));
    }
  BOOST_TEST(remainder(1.0, tensor(0.1)).item() == std::fmod(1.0, 0.1));  // 0.1 is a little more than a tenth
  BOOST_TEST(floor_divide(1.0, tensor(0.1)).item() == 9);
  BOOST_TEST(floor_divide(tensor(-5.0), std::numeric_limits<double>::infinity()).item() == -1);
  for (auto f : {floor_divide, remainder}) {
    BOOST_CHECK_EXCEPTION(f(tensor({1, 2}), tensor({1, 0})), Error, says("division of integers by zero"));
    BOOST_CHECK_EXCEPTION(f(tensor({1, 2}), 0), Error, says("numbers_test.cpp"));
  }
  constexpr double infinite = std::numeric_limits<double>::infinity();
  for (const DType dtype : {f32, f64}) {
    const Tensor some = cast(tensor({1.0, -1.0, 0.0}), dtype), zero = zeros({3}, dtype);
    const std::vector<double> up = floor_divide(some, zero).to_vector<double>(),
                              down = floor_divide(some, -zero).to_vector<double>();
    BOOST_TEST((up[0] == infinite && up[1] == -infinite && std::isnan(up[2])));
    BOOST_TEST((down[0] == -infinite && down[1] == infinite && std::isnan(down[2])));
    for (const double rest : remainder(some, zero).to_vector<double>()) BOOST_TEST(std::isnan(rest));
  }
}

BOOST_AUTO_TEST_CASE(makers_take_the_default) {
  for (const DType usual : {f32, f64}) {
    const Default scope(usual);
    for (const Tensor& t : {zeros(3), ones({2}), eye(2), rand(3), randn({3}), one_hot(tensor({0, 1}), 2),
                            nn::Linear(2, 3).weight.value()})
      BOOST_CHECK(t.dtype() == usual);
    BOOST_CHECK(tensor({1.0}).dtype() == f64 && tensor({1.0f}).dtype() == f32 && full({2}, 0.1).dtype() == f64);
    BOOST_CHECK(parameter(0.1).dtype() == f64 && Parameter(0.1f).dtype() == f32);
  }
  BOOST_CHECK_EXCEPTION(set_default_dtype(i64), Error, says("[set_default_dtype] expected f32 or f64, got i64"));
  BOOST_CHECK_EXCEPTION(parameter(1), Error, says("integers have no derivative"));
  BOOST_CHECK_EXCEPTION(Parameter{tensor({1, 2})}, Error, says("integers have no derivative"));
}

BOOST_AUTO_TEST_CASE(ranges) {
  BOOST_TEST(arange(3).to_vector<Size>() == (std::vector<Size>{0, 1, 2}));
  BOOST_TEST(arange(0, 10, 3).to_vector<Size>() == (std::vector<Size>{0, 3, 6, 9}));
  BOOST_TEST(arange(5, 0, -2).to_vector<Size>() == (std::vector<Size>{5, 3, 1}));
  BOOST_TEST(arange(0.0, 1.0, 0.25).to_vector<double>() == (std::vector<double>{0, 0.25, 0.5, 0.75}));
  BOOST_CHECK(arange(0, 1, 0.5f).dtype() == f32);
  BOOST_TEST(arange(4, 4).numel() == 0);
  BOOST_CHECK_EXCEPTION(arange(0, 5, -1), Error, says("[arange] expected begin <= end"));
  BOOST_CHECK_EXCEPTION(arange(0, 5, 0), Error, says("[arange]"));
  BOOST_CHECK_EXCEPTION(arange(0.0, 1.0, std::nan("")), Error, says("[arange]"));
  BOOST_CHECK_EXCEPTION(arange(-1), Error, says("[arange]"));
}

// Of numbers: numbers, of their type. `using namespace xgrad` hides nothing.
BOOST_AUTO_TEST_CASE(functions_of_numbers) {
  static_assert(std::is_same_v<decltype(xgrad::sqrt(2.0)), double> &&
                std::is_same_v<decltype(xgrad::sqrt(2.0f)), float>);
  static_assert(std::is_same_v<decltype(xgrad::pow(2.0f, 3)), double> &&
                std::is_same_v<decltype(xgrad::abs(-3L)), long>);
  BOOST_TEST(abs(-0.5) == 0.5);
  BOOST_TEST(abs(-0.5f) == 0.5f);
  BOOST_TEST(xgrad::abs(-3) == 3);
  BOOST_TEST(xgrad::sqrt(4) == 2.0);
  const volatile int cube = -27;  // a compiler's own root may differ from the library's in the last bit
  BOOST_TEST(xgrad::cbrt(int(cube)) == std::cbrt(int(cube)));
  BOOST_TEST(xgrad::log(2.0) == std::log(2.0));
  BOOST_TEST(xgrad::round(2.5) == 2.0);
  BOOST_TEST(xgrad::atan2(1.0, 1.0) == std::atan2(1.0, 1.0));
  BOOST_TEST(xgrad::hypot(3, 4.0f) == 5.0);
  BOOST_TEST(xgrad::atanh(0.5) == std::log(3.0) / 2, boost::test_tools::tolerance(1e-15));
  const auto twice = [](const auto& x) { return x + exp(x); };
  BOOST_TEST(twice(1.0) == twice(tensor(1.0)).item(), boost::test_tools::tolerance(1e-14));
}

// What people write first.
BOOST_AUTO_TEST_CASE(as_people_write) {
  const Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  const auto [rows, columns] = x.shape();
  BOOST_TEST(rows == 2);
  BOOST_TEST(columns == 3);
  const auto [a, b, c] = zeros({4, 5, 6}).shape().as<3>();
  BOOST_TEST(a + b + c == 15);
  BOOST_CHECK_EXCEPTION((zeros({4, 5, 6}).shape().get<0>()), Error,
                        says("(4, 5, 6) has 3 extents where 2 are taken; as<3>()"));
  const Tensors three{x, 1.0, 2};
  BOOST_CHECK_EXCEPTION(three.get<1>(), Error, says("3 tensors where 2 are taken; as<3>()"));
  const auto [p, q, r] = three.as<3>();
  BOOST_TEST(q.item() + r.item() == 3);

  Tensor total = 0.0;
  for (int i = 0; i < 3; ++i) total += x[0];
  BOOST_TEST(total.to_vector<double>() == (std::vector<double>{3, 6, 9}));

  Parameter w(2.0), v(3.0);
  BOOST_TEST(grad(w * w, w)[0].item() == 4);
  BOOST_TEST(grad(cast(w, f32) * 2, {w}, 0.5)[0].item() == 1);  // a cotangent
  const auto [gw, gv] = grad(w * v, {w, v});
  BOOST_TEST(gw.item() == 3);
  BOOST_TEST(gv.item() == 2);
  const auto [value, gradient] = value_and_grad([](const auto& z) { return sum(z * z); }, x);
  BOOST_TEST(value.item() == 91);
  BOOST_TEST(value_and_grad([](const auto& in) { return sum(in[0] * in[1]); }, {x, x}).grads[1][1][2].item() == 6);

  BOOST_TEST(fmt::format("{:.2f}", tensor({1.0, -0.126})) == "[ 1.00, -0.13]");
  BOOST_TEST(fmt::format("{:.1e}", tensor(1234.0)) == "1.2e+03");
  BOOST_TEST(fmt::format("{} {:>8}", f32, i64) == "f32      i64");
  std::ostringstream out;
  out << x.shape() << " " << x.dtype() << " " << x[0];
  BOOST_TEST(out.str() == "(2, 3) f64 [1., 2., 3.]");
  BOOST_TEST(select(x, 1, -1).to_vector<double>() == (std::vector<double>{3, 6}));
  BOOST_CHECK_EXCEPTION(select(x, 1, 3), Error, says("[select] index 3 along axis 1 of (2, 3); expected -3 ... 2"));
  BOOST_TEST(reshape(x, -1).numel() == 6);
}
