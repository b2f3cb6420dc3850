// What ops give, by hand, and what compiles: the table of ops of places, drawn numbers, values and variables.
#include <fmt/format.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;
using namespace helpers;

// ---- what does not compile

namespace {

template <class T, class Value>
concept stores_at_an_index = requires(T x, Value y) {
  x[0] = y;
};
template <class T, class Value>
concept stores = requires(T x, Value y) {
  x = y;
};
static_assert(stores<Tensor&, Tensor> && stores<Parameter&, Tensor> && stores<Parameter&, double>);
static_assert(!stores_at_an_index<Tensor, Tensor> && !stores_at_an_index<Tensor, double>);
static_assert(!stores_at_an_index<Parameter, Tensor> && !stores_at_an_index<Parameter, double>);
static_assert(!std::is_assignable_v<Tensor, Tensor> && std::is_assignable_v<Tensor&, Tensor>);

template <class T>
concept has_a_truth = std::is_constructible_v<bool, T> || std::is_convertible_v<T, bool> || requires(T x) {
  x ? 1 : 2;
};
static_assert(has_a_truth<int> && !has_a_truth<Tensor> && !has_a_truth<Parameter>);
static_assert(!std::is_convertible_v<Tensor, double> && !std::is_convertible_v<Tensor, int>);

template <class X>
concept differentiates_by = requires(Tensor y, X x) {
  grad(y, x);
};
template <class X>
concept differentiates_by_a_list_of = requires(Tensor y, X x) {
  grad(y, {x});
};
static_assert(differentiates_by<Tensor> && differentiates_by<Parameter> && !differentiates_by<double>);
static_assert(differentiates_by<Tensors> && differentiates_by<Parameters>);
static_assert(differentiates_by_a_list_of<Tensor> && differentiates_by_a_list_of<Parameter>);
static_assert(std::is_same_v<decltype(grad(Tensor(), {Tensor()})), Tensors>);

}  // namespace

// ---- values

