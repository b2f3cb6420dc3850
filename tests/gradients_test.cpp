// What gradients are, and what they cost: values without a history, by whatever was asked for, in linear time.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <limits>
#include <string>
#include <future>
#include <thread>

#include <xgrad/autodiff.hpp>
#include "autodiff/engine/walk.hpp"
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

bool alike(const Tensor& x, const Tensor& y) { return all(abs(x - y) <= 1e-12 * (1.0 + abs(y))).item() == 1; }

}  // namespace

// d(sum a b)/da is b itself: as a gradient it is a number, and differentiating the sum of many of them costs nothing.
BOOST_AUTO_TEST_CASE(a_gradient_has_no_history) {
  for (const Size n : {Size{2}, Size{5000}}) {
    Parameter a = parameter(rand({n}, f64)), b = parameter(rand({n}, f64));
    const Tensor y = sum(a * tanh(b));
    BOOST_TEST(!grad(y, {a})[0].requires_grad());
    BOOST_TEST(grad(y, {a}, {.create_graph = true})[0].requires_grad());
    y.backward();
    BOOST_TEST(!a.grad().requires_grad());
    BOOST_TEST(alike(a.grad(), tanh(b)));
    Parameter c = parameter(2.0);
    (c * 3.0).backward(c * 1.0);  // a cotangent's history is not the gradient's
    BOOST_TEST(!c.grad().requires_grad());
  }
  Parameter a = parameter({1.0, 2.0}), b = parameter({3.0, 4.0});
  Tensor momentum = zeros({2}, f64);
  const std::uint64_t before = counters().taped;
  for (int i = 0; i < 50; ++i) {
    a.zero_grad(), b.zero_grad();
    sum(a * b).backward();
    momentum = 0.9 * momentum + a.grad();
    a -= 1e-6 * momentum;
  }
  BOOST_TEST(counters().taped == before);
}

// A product takes a transpose as a flag, but not where the gradient by the transpose is asked for.
BOOST_AUTO_TEST_CASE(a_gradient_by_a_transpose) {
  Parameter w = parameter({{1.0, 2.0}, {3.0, 4.0}});
  const Tensor b = tensor({{1.0, 0.5}, {2.0, 1.0}}), wt = transpose(w);
  BOOST_TEST(alike(grad(sum(matmul(wt, b)) + sum(wt * wt), {wt})[0], tensor({{3.5, 9.0}, {5.5, 11.0}})));
  BOOST_TEST(alike(grad(sum(matmul(wt, b)), {wt})[0], tensor({{1.5, 3.0}, {1.5, 3.0}})));
  BOOST_TEST(alike(grad(sum(matmul(b, wt)), {wt})[0], tensor({{3.0, 3.0}, {1.5, 1.5}})));
  BOOST_TEST(alike(grad(sum(matmul(transpose(w), b)), {w})[0], tensor({{1.5, 1.5}, {3.0, 3.0}})));
}

BOOST_AUTO_TEST_CASE(what_backward_let_go_of_is_an_error_whatever_asks) {
  Parameter w = parameter(2.0);
  const Vjp r = vjp([](const Tensor& x) { return x * x; }, w);
  r.value.backward();
  BOOST_CHECK_EXCEPTION(r.pullback(1.0), Error, says("keep_graph"));
  Parameter v = parameter(2.0);
  const Tensor y = v * v;
  y.backward();
  BOOST_CHECK_EXCEPTION(grad(y, {v}, {.allow_unused = true}), Error, says("keep_graph"));
  BOOST_CHECK_EXCEPTION(grad(y, {v}), Error, says("keep_graph"));
}

BOOST_AUTO_TEST_CASE(a_failing_backward_leaves_the_scope_as_it_was) {
  Parameter w = parameter(randn({2000}));
  std::promise<void> set, seen;
  std::thread other([&] {
    const Tensor r = randn({2000});
    w.set_grad(r * 2.0f + r);  // pending there, until the thread ends
    set.set_value();
    seen.get_future().wait();
  });
  set.get_future().wait();
  BOOST_CHECK_EXCEPTION(sum(w * w).backward(), Error, says("pending tensor of another thread"));
  seen.set_value();
  other.join();
  BOOST_TEST((w * 2).requires_grad());
}

// ---- ops of the user's

BOOST_AUTO_TEST_CASE(a_custom_vjp_is_called_once) {
  int calls = 0;
  const CustomOp op({"op", [](const Tensors& in) { return in[0] * in[1] + in[2]; },
                     [&](const Tensor& g, const Tensors& in, const Tensor&) {
                       ++calls;
                       return Tensors{g * in[1], g * in[0], g};
                     }});
  Parameter a = parameter(1.0), b = parameter(2.0), c = parameter(3.0);
  (op(Tensors{a, b, c}) + op(Tensors{b, c, a})).backward();
  BOOST_TEST(calls == 2);
  BOOST_TEST(a.grad().item() == 3);  // b + 1
  BOOST_TEST(b.grad().item() == 4);  // a + c
  BOOST_TEST(c.grad().item() == 3);  // 1 + b
}

