// What waits, what is fused, what is kept: the rules of the record, by the engine's own counts. What is freed: tape_test.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

constexpr Size large = 1 << 20;

Tensor gelu(const Tensor& x) { return 0.5 * x * (1 + tanh(0.79788 * (x + 0.044715 * x * x * x))); }

}  // namespace

// ---- what waits

BOOST_AUTO_TEST_CASE(small_work_is_done_as_it_is_recorded) {
  const Tensor x = ones({1024});
  const Counters c = during([&] {
    const Tensor y = tanh(x) * 2 + 1;
    BOOST_TEST(!y.pending());
    BOOST_TEST(!sum(y).pending());
  });
  BOOST_TEST(c.evaluated == 4u);
  BOOST_TEST(c.pending == 0u);
}

BOOST_AUTO_TEST_CASE(large_work_waits) {
  const Tensor x = evaluate(randn({1025}));
  const Tensor y = tanh(x), z = sum(y);
  BOOST_TEST(y.pending());
  BOOST_TEST(z.pending());
  const Counters c = during([&] { z.item(); });
  BOOST_TEST(c.evaluated == 2u);
  BOOST_TEST(c.regions == 1u);
  BOOST_TEST(!y.pending());  // it is held, so it was stored on the way
}

BOOST_AUTO_TEST_CASE(work_on_one_repeated_number_is_done_at_once) {
  const Tensor x = zeros({large}) + 1;
  BOOST_TEST(!x.pending());
  BOOST_TEST(during([&] { const Tensor y = exp(x) * 3; }).bytes == 0u);
}

BOOST_AUTO_TEST_CASE(what_can_fail_on_values_runs_at_once) {
  const Tensor x = evaluate(randn({5000}));
  const Tensor y = tanh(x);
  BOOST_CHECK_EXCEPTION(index_select(y, 0, tensor({5000})), Error, says("record_test.cpp"));
  const CustomOp fails({.name = "fails", .forward = [](const Tensors&) -> Tensor { throw Error("no"); }, .vjp = {}});
  BOOST_CHECK_THROW(fails(y), Error);
  BOOST_TEST(sum(y).item() == sum(tanh(x)).item());
}

BOOST_AUTO_TEST_CASE(pending_work_is_bounded) {
  const Tensor x = evaluate(randn({2000}));
  Tensor total = x;
  std::uint64_t most = 0;
  for (int i = 0; i < 20'000; ++i) {
    total = 0.5 * total + x;
    most = std::max(most, counters().pending);
  }
  BOOST_TEST(most <= 4096u);
  std::vector<Tensor> kept;  // each one held: 48 MB in all; memory_test bounds the bytes
  for (int i = 0; i < 12; ++i) kept.push_back(x[0] + randn({large}));
  BOOST_TEST(counters().pending <= 4096u);
}

// ---- what is fused

BOOST_AUTO_TEST_CASE(a_formula_and_its_gradient_are_one_region) {
  Parameter x = parameter(randn({large}));
  const Counters c = during([&] { sum(gelu(x)).backward(); });
  BOOST_TEST(c.regions == 1u);
  BOOST_TEST(x.grad().shape() == x.shape());
  BOOST_TEST(c.bytes >= 4u * large);  // the gradient
  BOOST_TEST(c.bytes < 5u * large);   // and nothing else of its size
}

BOOST_AUTO_TEST_CASE(intermediates_are_stored_only_where_somebody_holds_them) {
  const Tensor x = evaluate(randn({large}));
  Tensor y;
  const Counters alone = during([&] { y = evaluate(exp(tanh(x) * 2) + 1); });
  BOOST_TEST(alone.bytes >= 4u * large);
  BOOST_TEST(alone.bytes < 5u * large);
  Tensor inner, z;
  const Counters held = during([&] {
    inner = tanh(x);
    z = evaluate(exp(inner * 2) + 1);
  });
  BOOST_TEST(held.bytes >= 8u * large);
  BOOST_TEST(held.bytes < 9u * large);
  BOOST_TEST(held.regions == 1u);
  BOOST_TEST(!inner.pending());
  BOOST_TEST(same_bits(y, z));
}

BOOST_AUTO_TEST_CASE(casts_broadcasts_views_and_several_sinks_join_one_region) {
  const Tensor x = evaluate(randn({1000, 64})), row = evaluate(randn({64}));
  const Counters c = during([&] {
    const Tensor y = cast(x, f64) * cast(row, f64) + 1.0;
    const Tensor whole = sum(y), rows = sum(y * 2, 1);
    evaluate(whole, rows);
  });
  BOOST_TEST(c.regions <= 2u);  // the row's cast is a small region of its own at most
  const Tensor s = evaluate(randn({64, 1000}));
  BOOST_TEST(during([&] { evaluate(tanh(transpose(s)) + x * row); }).regions == 1u);
}

