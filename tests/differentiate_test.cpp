// Derivatives of functions: each transform against differences, and gradcheck, which must see what is wrong.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"
#include "sweep/differences.hpp"

using namespace xgrad;
using namespace helpers;
using sweep::Vector;

namespace {

void near(const Tensor& got, const Vector& expected, double tolerance = 1e-8) {
  const Vector v = got.to_vector<double>();
  BOOST_REQUIRE_EQUAL(v.size(), expected.size());
  for (std::size_t i = 0; i < v.size(); ++i)
    BOOST_CHECK_MESSAGE(std::abs(v[i] - expected[i]) <= tolerance * std::max(1.0, std::abs(expected[i])),
                        "element " << i << ": " << v[i] << ", expected " << expected[i]);
}
void near(const Tensor& got, const Tensor& expected, double tolerance = 1e-12) {
  BOOST_TEST((got.shape() == expected.shape()));
  near(got, expected.to_vector<double>(), tolerance);
}

// df/dx along t, by differences.
Vector along(const Function& f, const Tensor& x, const Vector& t) {
  const NoGrad no_grad;
  const auto values = [&](const sweep::Point& p) { return f(tensor(p[0], x.shape())).to_vector<double>(); };
  return sweep::differences(values, {x.to_vector<double>()}, {t});
}
// The Jacobian, [f's numbers, x's], by differences.
Vector jacobian_by_differences(const Function& f, const Tensor& x) {
  const auto n = static_cast<std::size_t>(x.numel());
  std::vector<Vector> columns;
  for (std::size_t i = 0; i < n; ++i) {
    Vector t(n, 0.0);
    t[i] = 1;
    columns.push_back(along(f, x, t));
  }
  Vector rows;
  for (std::size_t j = 0; n && j < columns[0].size(); ++j)
    for (const Vector& column : columns) rows.push_back(column[j]);
  return rows;
}

Tensor tall(const Tensor& x) {  // of 3 numbers 6
  return concat({x * x[0], sin(x) + cumsum(x, 0)});
}
Tensor wide(const Tensor& x) {  // of a matrix 2 numbers
  return stack({sum(square(x) * x), mean(exp(x)) * x[0][0]});
}
Tensor number(const Tensor& x) {  // one, of any
  return sum(sin(x) * cumsum(reshape(x, {-1}), 0)[-1]) + logsumexp(reshape(x, {-1}), 0);
}

const Tensor vector3 = tensor({0.3, -1.2, 0.7});
const Tensor matrix = tensor({{0.4, -0.6, 1.1}, {0.2, 0.9, -0.5}});

}  // namespace

// ---- transforms

BOOST_AUTO_TEST_CASE(jacobian_of_more_results_and_of_more_inputs) {
  const Tensor j = jacobian(tall, vector3);
  BOOST_TEST((j.shape() == Shape{6, 3}));
  near(j, jacobian_by_differences(tall, vector3));
  const Tensor k = jacobian(wide, matrix);
  BOOST_TEST((k.shape() == Shape{2, 2, 3}));
  near(k, jacobian_by_differences(wide, matrix));
  const Function same = [](const Tensor& x) { return transpose(x); };
  near(reshape(jacobian(same, matrix), {6, 6}), jacobian_by_differences(same, matrix));
  BOOST_TEST((jacobian(number, tensor(0.5)).shape() == Shape{}));
  near(jacobian(number, tensor(0.5)), jacobian_by_differences(number, tensor(0.5)));
  BOOST_TEST((jacobian(tall, tensor(0.5) * ones({3}, f64)).shape() == Shape{6, 3}));
}

BOOST_AUTO_TEST_CASE(jacobians_of_nothing_and_of_what_does_not_depend) {
  BOOST_TEST((jacobian([](const Tensor& x) { return x * x; }, zeros({0}, f64)).shape() == Shape{0, 0}));
  BOOST_TEST((jacobian([](const Tensor& x) { return sum(x); }, zeros({0}, f64)).shape() == Shape{0}));
  BOOST_TEST((jacobian([](const Tensor& x) { return slice(x, 0, 0, 0); }, vector3).shape() == Shape{0, 3}));
  near(jacobian([](const Tensor&) { return tensor({1.0, 2.0}); }, vector3), zeros({2, 3}, f64));
  near(jacobian([](const Tensor&) { return tensor({1.0, 2.0, 3.0, 4.0}); }, vector3), zeros({4, 3}, f64));
}