BOOST_AUTO_TEST_CASE(a_custom_vjp_that_is_not_made_of_ops_has_no_tangent) {
  const CustomOp op(
      {"square", [](const Tensors& in) { return in[0] * in[0]; },
       [](const Tensor& g, const Tensors& in, const Tensor&) { return Tensors{tensor(g.item() * 2 * in[0].item())}; }});
  const auto f = [&](const Tensor& x) { return op(x); };
  BOOST_TEST(value_and_grad(f, 3.0).grad.item() == 6);
  BOOST_CHECK_EXCEPTION(jvp(f, 3.0, 1.0), Error, says("not made of tensor ops"));
}

BOOST_AUTO_TEST_CASE(a_custom_op_has_at_most_65535_inputs) {
  const CustomOp last({"last", [](const Tensors& in) { return in[in.size() - 1] * 2.0; },
                       [](const Tensor& g, const Tensors& in, const Tensor&) {
                         Tensors parts;
                         for (std::size_t i = 0; i + 1 < in.size(); ++i) parts.push_back(Tensor());
                         parts.push_back(g * 2.0);
                         return parts;
                       }});
  Parameter a = parameter(1.0), b = parameter(1.0);
  Tensors in;
  for (int i = 0; i < 65534; ++i) in.push_back(a);
  in.push_back(b);
  last(in).backward();
  BOOST_TEST(a.grad().item() == 0);
  BOOST_TEST(b.grad().item() == 2);
  in.push_back(b);
  BOOST_CHECK_EXCEPTION(last(in), Error, says("at most 65535 inputs"));
}

// ---- bounds

BOOST_AUTO_TEST_CASE(whole_numbers_in_where_keep_their_digits) {
  const Size large = std::numeric_limits<Size>::max();
  for (const Size n : {Size{9007199254740993}, large, -large}) {
    BOOST_TEST(where(tensor({true}), n, tensor({Size{0}})).to_vector<Size>()[0] == n);
    BOOST_TEST(where(tensor({false}), tensor({Size{0}}), n).to_vector<Size>()[0] == n);
  }
}

BOOST_AUTO_TEST_CASE(a_hessian_holds_one_identity) {
  const Tensor x = rand({300}, f64);
  const std::uint64_t before = counters().bytes;
  const Tensor h = hessian([](const Tensor& v) { return sum(square(square(v))); }, x);
  BOOST_TEST(counters().bytes - before < 12 * 300 * 300 * sizeof(double));
  BOOST_TEST(alike(h, 12.0 * square(x) * eye(300, f64)));
}

// What a waiting reduction keeps counts, not the one number that it gives.
BOOST_AUTO_TEST_CASE(an_unread_total_of_reductions_is_bounded) {
  const std::uint64_t before = counters().bytes;
  std::uint64_t most = 0;
  Tensor total = tensor(0.0f);
  for (int i = 0; i < 40; ++i) {
    total = total + sum(ones({1 << 12, 1 << 12}) * evaluate(rand({1 << 12, 1 << 12})));  // 64 MB each
    most = std::max(most, counters().bytes - before);
  }
  BOOST_TEST(most < std::uint64_t{3} << 29);
}

// Counted by what is recorded and by time only where that is far from linear.
BOOST_AUTO_TEST_CASE(many_parts_parameters_and_threads) {
  constexpr Size n = 30'000;
  std::vector<Parameter> parameters;
  for (Size i = 0; i < n; ++i) parameters.push_back(parameter(1.0));
  Tensors parts;
  for (const Parameter& p : parameters) parts.push_back(reshape(p, {1}));
  const Tensor y = sum(concat(parts) * cast(arange(n), f64));
  Parameters all;
  for (Parameter& p : parameters) all.add("", p);
  const Tensors by_all = grad(y, all);
  y.backward();
  for (const Size i : {Size{0}, n / 3, n - 1}) {
    BOOST_TEST(parameters[static_cast<std::size_t>(i)].grad().item() == static_cast<double>(i));
    BOOST_TEST(by_all[i].item() == static_cast<double>(i));
  }
  std::thread([&] {  // leaves of another thread
    Tensors own;
    for (const Parameter& p : parameters) own.push_back(reshape(p, {1}));
    const Tensors gradients = grad(sum(concat(own) * cast(arange(n), f64)), all);
    BOOST_TEST(gradients[n - 1].item() == static_cast<double>(n - 1));
  })
      .join();
}

