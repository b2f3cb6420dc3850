// vmap: a function of one example, for all; what a loop and stack() give. (Op by op: the sweep.)
#include <boost/test/unit_test.hpp>
#include <cmath>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include "helpers.hpp"

using namespace xgrad;
using helpers::says;

namespace {

double apart(const Tensor& x, const Tensor& y) {
  BOOST_REQUIRE(x.shape() == y.shape());
  return x.numel() == 0 ? 0.0 : amax(abs(x - y)).item();
}

// f of each row of x, side by side.
Tensor loop(const Function& f, const Tensor& x) {
  Tensors parts;
  for (Size i = 0; i < x.shape()[0]; ++i) parts.push_back(f(x[i]));
  return stack(parts);
}

Tensor points() { return reshape(linspace(-1.0, 1.0, 12, f64), {4, 3}); }

// Its values and derivative read numbers, so it says how a batch goes.
Tensor doubled_by_hand(const Tensor& x) {
  std::vector<double> v = x.to_vector<double>();
  for (double& e : v) e *= 2;
  return tensor(v, x.shape());
}
const CustomOp by_hand({.name = "by_hand",
                        .forward = [](const Tensors& in) { return doubled_by_hand(in[0]); },
                        .vjp = [](const Tensor& g, const Tensors&, const Tensor&) -> Tensors {
                          return {doubled_by_hand(g)};
                        },
                        .batch = [](const Tensors& in, const Shape&) { return by_hand(in[0]); }});
const CustomOp without_batch({.name = "without_batch",
                              .forward = [](const Tensors& in) { return doubled_by_hand(in[0]); },
                              .vjp = [](const Tensor& g, const Tensors&, const Tensor&) -> Tensors {
                                return {doubled_by_hand(g)};
                              }});
const CustomOp of_ops({.name = "of_ops",
                       .forward = [](const Tensors& in) { return square(in[0]) * in[1]; },
                       .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                         return {2 * g * in[0] * in[1], g * square(in[0])};
                       }});

struct Net {
  nn::Linear hidden{3, 5}, output{5, 1};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

}  // namespace