BOOST_AUTO_TEST_CASE(hessian_and_hvp_against_differences_of_the_gradient) {
  for (const Tensor& x : {vector3, matrix, tensor(0.6), transpose(matrix)}) {
    const Function gradient = [](const Tensor& v) { return value_and_grad(number, v).grad; };
    const Tensor h = hessian(number, x);
    Shape twice = x.shape();
    for (Size e : x.shape()) twice.push_back(e);
    BOOST_TEST((h.shape() == twice));
    near(h, jacobian_by_differences(gradient, x));
    const Size n = x.numel();
    const Tensor flat = reshape(h, {n, n}), t = reshape(linspace(-1, 2, n), x.shape());
    near(flat, transpose(flat));
    near(hvp(number, x, t), reshape(matmul(flat, reshape(t, {n})), x.shape()));
    near(hvp(number, x, t), along(gradient, x, t.to_vector<double>()));
  }
}

BOOST_AUTO_TEST_CASE(hvp_of_large_ones) {
  const Tensor x = evaluate(linspace(-1, 1, 3000)), t = evaluate(cos(linspace(0, 9, 3000)));
  const Function f = [](const Tensor& v) {
    return sum(v * tanh(v)) + square(mean(v)) + sum(slice(v, 0, 1) * slice(v, 0, 0, -1));
  };
  near(hvp(f, x, t), along([&](const Tensor& v) { return value_and_grad(f, v).grad; }, x, t.to_vector<double>()));
}

BOOST_AUTO_TEST_CASE(values_and_gradients) {
  const auto [value, gradient] = value_and_grad(number, matrix);
  BOOST_TEST(value.item() == number(matrix).item());
  BOOST_TEST(!value.requires_grad());
  BOOST_TEST(!gradient.requires_grad());
  near(gradient, jacobian_by_differences(number, matrix));

  const FunctionOfMany many = [](const Tensors& in) { return sum(matmul(in[0], in[1]) * in[1][0]); };
  const Tensor other = matmul(transpose(matrix), matrix);
  const auto [y, grads] = value_and_grad(many, {matrix, other, vector3});
  BOOST_TEST(y.item() == many({matrix, other, vector3}).item());
  BOOST_REQUIRE_EQUAL(grads.size(), 3u);
  near(grads[0], jacobian_by_differences([&](const Tensor& v) { return many({v, other}); }, matrix));
  near(grads[1], jacobian_by_differences([&](const Tensor& v) { return many({matrix, v}); }, other));
  near(grads[2], zeros({3}, f64));                                 // it plays no part
  const auto twice = value_and_grad(many, {other, other, other});  // one tensor as two of them: apart
  near(twice.grads[0], jacobian_by_differences([&](const Tensor& v) { return many({v, other}); }, other));
}

BOOST_AUTO_TEST_CASE(pullbacks_are_linear_and_can_be_called_again) {
  const auto [y, pullback] = vjp(tall, vector3);
  near(y, tall(vector3));
  const Tensor j = jacobian(tall, vector3), g = linspace(-1, 2, 6);
  near(pullback(g), matmul(transpose(j), g));
  near(pullback(g * 3), 3 * pullback(g));
  near(pullback(g), matmul(g, j));
  near(jvp(tall, vector3, vector3).tangent, matmul(j, vector3));
  near(jvp(tall, vector3, vector3).value, y);
}

BOOST_AUTO_TEST_CASE(transforms_of_transforms) {
  const Tensor x = vector3;
  const Function gradient = [](const Tensor& v) { return value_and_grad(number, v).grad; };
  near(jacobian(gradient, x), hessian(number, x));
  const Function pushed = [&](const Tensor& v) { return jvp(number, v, vector3).tangent; };
  near(value_and_grad(pushed, x).grad, hvp(number, x, vector3));
  const Function curvature = [&](const Tensor& v) { return sum(hvp(number, v, vector3) * vector3); };
  near(value_and_grad(curvature, x).grad, jacobian_by_differences(curvature, x));
  const Function trace = [](const Tensor& v) { return sum(hessian(number, v) * eye(3, f64)); };
  near(value_and_grad(trace, x).grad, jacobian_by_differences(trace, x));
  const Function inner = [](const Tensor& v) { return sum(jacobian(tall, v) * linspace(0, 1, 3)); };
  near(hessian(inner, x), jacobian_by_differences([&](const Tensor& v) { return value_and_grad(inner, v).grad; }, x));
}