BOOST_AUTO_TEST_CASE(a_tangent_through_many_softmaxes) {
  constexpr int deep = 4000;
  const auto f = [](const Tensor& x) {
    Tensor y = x;
    for (int i = 0; i < deep; ++i) y = softmax(y, 0) * 3.0;
    return y;
  };
  const std::uint64_t before = counters().recorded;
  const Jvp r = jvp(f, tensor({1.0, 2.0, 3.0}), tensor({1.0, 0.0, 0.0}));
  BOOST_TEST(std::abs(sum(r.tangent).item()) < 1e-12);
  BOOST_TEST(counters().recorded - before < 40u * deep);
}

// ---- slices

namespace {

// A tensor cut up in some way.
struct Cuts {
  const char* name;
  Shape shape;
  std::function<Tensors(const Tensor& x)> of;
};
const Cuts cuts[] = {
    {"rows",
     {9, 700},
     [](const Tensor& x) {
       return Tensors{x[0], x[3], x[-1]};
     }},
    {"a row again and again",
     {3, 700},
     [](const Tensor& x) {
       return Tensors{x[1], x[1], x[1], x[2]};
     }},
    {"those that overlap",
     {50, 60},
     [](const Tensor& x) {
       return Tensors{slice(x, 0, 3, 40), slice(x, 0, 20), slice(x, 1, 5, 9), slice(x, 0, 0, 50, 3), slice(x, 1, 7)};
     }},
    {"steps and flips",
     {40, 50},
     [](const Tensor& x) {
       return Tensors{flip(x, 0), flip(x, 1), slice(x, 1, 1, 50, 4), slice(x, -1, 2, 49, 7)};
     }},
    {"of three axes",
     {7, 20, 30},
     [](const Tensor& x) {
       return Tensors{slice(x, 1, 3, 9), slice(x, 2, 1, 2), x[6], slice(x, 1, 0, 20, 19)};
     }},
    {"slices of slices",
     {30, 60},
     [](const Tensor& x) {
       return Tensors{x[3][5], x[3][5], slice(x[4], 0, 2), x[4][7]};
     }},
    {"none at all",
     {30, 60},
     [](const Tensor& x) {
       return Tensors{slice(x, 0, 4, 4), x[1], slice(x, 1, 60), x[2]};
     }},
    {"small",
     {3, 2},
     [](const Tensor& x) {
       return Tensors{x[0], x[1], x[0], slice(x, 1, 1)};
     }},
};

}  // namespace

// One by one is what the rule says; together they are added in the order of the sweep, the latest first.
BOOST_AUTO_TEST_CASE(slices_together_are_slices_one_by_one_added) {
  for (const Cuts& c : cuts)
    for (const DType dtype : {f32, f64}) {
      manual_seed(1);
      const Parameter x = parameter(randn(c.shape, dtype));
      const Tensors parts = c.of(x);
      Tensors terms;
      Tensor y = zeros({}, dtype);
      for (const Tensor& p : parts) {
        terms.push_back(sum(p * randn(p.shape(), dtype)));
        y = y + terms[terms.size() - 1];
      }
      Tensor expected;
      for (std::size_t i = parts.size(); i-- > 0;) {
        const Tensor g = grad(terms[i], {x})[0];
        expected = expected.defined() ? expected + g : g;
      }
      if (std::string(c.name) == "slices of slices")
        BOOST_TEST(allclose(grad(y, {x})[0], expected), c.name);  // those of x[4] meet there first
      else BOOST_TEST(same_bits(grad(y, {x})[0], expected), c.name << ", " << name(dtype));
    }
}

BOOST_AUTO_TEST_CASE(a_gradient_by_rows_is_linear_in_their_bytes) {
  constexpr Size n = 2'000, width = 5;
  const Parameter x = parameter(randn({n, width}));
  // elements of all that the gradients record, of the given order
  const auto elements = [&](Size rows, int order) {
    Tensor y = tensor(0.0f);
    for (Size i = 0; i < rows; ++i) y = y + sum(sin(x[i]) * cos(x[n - 1 - i]));
    for (int k = 0; k < order; ++k) y = sum(square(grad(y, {x}, {.create_graph = true})[0]));
    std::vector<engine::Node*> nodes;
    engine::Node* root = y.node();
    engine::walk(
        engine::current(), &root, 1, [](engine::Node* v) { return v->has(engine::taped); }, nodes);
    Size all = 0;
    for (const engine::Node* v : nodes) all += v->count;
    return all;
  };
  BOOST_TEST(elements(n, 1) < 100 * n * width);
  BOOST_TEST(elements(n, 2) < 500 * n * width);
  BOOST_TEST(elements(n, 1) - elements(n / 2, 1) < 100 * n * width / 2);
}