BOOST_AUTO_TEST_CASE(of_functions) {
  const Parameter w = parameter(tensor({1.0, -2.0, 0.5}));
  const Tensor m = reshape(linspace(0.0, 1.0, 9, f64), {3, 3});
  // clang-format off
  struct {
    const char* name;
    Function f;
  } const rows[] = {
      {"elementwise", [&](const Tensor& x) { return tanh(x) * w + 1; }},
      {"one number", [&](const Tensor& x) { return sum(x * w); }},
      {"x itself", [](const Tensor& x) { return x; }},
      {"one number of x", [](const Tensor& x) { return x[1]; }},
      {"a constant", [](const Tensor&) { return ones({2}, f64); }},
      {"a parameter", [&](const Tensor&) { return Tensor(w); }},
      {"a product", [&](const Tensor& x) { return matmul(m, x); }},
      {"a product of matrices", [&](const Tensor& x) { return matmul(outer(x, x), m); }},
      {"choices", [](const Tensor& x) { return where(x > 0, x, 0.5 * x); }},
      {"places", [](const Tensor& x) { return index_select(exp(x), 0, argsort(x)); }},
      {"the first of equals", [](const Tensor& x) { return gather(x, 0, unsqueeze(argmax(abs(x)), 0)); }},
      {"empty", [](const Tensor& x) { return slice(x, 0, 0, 0); }},
      {"of what is empty", [](const Tensor& x) { return sum(slice(x, 0, 0, 0)) + x; }},
      {"a gradient", [&](const Tensor& x) { return grad(sum(square(x) * w), {w})[0]; }},
      {"a gradient by x", [&](const Tensor& x) { return value_and_grad([&](const Tensor& v) { return prod(v * w); }, x).grad; }},
      {"a Jacobian", [&](const Tensor& x) { return jacobian([&](const Tensor& v) { return sin(v) * w * sum(v); }, x); }},
      {"a Hessian", [&](const Tensor& x) { return hessian([&](const Tensor& v) { return prod(v) + sum(exp(v) * w); }, x); }},
      {"a tangent", [&](const Tensor& x) { return jvp([&](const Tensor& v) { return sin(v) * w; }, x, x).tangent; }},
      {"hvp", [&](const Tensor& x) { return hvp([&](const Tensor& v) { return sum(exp(v * w)); }, x, x); }},
      {"checkpoint", [&](const Tensor& x) { return checkpoint([&](const Tensor& v) { return sin(v * w); }, x); }},
      {"a gradient through checkpoint",
       [&](const Tensor& x) { return grad(sum(checkpoint([&](const Tensor& v) { return sin(v * w); }, x)), {w})[0]; }},
      {"CustomOp of ops", [&](const Tensor& x) { return of_ops({x, w}); }},
      {"a gradient through CustomOp", [&](const Tensor& x) { return grad(sum(of_ops({x, w})), {w})[0]; }},
      {"CustomOp that says how", [](const Tensor& x) { return by_hand(x) * x; }},
      {"under NoGrad", [&](const Tensor& x) { const NoGrad constant; return x * w; }},
      {"partly detached", [&](const Tensor& x) { return (x * w).detach() * w; }},
      {"vmap", [&](const Tensor& x) { return vmap([&](const Tensor& v) { return v * sum(x) * w; }, unsqueeze(x, 1)); }},
      {"linear algebra", [&](const Tensor& x) { return solve(m + 2 * eye(3, f64) + 0.1 * outer(x, x), x); }},
      {"one matrix, many sides", [&](const Tensor& x) { return solve(m + 2 * eye(3, f64), x); }},
      {"whole numbers", [](const Tensor& x) { return cast(floor_divide(cast(10 * x, i64), arange(1, 4)), f64); }},
  };
  // clang-format on
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      for (const bool eager : {false, true}) {
        std::optional<Eager> scope;
        if (eager) scope.emplace();
        const Tensor x = watch(points());
        const Tensor y = vmap(row.f, x), expected = loop(row.f, x);
        BOOST_TEST(apart(y, expected) < 1e-13);
        BOOST_TEST(y.requires_grad() == expected.requires_grad());
        if (!y.requires_grad()) continue;
        const Tensor g = reshape(linspace(0.5, 1.5, y.numel(), f64), y.shape());
        const Tensors got = grad(y, {x, w}, g, {.allow_unused = true});
        const Tensors want = grad(expected, {x, w}, g, {.allow_unused = true});
        for (int i = 0; i < 2; ++i) BOOST_TEST(apart(got[i], want[i]) < 1e-12);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(axes_inputs_and_results) {
  const Tensor a = reshape(linspace(0.0, 1.0, 24, f64), {2, 3, 4}), b = reshape(linspace(-1.0, 1.0, 8, f64), {4, 2});
  const Tensor y = vmap([](const Tensors& in) { return matmul(in[0], in[1]); }, {a, b}, {.in_axes = {1, -1}});
  BOOST_TEST(apart(y, stack({matmul(select(a, 1, 0), b), matmul(select(a, 1, 1), b), matmul(select(a, 1, 2), b)})) <
             1e-14);
  const Tensors both = vmap([](const Tensors& in) { return Tensors{in[0] + in[1], sum(in[0])}; }, {b, b});
  BOOST_TEST(both.size() == 2u);
  BOOST_TEST(apart(both[0], 2 * b) == 0);
  BOOST_TEST(apart(both[1], sum(b, 1)) < 1e-15);
  const auto [first, second] = vmap(
      [](const Tensors& in) {
        return Tensors{in[0], in[1]};
      },
      {a, b}, {.in_axes = {2, 0}});
  BOOST_TEST(apart(first, permute(a, {2, 0, 1})) == 0);
  BOOST_TEST(apart(second, b) == 0);
  // of no examples
  BOOST_TEST((vmap([](const Tensor& x) { return outer(x, x); }, zeros({0, 3}, f64)).shape() == Shape{0, 3, 3}));
  // what an outer vmap maps is one value for an inner one
  const Tensor products = vmap([&](const Tensor& x) { return vmap([&](const Tensor& v) { return dot(x, v); }, b); }, b);
  BOOST_TEST(apart(products, matmul(b, transpose(b))) < 1e-15);
}

BOOST_AUTO_TEST_CASE(gradients_of_a_model_for_each_example) {
  manual_seed(3);
  Net net;
  const Tensor x = randn({7, 3}), target = randn({7});
  const Parameters p = nn::parameters(net);
  const auto loss = [&](const Tensors& in) { return square(net(in[0])[0] - in[1]); };
  const Tensors each = vmap([&](const Tensors& in) { return grad(loss(in), p); }, {x, target});
  BOOST_TEST(each.size() == p.size());
  for (Size i = 0; i < 7; ++i) {
    const Tensors one = grad(loss({x[i], target[i]}), p);
    for (std::size_t k = 0; k < one.size(); ++k) BOOST_TEST(apart(each[k][i], one[k]) < 1e-6);
  }
  // The mean's gradient is the gradients' mean.
  const Tensors all = grad(mean(vmap(loss, {x, target})), p);
  for (std::size_t k = 0; k < all.size(); ++k) BOOST_TEST(apart(mean(each[k], 0), all[k]) < 1e-6);
}

// Labels of an example have no numbers that could be looked at before.
BOOST_AUTO_TEST_CASE(losses_of_each_example) {
  manual_seed(9);
  const Tensor logits = randn({6, 4, 3}, f64),
               labels = tensor(
                   {{0, 1, 2, 2}, {1, 1, -100, 0}, {2, 0, 0, 1}, {0, 0, 0, 0}, {2, 2, -100, -100}, {1, 0, 1, 0}});
  const Tensor weight = tensor({0.5, 1.0, 2.0});
  for (const nn::Reduction reduction : {nn::Reduction::mean, nn::Reduction::sum, nn::Reduction::none})
    for (const double smoothing : {0.0, 0.1})
      for (const bool weighted : {false, true}) {
        const nn::CrossEntropyOptions options{
            .reduction = reduction, .label_smoothing = smoothing, .weight = weighted ? weight : Tensor()};
        const auto loss = [&](const Tensors& in) { return nn::cross_entropy(in[0], in[1], options); };
        Tensors each;
        for (Size i = 0; i < 6; ++i) each.push_back(loss({logits[i], labels[i]}));
        BOOST_TEST(apart(vmap(loss, {logits, labels}), stack(each)) < 1e-13);
      }
  const auto loss = [&](const Tensors& in) { return nn::cross_entropy(in[0], in[1]); };
  BOOST_CHECK_EXCEPTION(vmap(loss, {logits, labels * 2}), Error, says("index 4"));
}

BOOST_AUTO_TEST_CASE(inside_of_transforms) {
  const Tensor x = points(), w = tensor({0.5, -1.0, 2.0});
  const Function batched = [&](const Tensor& v) {
    return sum(vmap([&](const Tensor& row) { return prod(row * v); }, x));
  };
  const Function looped = [&](const Tensor& v) {
    return sum(loop([&](const Tensor& row) { return prod(row * v); }, x));
  };
  BOOST_TEST(apart(value_and_grad(batched, w).grad, value_and_grad(looped, w).grad) < 1e-14);
  BOOST_TEST(apart(hessian(batched, w), hessian(looped, w)) < 1e-14);
  BOOST_TEST(apart(jvp(batched, w, w).tangent, jvp(looped, w, w).tangent) < 1e-14);
  BOOST_TEST(gradcheck(batched, w, {.order = 2}).passed);
  BOOST_TEST(apart(checkpoint(batched, w), looped(w)) < 1e-14);
  const Tensor p = watch(w);
  BOOST_TEST(apart(grad(checkpoint(batched, p), p)[0], value_and_grad(looped, w).grad) < 1e-14);
}

BOOST_AUTO_TEST_CASE(random_numbers) {
  const Tensor x = zeros({5, 3}, f64);
  const auto drawn = [](const Tensor& v) { return v + randn({3}, f64); };
  manual_seed(1);
  const Tensor different = vmap(drawn, x, {.randomness = Randomness::different});
  manual_seed(1);
  BOOST_TEST(apart(different, randn({5, 3}, f64)) == 0);
  manual_seed(1);
  const Tensor same = vmap(drawn, x, {.randomness = Randomness::same});
  manual_seed(1);
  BOOST_TEST(apart(same, expand(randn({3}, f64), {5, 3})) == 0);
  BOOST_CHECK_EXCEPTION(vmap(drawn, x), Error, says("[randn] random numbers inside of vmap; say which"));
  BOOST_TEST(apart(drawn(x[0]), drawn(x[0])) > 0);  // and it ends with the call

  // Nested: the inner the same for all, the outer not.
  const Tensor nested = vmap(
      [&](const Tensor& row) {
        return vmap([](const Tensor& v) { return v + rand({}, f64); }, row, {.randomness = Randomness::same});
      },
      x, {.randomness = Randomness::different});
  BOOST_TEST(apart(nested, expand(slice(nested, 1, 0, 1), {5, 3})) == 0);
  BOOST_TEST(amin(abs(nested[0] - nested[1])).item() > 0);

  const Tensor order = vmap([](const Tensor& v) { return index_select(v, 0, randperm(3)); }, expand(arange(3), {50, 3}),
                            {.randomness = Randomness::different});
  BOOST_TEST(apart(cast(sum(order, 1), f64), 3 * ones({50}, f64)) == 0);
  BOOST_TEST(apart(cast(order, f64), cast(expand(order[0], {50, 3}), f64)) > 0);
}

BOOST_AUTO_TEST_CASE(jacobians_by_batches) {
  const Tensor x = tensor({0.3, -0.7});
  // A CustomOp that reads numbers goes one by one.
  const Function f = [](const Tensor& v) { return without_batch(v) * v; };
  BOOST_TEST(apart(jacobian(f, x), 4 * x * eye(2, f64)) < 1e-14);
  // The result is differentiable in what f captured.
  const Parameter w = parameter(tensor({2.0, 3.0}));
  const Tensor j = jacobian([&](const Tensor& v) { return sin(v * w); }, x);
  BOOST_TEST(apart(grad(sum(j), w)[0], cos(x * w) - x * w * sin(x * w)) < 1e-14);
  const Tensor h = hessian([&](const Tensor& v) { return sum(v * v * v * w); }, x);
  BOOST_TEST(apart(grad(sum(h), w)[0], 6 * x) < 1e-14);
}

BOOST_AUTO_TEST_CASE(bad_input) {
  const Tensor x = points();
  const auto refused = [&](const std::function<void()>& call, const std::string& part) {
    BOOST_TEST_CONTEXT(part) BOOST_CHECK_EXCEPTION(call(), Error, says(part));
  };
  const int line = __LINE__ + 1;
  const auto reads = [](const Tensor& v) { return v * v[0].item(); };
  BOOST_TEST(helpers::line_of_error([&] { vmap(reads, x); }) == line);
  refused([&] { vmap(reads, x); }, "[item] this f64 () is of one example, inside of vmap, and has no numbers yet");
  refused([&] { vmap([](const Tensor& v) { return tensor(v.to_vector<double>()); }, x); }, "[to_vector] this f64 (3,)");
  refused([&] { vmap([](const Tensor& v) { return v * v.item(); }, x); }, "[item] this f64 (3,) is of one example");
  refused(
      [&] {
        vmap(
            [](const Tensor& v) {
              sum(v * v).backward();
              return v;
            },
            x);
      },
      "[backward] inside of vmap");
  Parameter p = parameter(tensor({1.0, 2.0, 3.0}));
  refused(
      [&] {
        vmap(
            [&](const Tensor& v) {
              p.assign(v);
              return v;
            },
            x);
      },
      "is of one example");
  BOOST_TEST(apart(p.value(), tensor({1.0, 2.0, 3.0})) == 0);
  refused([&] { vmap([](const Tensor& v) { return without_batch(v); }, x); }, "is of one example");
  refused([&] { vmap([](const Tensor&) { return Tensor(); }, x); }, "[vmap] the function gave an empty tensor");
  refused([&] { vmap(Function(), x); }, "[vmap] expected a function");
  refused([&] { vmap([](const Tensor& v) { return v; }, tensor(1.0)); }, "[vmap] axis 0 of input 0, of shape ()");
  const FunctionOfMany add = [](const Tensors& in) { return in[0] + in[1]; };
  refused([&] { vmap(add, {x, zeros({5, 3}, f64)}); }, "expected as many examples of every input, got 4 and 5");
  refused([&] { vmap(add, {x, x}, {.in_axes = {0}}); }, "for 2 inputs");
  refused([&] { vmap(add, {x, x}, {.in_axes = {-1, -1}}); }, "all are the same for all");
  refused([&] { vmap(add, {x, x}, {.in_axes = {0, -2}}); }, "or -1 for what is the same for all");
  refused([&] { vmap(add, {x, Tensor()}); }, "got an empty one");
  // Indices are looked at when they are there; so are divisors.
  refused(
      [&] {
        vmap([&](const Tensor& i) { return index_select(x, 0, unsqueeze(i, 0)); }, tensor({0, 9}));
      },
      "[index_select] index 9");
  refused(
      [&] {
        vmap([](const Tensor& n) { return floor_divide(7, n); }, tensor({1, 0}));
      },
      "division of integers by zero");
  refused(
      [&] {
        vmap([](const Tensor& m) { return cholesky(m); }, -expand(eye(2, f64), {3, 2, 2}));
      },
      "[cholesky] matrix 0 of the batch");
  // An example that got out has no numbers, ever.
  Tensor out;
  vmap([&](const Tensor& v) { return out = 2 * v; }, x);
  refused([&] { out[0].item(); }, "of one example");
  BOOST_TEST(fmt::format("{}", out) == "(one example, f64 (3,))");
  // A failure leaves nothing behind.
  BOOST_TEST(apart(randn({2}, f64) * 0, zeros({2}, f64)) == 0);
  BOOST_TEST(apart(vmap([](const Tensor& v) { return 2 * v; }, x), 2 * x) == 0);
}

BOOST_AUTO_TEST_CASE(nothing_stays) {
  const Tensor x = points();
  const Parameter w = parameter(tensor({1.0, -2.0, 0.5}));
  const auto work = [&] {
    for (int i = 0; i < 50; ++i) evaluate(vmap([&](const Tensor& v) { return grad(sum(sin(v * w)), {w})[0]; }, x));
  };
  work();
  const Counters left = helpers::during(work);
  BOOST_TEST(left.taped == 0u);
  BOOST_TEST(left.pending == 0u);
  BOOST_TEST(left.bytes == 0u);
}