BOOST_AUTO_TEST_CASE(all_gradients_of_a_step_are_evaluated_together) {
  Parameter a = parameter(randn({5000})), b = parameter(randn({5000})), c = parameter(randn({5000}));
  const Counters counts = during([&] { sum(tanh(a * b) * c).backward(); });
  BOOST_TEST(counts.regions == 1u);
  BOOST_TEST(!a.grad().pending());
  BOOST_TEST(!b.grad().pending());
  BOOST_TEST(!c.grad().pending());
}

// ---- what is kept

BOOST_AUTO_TEST_CASE(a_second_evaluation_stores) {
  Parameter x = parameter(randn({100'000}));
  const Tensor y = sum(exp(x));
  y.item();  // exp(x) is computed and not stored
  const auto gradient = [&] {
    const Counters before = counters();
    { evaluate(grad(y, {x})); }
    const Counters after = counters();
    return std::pair(after.evaluated - before.evaluated, after.bytes - before.bytes);
  };
  const auto first = gradient(), second = gradient();
  BOOST_TEST(first.second >= 400'000u);  // exp(x), the second time
  BOOST_TEST(second.second == 0u);
  BOOST_TEST(second.first < first.first);
}

BOOST_AUTO_TEST_CASE(work_is_linear_in_the_steps) {
  const Tensor start = evaluate(randn({100'000}));
  const auto nodes = [&](int steps, int reads) {
    return during([&] {
             Tensor h = start;
             for (int i = 0; i < steps; ++i) {
               h = h + tanh(h - mean(h));
               if (reads && i % reads == 0) mean(h).item();
             }
             mean(h).item();
           })
        .evaluated;
  };
  for (const int reads : {0, 1, 7}) {
    const auto n100 = nodes(100, reads), n200 = nodes(200, reads), n400 = nodes(400, reads);
    BOOST_TEST(n200 <= 2 * n100 + 10);
    BOOST_TEST(n400 <= 2 * n200 + 10);
    BOOST_TEST(n100 <= 100u * 12);
  }
}

BOOST_AUTO_TEST_CASE(work_is_linear_in_the_steps_with_gradients_too) {
  const auto nodes = [&](int steps) {
    Parameter start = parameter(randn({20'000}));
    return during([&] {
             Tensor h = start;
             for (int i = 0; i < steps; ++i) h = h + tanh(h - mean(h));
             sum(h).backward();
           })
        .evaluated;
  };
  const auto n50 = nodes(50), n100 = nodes(100), n200 = nodes(200);
  BOOST_TEST(n100 <= 2 * n50 + 20);
  BOOST_TEST(n200 <= 2 * n100 + 20);
  BOOST_TEST(n50 <= 50u * 40);
}

// ---- orders

BOOST_AUTO_TEST_CASE(every_order) {
  Parameter x = parameter(0.7);
  Tensor y = exp(2.0 * x) * 1.0;
  for (int order = 1; order <= 6; ++order) {
    y = grad(y, {x}, {.create_graph = true})[0];
    BOOST_TEST(y.item() == std::exp(1.4) * (1 << order), boost::test_tools::tolerance(1e-12));
  }
  Parameter v = parameter(randn({5000}, f64));
  const Tensor g = grad(sum(v * v * v), {v}, {.create_graph = true})[0];
  const Tensor h = grad(sum(g), {v})[0];
  BOOST_TEST(amax(abs(h - 6 * v)).item() < 1e-12);
  BOOST_TEST(!h.requires_grad());
}

BOOST_AUTO_TEST_CASE(backward_with_create_graph_keeps_and_records) {
  Parameter x = parameter(3.0);
  const Tensor y = x * x * x;
  y.backward({.create_graph = true});
  const Tensor g = x.grad();
  BOOST_TEST(g.item() == 27);
  BOOST_TEST(g.requires_grad());
  BOOST_TEST(grad(g, {x})[0].item() == 18);
}

BOOST_AUTO_TEST_CASE(functions_stay_differentiable_in_what_they_captured) {
  Parameter w = parameter(2.0);
  const Tensor x = tensor(3.0);
  const auto f = [&](const Tensor& v) { return w * v * v; };
  const Tensor slope = vjp(f, x).pullback(1.0);  // 2 w x
  BOOST_TEST(slope.item() == 12);
  BOOST_TEST(grad(slope, {w})[0].item() == 6);
  BOOST_TEST(grad(jvp(f, x, 1.0).tangent, {w})[0].item() == 6);
  BOOST_TEST(grad(hvp(f, x, 1.0), {w})[0].item() == 2);
  BOOST_TEST(hessian(f, x).item() == 4);
}