BOOST_AUTO_TEST_CASE(transforms_under_no_grad) {
  Parameter w = parameter(2.0);
  const Function f = [&](const Tensor& x) { return sum(w * square(x) * x); };
  const Tensor outside = value_and_grad(f, vector3).grad, curved = hessian(f, vector3);
  BOOST_TEST(outside.requires_grad());  // by w
  const NoGrad no_grad;
  near(value_and_grad(f, vector3).grad, outside);
  near(hessian(f, vector3), curved);
  near(jvp(f, vector3, vector3).tangent, sum(outside * vector3));
  BOOST_TEST(!value_and_grad(f, vector3).grad.requires_grad());
  BOOST_TEST(!jvp(f, vector3, vector3).tangent.requires_grad());
  BOOST_TEST(!hessian(f, vector3).requires_grad());
}

BOOST_AUTO_TEST_CASE(in_f32) {
  const Tensor x = cast(matrix, f32);
  BOOST_TEST((hessian(number, x).dtype() == f32));
  near(hessian(number, x), hessian(number, matrix), 1e-5);
  near(jacobian(wide, x), jacobian(wide, matrix), 1e-5);
  near(hvp(number, x, x), hvp(number, matrix, matrix), 1e-5);
}

// A slope that equals 1, and a cotangent that does, are not the constant 1.
BOOST_AUTO_TEST_CASE(slopes_that_happen_to_be_1) {
  Parameter x = parameter(0.0);
  const Tensor g = grad(3 * exp(x), {x}, {.create_graph = true})[0];
  BOOST_TEST(grad(g, {x})[0].item() == 3);
  const Tensor one = watch(ones({2}, f64)), seven = watch(tensor({7.0, 7.0}));
  const Tensor product = grad(sum(one * seven * 5), {seven}, {.create_graph = true})[0];
  near(grad(product, {one}, ones({2}, f64))[0], {5.0, 5.0});
  const Tensor cotangent = watch(tensor(1.0));
  const Tensor pulled = grad(log2(watch(tensor(4.0))) * 1, {x}, {.allow_unused = true})[0];
  BOOST_TEST(pulled.item() == 0);
  const Tensor at = watch(tensor(0.25));
  const Tensor slope = grad(log(at), {at}, cotangent, {.create_graph = true})[0];
  BOOST_TEST(grad(slope, {cotangent})[0].item() == 4);
}

// ---- gradcheck

