// Jacobians of recorded results, by rows, by columns and by points: each against its rows, taken one by one.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <map>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/checkpoint.hpp>
#include <xgrad/autodiff/custom.hpp>
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

using Model = std::function<Tensor(const std::vector<Parameter>&)>;

const Tensor points = linspace(0.5, 2, 7);

std::vector<Parameter> parameters_of(const std::vector<Tensor>& values) {
  std::vector<Parameter> p;
  for (const Tensor& value : values) p.push_back(parameter(value));
  return p;
}
Parameters all_of(std::vector<Parameter>& p) {
  Parameters list;
  for (Parameter& x : p) list.add(std::to_string(list.size()), x);
  return list;
}

Tensors one_by_one(const Tensor& y, const Parameters& p, bool create_graph = false) {
  const Tensor basis = eye(y.numel(), y.dtype());
  std::vector<Tensors> rows(p.size());
  for (Size i = 0; i < y.numel(); ++i) {
    const Tensors g =
        grad(y, Wrt(p), reshape(basis[i], y.shape()), {.create_graph = create_graph, .allow_unused = true});
    for (std::size_t k = 0; k < p.size(); ++k) rows[k].push_back(g[k]);
  }
  Tensors all;
  for (std::size_t k = 0; k < p.size(); ++k) {
    Shape shape = y.shape();
    for (const Size e : p[k].value().shape()) shape.push_back(e);
    all.push_back(reshape(stack(rows[k], 0), shape));
  }
  return all;
}

CustomOp reading_numbers() {
  return CustomOp(
      {.name = "cube",
       .forward = [](const Tensors& in) { return in[0] * in[0] * in[0]; },
       .vjp = [](const Tensor& g, const Tensors& in,
                 const Tensor&) { return Tensors{g * (3 * square(in[0])) * (sum(in[0]).item() > -1e9 ? 1.0 : 0.0)}; }});
}

struct Case {
  std::vector<Tensor> values;
  Model model;
};

const std::map<std::string, Case>& cases() {
  static const Tensor three = tensor({0.7, 1.3, -0.4});
  static const std::map<std::string, Case> all{
      // each number of y of one point
      {"points",
       {{three}, [](const auto& p) { return p[0][0] * exp(-p[0][1] * points) + p[0][2] / (p[0][1] + points); }}},
      {"points of two", {{three, tensor(2.0)}, [](const auto& p) { return pow(points, p[1]) * p[0][2] - p[0][0]; }}},
      {"points, one number left out", {{three}, [](const auto& p) { return p[0][0] * points; }}},
      {"points of a matrix",
       {{tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}})},
        [](const auto& p) {
          const Tensor w = p[0];
          return w[1][0] * points + sin(w[0][2] * points) + slice(w[1], 0, 2, 3, 2) * points;
        }}},
      {"points in a column",
       {{three},
        [](const auto& p) {
          return p[0][0] * reshape(points, {7, 1}) + p[0][1] * p[0][1];
        }}},
      {"points, chosen", {{three}, [](const auto& p) { return where(points > 1, p[0][0] * points, square(p[0][1])); }}},
      {"points of f32", {{three}, [](const auto& p) { return cast(cast(p[0][0], f32) * cast(points, f32), f64); }}},
      {"numbers alone", {{three}, [](const auto& p) { return p[0][0] / p[0][1] + 0 * points; }}},
      {"a value twice",
       {{three},
        [](const auto& p) {
          const Tensor b = p[0];
          return b[0] * points + b[0] * square(points) * b[-3];
        }}},
      // columns
      {"a sum within", {{three}, [](const auto& p) { return p[0][0] * points + sum(square(p[0])); }}},
      {"a number of a view", {{three}, [](const auto& p) { return exp(reshape(exp(p[0][0]), {1})) * points; }}},
      {"points and a vector",
       {{three, 0.1 * points},
        [](const auto& p) {
          return concat({exp(p[1]) * p[0][1], sin(p[1]) * points, points / (p[1] + p[0][2])});
        }}},
      {"a product",
       {{tensor({{0.1, -0.2}, {0.3, 0.4}})},
        [](const auto& p) {
          return tanh(matmul(reshape(linspace(-1, 1, 8), {4, 2}), p[0])) + amax(p[0]);
        }}},
      {"a product with itself",
       {{tensor({{0.1, -0.2}, {0.3, 0.4}})},
        [](const auto& p) {
          const Tensor w = p[0];
          return concat({matmul(w, transpose(w)), matmul(w, w), cumsum(w, 0)}, 0);
        }}},
      {"a layer",
       {{tensor({{0.1, -0.2}}), tensor({0.5})},
        [](const auto& p) {
          return linear(reshape(linspace(-1, 1, 8), {4, 2}), p[0], p[1]);
        }}},
      {"a matrix turned",
       {{tensor({{1.0, 0.2}, {0.2, 2.0}})},
        [](const auto& p) {
          const Tensor w = p[0];
          return concat({cholesky(matmul(w, transpose(w))), softmax(w, 1), solve(w, eye(2, f64))}, 0);
        }}},
      {"a checkpoint",
       {{three},
        [](const auto& p) {
          const Tensor b = p[0];
          return checkpoint([](const Tensor& x) { return concat({sin(x), square(x) * x[0]}); }, b);
        }}},
      {"numbers read in a derivative",
       {{three},
        [](const auto& p) {
          const Tensor y = reading_numbers()(Tensor(p[0]));
          return concat({y, 2 * y});
        }}},
      // rows
      {"wide",
       {{three, points},
        [](const auto& p) {
          return stack({sum(p[0]) * p[1][2], sum(square(p[1]))});
        }}},
      {"one", {{three}, [](const auto& p) { return sum(exp(p[0])); }}},
  };
  return all;
}