BOOST_AUTO_TEST_CASE(what_ops_of_places_give) {
  struct Row {
    const char* name;
    Tensor got;
    std::vector<double> expected;
  };
  for (const DType dtype : {f32, f64}) {
    const Tensor x = cast(tensor({{1.0, 5.0, 2.0}, {5.0, 4.0, 2.0}}), dtype),
                 v = cast(tensor({3.0, 1.0, 3.0, 1.0}), dtype);
    const Row rows[] = {
        {"flip 0", flip(x, 0), {5, 4, 2, 1, 5, 2}},
        {"flip 1", flip(x, 1), {2, 5, 1, 2, 4, 5}},
        {"roll 0", roll(x, 1, 0), {5, 4, 2, 1, 5, 2}},
        {"roll 1", roll(x, -4, 1), {5, 2, 1, 4, 2, 5}},
        {"pad", pad(v, 0, 1, 2), {0, 3, 1, 3, 1, 0, 0}},
        {"pad 1", pad(x, 1, 0, 1), {1, 5, 2, 0, 5, 4, 2, 0}},
        {"cumsum 0", cumsum(x, 0), {1, 5, 2, 6, 9, 4}},
        {"cumsum 1", cumsum(x, 1), {1, 6, 8, 5, 9, 11}},
        {"slice by 2", slice(v, 0, 1, 4, 2), {1, 1}},
        {"transpose", transpose(x), {1, 5, 5, 4, 2, 2}},
        {"permute", permute(reshape(arange(6), {1, 2, 3}), {2, 0, 1}), {0, 3, 1, 4, 2, 5}},
        {"expand", expand(slice(x, 1, 0, 1), {2, 2}), {1, 1, 5, 5}},
        {"concat 1", concat({x, slice(x, 1, 0, 1)}, 1), {1, 5, 2, 1, 5, 4, 2, 5}},
        {"stack -1", stack({v, v + 1}, -1), {3, 4, 1, 2, 3, 4, 1, 2}},
        {"argmax", argmax(v, 0), {0}},
        {"argmin", argmin(v, 0), {1}},
        {"argmax 0", argmax(x, 0), {1, 0, 0}},
        {"argmin 1", argmin(x, 1), {0, 2}},
        {"argmax with NaN", argmax(cast(tensor({1.0, std::nan(""), 7.0}), dtype), 0), {1}},
        {"any", any(x > 9), {0}},
        {"any one", any(x == 4), {1}},
        {"all", all(x > 0), {1}},
        {"all but one", all(x > 1), {0}},
        {"one_hot", one_hot(tensor({2, 0}), 3), {0, 0, 1, 1, 0, 0}},
        {"gather", gather(x, 1, tensor({{2, 0}, {1, 1}})), {2, 1, 4, 4}},
        {"index_select", index_select(x, 1, tensor({2, 0})), {2, 1, 2, 5}},
        {"scatter_add", scatter_add(v, 0, tensor({2, 0, 2, 1}), 3), {1, 1, 6}},
        {"index_add", index_add(x, 0, tensor({1, 1}), 2), {0, 0, 0, 6, 9, 4}},
        {"var", var(v, 0), {4. / 3}},
        {"var over n", var(v, 0, 0), {1}},
        {"eye", eye(2, dtype), {1, 0, 0, 1}},
        {"linspace", linspace(-1, 2, 4, dtype), {-1, 0, 1, 2}},
        {"arange", arange(3), {0, 1, 2}},
        {"clamp", clamp(x, 2, 4), {2, 4, 2, 4, 4, 2}},
        {"outer", outer(slice(v, 0, 0, 2), slice(v, 0, 0, 2)), {9, 3, 3, 1}},
        {"matmul", matmul(x, transpose(x)), {30, 29, 29, 45}},
        {"sum 0 2", sum(reshape(arange(8), {2, 2, 2}), {0, 2}), {10, 18}},
    };
    for (const Row& row : rows) {
      const std::vector<double> got = row.got.to_vector<double>();
      BOOST_REQUIRE_EQUAL(got.size(), row.expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        BOOST_TEST(std::abs(got[i] - row.expected[i]) <= 1e-6 * std::abs(row.expected[i]),
                   fmt::format("{}, {}: {}", row.name, name(dtype), row.got));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_drawn) {
  manual_seed(11);
  constexpr Size n = 200'000;
  for (const DType dtype : {f32, f64}) {
    const Tensor u = rand({n}, dtype), z = randn({n}, dtype);
    BOOST_TEST(amin(u).item() >= 0);
    BOOST_TEST(amax(u).item() < 1);
    BOOST_TEST(std::abs(mean(u).item() - 0.5) < 0.005);
    BOOST_TEST(std::abs(var(u, 0).item() - 1. / 12) < 0.002);
    BOOST_TEST(std::abs(mean(z).item()) < 0.01);
    BOOST_TEST(std::abs(var(z, 0).item() - 1) < 0.02);
    BOOST_TEST(std::abs(mean(z * z * z * z).item() - 3) < 0.15);
    BOOST_TEST(std::abs(mean(slice(z, 0, 1) * slice(z, 0, 0, -1)).item()) < 0.01);
    BOOST_TEST(all(rand({n}, dtype) == u).item() == 0);
  }
  const std::vector<Size> die = randint(-2, 4, {6000}).to_vector<Size>();
  for (Size face = -2; face < 4; ++face) BOOST_TEST(std::abs(std::count(die.begin(), die.end(), face) - 1000) < 150);
  std::set<std::vector<Size>> orders;
  for (int i = 0; i < 600; ++i) orders.insert(randperm(4).to_vector<Size>());
  BOOST_TEST(orders.size() == 24u);
  for (std::vector<Size> order : orders) {
    std::sort(order.begin(), order.end());
    BOOST_TEST(order == (std::vector<Size>{0, 1, 2, 3}), boost::test_tools::per_element());
  }
}

// ---- variables

// A weight that two layers share is one field, used twice.
BOOST_AUTO_TEST_CASE(tied_weights) {
  struct Tied {
    Parameter table = parameter(cast(tensor({{0.5, -1.0, 2.0}, {1.5, 0.25, -0.5}}), f64));
    Tensor operator()(const Tensor& x) const { return matmul(tanh(matmul(x, transpose(table))), table); }
    XGRAD_FIELDS(table)
  };
  Tied net;
  const Tensor x = cast(tensor({{1.0, 2.0, 3.0}, {-1.0, 0.5, 0.0}}), f64);
  BOOST_TEST(nn::parameters(net).size() == 1u);
  BOOST_TEST(nn::state_dict(net).size() == 1u);
  sum(square(net(x))).backward();

  Parameter in = net.table, out = net.table;  // the same, of two variables
  sum(square(matmul(tanh(matmul(x, transpose(in))), out))).backward();
  BOOST_TEST(amax(abs(net.table.grad() - (in.grad() + out.grad()))).item() < 1e-12);
  BOOST_TEST(amax(abs(in.grad())).item() > 0);
  BOOST_TEST(amax(abs(out.grad())).item() > 0);

  const Tied before = net;
  const Tensor g = net.table.grad();
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
  optimizer.step();  // once, not once a use
  BOOST_TEST(amax(abs(net.table - (before.table - 0.1 * g))).item() < 1e-15);
  BOOST_CHECK_EXCEPTION(optim::SGD({net.table, net.table}), Error, says("is there twice"));

  nn::Linear first(2, 2), second(2, 2);
  second.weight = first.weight;  // a value is stored: nothing is tied
  first.weight += 1.0f;
  BOOST_TEST(amin(first.weight - second.weight).item() > 0.5);
}

BOOST_AUTO_TEST_CASE(moving_moves_the_variable) {
  Parameter w = parameter(tensor({1.0, 2.0}));
  optim::SGD optimizer({w}, {.lr = 1});
  const Tensor y = sum(w * w);
  const engine::Variable* const variable = w.variable();

  Parameter moved = std::move(w);
  BOOST_TEST(!w.defined());
  BOOST_TEST(moved.variable() == variable);
  y.backward();  // its history leads there still
  BOOST_TEST(moved.grad().to_vector<double>() == (std::vector<double>{2, 4}), boost::test_tools::per_element());
  optimizer.step();
  BOOST_TEST(moved.value().to_vector<double>() == (std::vector<double>{-1, -2}), boost::test_tools::per_element());

  Parameter other = parameter(0.0);
  other = std::move(moved);  // also where there was one, of another shape
  BOOST_TEST(other.variable() == variable);
  const Parameter copy = other;  // where a copy is another variable
  BOOST_TEST(copy.variable() != variable);
  BOOST_TEST(!copy.grad().defined());

  std::vector<nn::Linear> layers;
  layers.emplace_back(2, 3);
  const engine::Variable* const weight = layers[0].weight.variable();
  for (int i = 0; i < 20; ++i) layers.emplace_back(3, 3);  // the vector moves what it holds
  BOOST_TEST(layers[0].weight.variable() == weight);
}

BOOST_AUTO_TEST_CASE(a_parameter_that_changed_since_still_counts_as_its_variable) {
  for (const Size n : {Size{1}, Size{5000}}) {
    Parameter w = parameter(full({n}, 3.0));
    const Tensor before = sum(w * w);
    w = w + 10;
    const Tensor both = before + sum(2 * w);
    BOOST_TEST(grad(before, {w})[0][0].item() == 6);  // the value that was read
    BOOST_TEST(grad(both, {w})[0][0].item() == 8);
    both.backward();
    BOOST_TEST(w.grad()[0].item() == 8);
  }
}

BOOST_AUTO_TEST_CASE(a_record_outlives_its_variable) {
  Tensor y;
  {
    Parameter w = parameter(randn({5000}));
    y = sum(w * w);
  }
  BOOST_TEST(y.item() > 0);
  y.backward();  // nobody is left to receive the gradient
  Parameter a = parameter(2.0);
  Tensor z = a * a;
  a = Parameter();
  z.backward();
}

BOOST_AUTO_TEST_CASE(an_evaluation_that_fails_leaves_everything_as_it_was) {
  Parameter w = parameter(randn({5000}));
  bool fail = true;
  const CustomOp fragile({.name = "fragile",
                          .forward = [](const Tensors& in) { return in[0] * 2; },
                          .vjp = [&](const Tensor& g, const Tensors&, const Tensor&) -> Tensors {
                            if (fail) throw Error("not now");
                            return {g * 2};
                          }});
  const Tensor loss = sum(tanh(fragile(w)));
  const Counters before = counters();
  BOOST_CHECK_THROW(loss.backward(), Error);
  BOOST_TEST(!w.grad().defined());
  BOOST_TEST(counters().taped == before.taped);
  fail = false;
  loss.backward();  // as though nothing had been
  BOOST_TEST(same_bits(w.grad(), grad(sum(tanh(2 * w)), w)[0]));
}

BOOST_AUTO_TEST_CASE(a_derivative_may_differentiate) {
  Parameter a = parameter(2.0), b = parameter(3.0), c = parameter(5.0);
  const CustomOp twice({.name = "twice",
                        .forward = [](const Tensors& in) { return in[0] * 2; },
                        .vjp = [&](const Tensor& g, const Tensors&, const Tensor&) -> Tensors {
                          // a sweep inside the sweep, over the same variables in another order
                          vjp([&](const Tensor& x) { return x * c * b; }, tensor(1.0)).pullback(1.0);
                          return {g * 2};
                        }});
  const Tensor y = a * 7.0 + twice(b * 1.0 + c * 10.0);
  y.backward();
  BOOST_TEST(a.grad().item() == 7);
  BOOST_TEST(b.grad().item() == 2);
  BOOST_TEST(c.grad().item() == 20);
}