namespace {

CustomOp cube(const std::function<Tensor(const Tensor& g, const Tensor& x)>& pull) {
  return CustomOp(
      {.name = "cube",
       .forward = [](const Tensors& in) { return in[0] * square(in[0]); },
       .vjp = [pull](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors { return {pull(g, in[0])}; }});
}

}  // namespace

BOOST_AUTO_TEST_CASE(gradcheck_passes_what_is_right) {
  for (const Function& f : {Function(tall), Function(number), Function([](const Tensor& x) { return x; }),
                            Function([](const Tensor&) { return tensor(1.0); })}) {
    const GradCheck check = gradcheck(f, vector3, {.order = 2});
    BOOST_CHECK_MESSAGE(check.passed, check.message);
    BOOST_TEST(check.worst <= 1e-6);
  }
  BOOST_TEST(gradcheck(wide, matrix, {.order = 2}).passed);
  BOOST_TEST(
      gradcheck(cube([](const Tensor& g, const Tensor& x) { return 3 * g * square(x); }), matrix, {.order = 2}).passed);
  BOOST_TEST(gradcheck(tall, zeros({3}, f64) + 0.5).passed);
  BOOST_TEST(gradcheck([](const Tensor& x) { return square(x); }, zeros({0}, f64), {.order = 2}).passed);
  Parameter p = parameter(vector3);
  BOOST_TEST(gradcheck(number, p).passed);
  BOOST_TEST(fmt::format("{}", gradcheck(tall, vector3)).find("passed") == 0u);
}

BOOST_AUTO_TEST_CASE(gradcheck_sees_a_wrong_vjp) {
  const auto wrong = [](const std::function<Tensor(const Tensor&, const Tensor&)>& pull) {
    const GradCheck check = gradcheck(cube(pull), matrix);
    BOOST_TEST(!check.passed);
    BOOST_TEST(check.worst > 1e-6);
    BOOST_TEST(check.message.find("gradient: element") == 0u);
    BOOST_TEST(fmt::format("{}", check).find("FAILED") == 0u);
  };
  wrong([](const Tensor& g, const Tensor& x) { return 3.0001 * g * square(x); });
  wrong([](const Tensor& g, const Tensor& x) { return -3 * g * square(x); });
  wrong([](const Tensor& g, const Tensor& x) { return 3 * square(x) + 0 * g; });
  wrong([](const Tensor& g, const Tensor& x) { return 3 * flip(g, 1) * square(x); });
  wrong([](const Tensor& g, const Tensor& x) { return 3 * g * square(x) * (x < 1); });
  wrong([](const Tensor&, const Tensor&) { return Tensor(); });
  wrong([](const Tensor& g, const Tensor& x) { return g * (x - x) / (x - x); });  // NaN
}

BOOST_AUTO_TEST_CASE(gradcheck_sees_a_wrong_second_derivative) {
  const auto lost = cube([](const Tensor& g, const Tensor& x) { return 3 * g * square(x.detach()) + 0 * x; });
  BOOST_TEST(gradcheck(lost, matrix).passed);
  const GradCheck check = gradcheck(lost, matrix, {.order = 2});
  BOOST_TEST(!check.passed);
  BOOST_TEST(check.message.find("second derivative: element") == 0u);
}

BOOST_AUTO_TEST_CASE(gradcheck_says_which_element) {
  const auto at_one = cube([](const Tensor& g, const Tensor& x) {
    return 3 * g * square(x) + reshape(cast(arange(6) == 4, f64), {2, 3});
  });
  BOOST_TEST(gradcheck(at_one, matrix).message.find("element 4 of (2, 3)") != std::string::npos);
  const Tensor nan = tensor({1.0, std::nan(""), 2.0});
  BOOST_TEST(!gradcheck([](const Tensor& x) { return x * x; }, nan).passed);
}

// ---- what a function may be

BOOST_AUTO_TEST_CASE(functions_of_every_kind) {
  const Tensor x = tensor({1.0, 2.0});
  const auto twice = [](const Function& f, const Tensor& at) { return f(f(at)).to_vector<double>(); };
  const double two = 2;
  const Vector many(100, 2.0);  // too large to be held in place
  const std::function<Tensor(const Tensor&)> standard = [many](const Tensor& v) { return many[99] * v; };
  struct Scale {
    double by;
    Tensor operator()(const In& v) { return by * v; }
  } scale{2};
  const Vector expected{4, 8};
  BOOST_TEST(twice([](const auto& v) { return 2 * v; }, x) == expected);
  BOOST_TEST(twice([&two, &many](const Tensor& v) { return two * v * (many[0] / 2); }, x) == expected);
  BOOST_TEST(twice([many](const Tensor& v) { return many[0] * v; }, x) == expected);
  BOOST_TEST(twice(standard, x) == expected);
  BOOST_TEST(twice(std::cref(standard), x) == expected);
  BOOST_TEST(twice(scale, x) == expected);
  BOOST_TEST(twice(std::function<Tensor(const Tensor&)>(Function(scale)), x) == expected);
  BOOST_TEST(twice(square, x) == (Vector{1, 16}));
  BOOST_TEST(twice(&square, x) == (Vector{1, 16}));

  static_assert(std::is_nothrow_move_constructible_v<Function>);
  static_assert(!std::is_convertible_v<int, Function> && !std::is_convertible_v<FunctionOfMany, Function>);
}

BOOST_AUTO_TEST_CASE(functions_are_values) {
  const Tensor one = tensor(1.0);
  int alive = 0;
  struct Counted {
    int* alive;
    Vector numbers = Vector(3, 0.0);
    explicit Counted(int* a) : alive(a) { ++*alive; }
    Counted(const Counted& other) : alive(other.alive), numbers(other.numbers) { ++*alive; }
    ~Counted() { --*alive; }
    Tensor operator()(const Tensor& x) { return x + numbers[0]++; }  // how often it was called
  };
  {
    Function f = Counted(&alive);
    BOOST_TEST(f(one).item() == 1);
    Function g = f;  // which has its own count
    BOOST_TEST(alive == 2);
    BOOST_TEST(f(one).item() == 2);
    BOOST_TEST(g(one).item() == 2);
    Function h = std::move(f);
    BOOST_TEST((!f && h));
    BOOST_TEST(h(one).item() == 3);
    g = h;
    h = static_cast<const Function&>(h);
    BOOST_TEST(g(one).item() == 4);
    BOOST_TEST(h(one).item() == 4);
    h = [](const Tensor& x) { return x; };
    BOOST_TEST(alive == 1);
    BOOST_TEST(h(one).item() == 1);
  }
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(empty_functions) {
  Tensor (*null)(const Tensor&) = nullptr;
  BOOST_TEST((!Function() && !Function(nullptr) && !Function(null)));
  BOOST_TEST((!Function(std::function<Tensor(const Tensor&)>()) && !Function(Callable<Tensor(Tensor)>())));
  BOOST_TEST(static_cast<bool>(Function([](const Tensor& x) { return x; })));
  BOOST_CHECK_EXCEPTION(Function()(vector3), Error, says("expected a function to call, got an empty one"));
}

// ---- errors: the op, what was expected, what came, the remedy; on the caller's line

BOOST_AUTO_TEST_CASE(wrong_calls) {
  const auto fails = [](const std::function<void()>& call, const char* part) {
    BOOST_CHECK_EXCEPTION(call(), Error, says(part));
    BOOST_CHECK_EXCEPTION(call(), Error, says("differentiate_test.cpp:"));
  };
  fails([] { hessian(tall, vector3); }, "[hessian] expected a function of one element, got shape (6,)");
  fails([] { hvp(tall, vector3, vector3); }, "[hvp] expected a function of one element, got shape (6,)");
  fails([] { value_and_grad(tall, vector3); }, "[value_and_grad] expected one element, got shape (6,); reduce it");
  fails([] { jvp(tall, vector3, matrix); }, "[jvp] expected a tangent f64 (3,), got f64 (2, 3)");
  fails([] { jvp(tall, vector3, cast(vector3, f32)); }, "[jvp] expected a tangent f64 (3,), got f32 (3,)");
  fails([] { hvp(number, vector3, matrix); }, "[hvp] expected a tangent f64 (3,), got f64 (2, 3)");
  fails([] { vjp(tall, vector3).pullback(vector3); }, "expected a cotangent f64 (6,), got f64 (3,)");
  fails([] { jacobian(Function(), vector3); }, "[jacobian] expected a function, got an empty one");
  fails([] { jvp([](const Tensor&) { return Tensor(); }, vector3, vector3); },
        "[jvp] the function gave an empty tensor");
  fails([] { gradcheck(tall, cast(vector3, f32)); }, "[gradcheck] expected f64, got f32; cast it: cast(x, f64)");
  fails([] { gradcheck(tall, vector3, {.order = 3}); }, "[gradcheck] expected order 1 or 2, got 3");
  fails([] { watch(tensor({1, 2})); }, "[watch] expected floats, got i64; cast it first");
  fails([] { grad(sum(vector3), {vector3}); },
        "[grad] the result does not depend on input 0, f64 (3,); that is a plain tensor");
  fails([] { grad(sum(arange(3)), {vector3}); }, "[grad] a derivative of i64 does not exist; expected floats");
  fails([] { grad(watch(vector3) > 0, {vector3}); }, "[grad] a derivative of boolean does not exist; expected floats");
  fails([] { jvp([](const Tensor& x) { return argmax(x, 0); }, vector3, vector3); },
        "[jvp] a derivative of i64 does not exist; expected floats");
  fails([] { vjp([](const Tensor& x) { return x > 0; }, vector3).pullback(ones({3}, boolean)); }, "expected floats");
}

// An Error in a function of the user's names the line in there.
BOOST_AUTO_TEST_CASE(errors_inside_functions_name_their_lines) {
  const Tensor x = tensor({1.0, 2.0});
  const int here = __LINE__;
  const Function wrong = [](const Tensor& v) { return reshape(v, {3}); };
  const CustomOp forward({"forward", [](const Tensors& in) { return reshape(in[0], {3}); }, nullptr});
  const CustomOp backward({"backward", [](const Tensors& in) { return in[0] * 2.0; },
                           [](const Tensor& g, const Tensors&, const Tensor&) { return Tensors{reshape(g, {3})}; }});
  Parameter p = parameter({1.0, 2.0});
  BOOST_TEST(line_of_error([&] { value_and_grad(wrong, x); }) == here + 1);
  BOOST_TEST(line_of_error([&] { jvp(wrong, x, x); }) == here + 1);
  BOOST_TEST(line_of_error([&] { gradcheck(wrong, x); }) == here + 1);
  BOOST_TEST(line_of_error([&] { value_and_grad([&](const Tensors& l) { return wrong(l[0]); }, {x}); }) == here + 1);
  BOOST_TEST(line_of_error([&] { forward(x); }) == here + 2);
  BOOST_TEST(line_of_error([&] { sum(backward(p)).backward(); }) == here + 4);
}