void same(const Tensor& got, const Tensor& expected, const std::string& what) {
  BOOST_TEST((got.shape() == expected.shape()), what);
  BOOST_TEST(got.dtype() == expected.dtype(), what);
  BOOST_TEST(allclose(got, expected, 1e-12, 1e-14), what);
}

template <class F>
void fails(const F& f, const char* words) {
  BOOST_CHECK_EXCEPTION(f(), Error,
                        [&](const Error& e) { return std::string(e.what()).find(words) != std::string::npos; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(as_row_by_row) {
  for (const auto& [name, c] : cases()) {
    std::vector<Parameter> p = parameters_of(c.values);
    const Parameters all = all_of(p);
    const Tensor y = c.model(p);
    const Tensors j = jacobian(y, Wrt(all), {.allow_unused = true}), expected = one_by_one(y, all);
    BOOST_REQUIRE_EQUAL(j.size(), all.size());
    for (std::size_t k = 0; k < all.size(); ++k) {
      same(j[k], expected[k], name);
      BOOST_TEST(!j[k].requires_grad(), name);
    }
  }
}

BOOST_AUTO_TEST_CASE(is_differentiated_again) {
  for (const auto& [name, c] : cases()) {
    if (name == "numbers read in a derivative") continue;
    std::vector<Parameter> p = parameters_of(c.values);
    const Parameters all = all_of(p);
    const Tensor y = c.model(p);
    const auto curvature = [&](const Tensors& j) {
      Tensor total = 0.0;
      for (const Tensor& part : j) total = total + sum(square(part));
      return grad(total, Wrt(all), {.allow_unused = true});
    };
    const Tensors twice = curvature(jacobian(y, Wrt(all), {.create_graph = true, .allow_unused = true})),
                  expected = curvature(one_by_one(y, all, true));
    for (std::size_t k = 0; k < all.size(); ++k) same(twice[k], expected[k], name);
  }
}

BOOST_AUTO_TEST_CASE(of_examples) {
  const Tensor b = tensor({0.7, 1.3});
  const auto f = [&](const Tensor& x) {
    const Tensor w = watch(b);
    return jacobian(w[0] * exp(-w[1] * x), {w})[0];
  };
  const Tensor x = reshape(linspace(0, 1, 6), {2, 3}), all = vmap(f, x);
  for (Size i = 0; i < 2; ++i) same(all[i], f(x[i]), "an example");
}

BOOST_AUTO_TEST_CASE(one_leads_to_another) {
  const Tensor x = watch(tensor({1.0, 2.0})), y = watch(square(x));
  const Tensors j = jacobian(concat({y, y * x, x}), {x, y});
  same(j[0], tensor({{2.0, 0.0}, {0.0, 4.0}, {3.0, 0.0}, {0.0, 12.0}, {1.0, 0.0}, {0.0, 1.0}}), "x");
  same(j[1], tensor({{1.0, 0.0}, {0.0, 1.0}, {1.0, 0.0}, {0.0, 2.0}, {0.0, 0.0}, {0.0, 0.0}}), "y");
}

BOOST_AUTO_TEST_CASE(refusals) {
  Parameter a = parameter(tensor({1.0, 2.0})), b = parameter(tensor(3.0));
  fails([&] { jacobian(a[0] * points, {a, b}); }, "depend");
  fails([&] { jacobian(a * 2, {b}); }, "depend");
  fails([&] { jacobian(Tensor(), {a}); }, "empty");
  fails([&] { jacobian(argmax(Tensor(a), 0), {a}); }, "floats");
  BOOST_TEST(allclose(jacobian(a[0] * points, {a, b}, {.allow_unused = true})[1], zeros({7}, f64)));
}
