// What waits, what is kept, what is freed: each rule of the record, by the engine's own counts.
#define BOOST_TEST_MODULE record
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include "autodiff/autodiff.hpp"

using namespace xgrad;

namespace {

constexpr Size large = 1 << 20;

// What `work` added to the counters.
Counters during(const std::function<void()>& work) {
  const Counters before = counters();
  work();
  Counters after = counters();
  after.recorded -= before.recorded;
  after.evaluated -= before.evaluated;
  after.regions -= before.regions;
  after.pending -= before.pending;
  after.taped -= before.taped;
  after.bytes -= before.bytes;
  return after;
}

bool same_bits(const Tensor& x, const Tensor& y) {
  const auto a = x.to_vector<float>(), b = y.to_vector<float>();
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Tensor gelu(const Tensor& x) { return 0.5 * x * (1 + tanh(0.79788 * (x + 0.044715 * x * x * x))); }

std::function<bool(const Error&)> says(const char* part) {
  return [part](const Error& e) { return std::string(e.what()).find(part) != std::string::npos; };
}

Size resident_bytes() {
  long total = 0, pages = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &total, &pages) != 2) pages = 0;
    std::fclose(f);
  }
  return static_cast<Size>(pages) * sysconf(_SC_PAGESIZE);
}

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
  std::vector<Tensor> kept;  // by bytes as well: 4 GB in all, each one held
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

BOOST_AUTO_TEST_CASE(a_node_evaluated_a_second_time_is_stored) {
  Parameter x = parameter(randn({100'000}));
  Tensor inner;
  const Tensor y = sum(inner = tanh(x));
  inner = Tensor();  // only the record holds it now
  y.item();
  const auto again = [&] { return during([&] { grad(y, {x})[0].item(); }).evaluated; };
  BOOST_CHECK_THROW(again(), Error);  // item() of many: the gradient was asked for all the same
  const auto gradient = [&] { return during([&] { evaluate(grad(y, {x})); }).evaluated; };
  gradient();
  const auto second = gradient(), third = gradient();
  BOOST_TEST(third <= second);
  const auto bytes = during([&] { evaluate(grad(y, {x})); }).bytes;
  BOOST_TEST(bytes == 0u);
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
    }).evaluated;
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
    }).evaluated;
  };
  const auto n50 = nodes(50), n100 = nodes(100), n200 = nodes(200);
  BOOST_TEST(n100 <= 2 * n50 + 20);
  BOOST_TEST(n200 <= 2 * n100 + 20);
  BOOST_TEST(n50 <= 50u * 40);
}

// ---- what is freed

BOOST_AUTO_TEST_CASE(backward_lets_go_of_the_record) {
  for (const Size n : {Size{4}, Size{5000}}) {
    Parameter w = parameter(randn({n}));
    const Counters c = during([&] {
      const Tensor loss = sum(tanh(w) * w);
      loss.backward();
      BOOST_CHECK_EXCEPTION(loss.backward(), Error, says("keep_graph = true"));
      BOOST_CHECK_EXCEPTION(grad(loss, {w}), Error, says(""));
      BOOST_TEST(!loss.requires_grad());
      BOOST_TEST(counters().pending == 0u);
    });
    BOOST_TEST(c.taped == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_second_backward_through_a_shared_part_is_an_error_too) {
  Parameter w = parameter(randn({5000}));
  const Tensor shared = tanh(w), first = sum(shared), second = sum(shared * 2);
  first.backward();
  const Tensor before = w.grad();
  BOOST_CHECK_EXCEPTION(second.backward(), Error, says("keep_graph = true"));
  BOOST_TEST(same_bits(before, w.grad()));
}

BOOST_AUTO_TEST_CASE(keep_graph_keeps_it) {
  for (const Size n : {Size{4}, Size{5000}}) {
    Parameter w = parameter(ones({n}));
    const Tensor loss = sum(3 * w * w);
    loss.backward({.keep_graph = true});
    BOOST_TEST(w.grad()[0].item() == 6);
    loss.backward({.keep_graph = true});
    BOOST_TEST(w.grad()[0].item() == 12);
    loss.backward();
    BOOST_TEST(w.grad()[0].item() == 18);
    BOOST_CHECK_THROW(loss.backward(), Error);
  }
}

BOOST_AUTO_TEST_CASE(grad_lets_go_of_nothing) {
  Parameter w = parameter(ones({5000}));
  const Tensor loss = sum(w * w);
  for (int i = 0; i < 3; ++i) BOOST_TEST(grad(loss, {w})[0][0].item() == 2);
  BOOST_TEST(!w.grad().defined());
  loss.backward();
  BOOST_TEST(w.grad()[7].item() == 2);
}

BOOST_AUTO_TEST_CASE(a_forgotten_graph_leaves_the_tape) {
  Parameter w = parameter(randn({5000}));
  const Counters c = during([&] {
    Tensor h = w;
    for (int i = 0; i < 100; ++i) h = tanh(h) + w;
  });
  BOOST_TEST(c.taped == 0u);
  BOOST_TEST(c.pending == 0u);
  BOOST_TEST(c.bytes == 0u);
  BOOST_TEST(c.evaluated == 0u);
}

BOOST_AUTO_TEST_CASE(a_value_without_gradient_leaves_the_tape_once_evaluated) {
  const Tensor x = evaluate(randn({5000}));
  const auto before = counters().taped;
  const Tensor y = tanh(x);
  BOOST_TEST(counters().taped == before + 1);
  evaluate(y);
  BOOST_TEST(counters().taped == before);
}

BOOST_AUTO_TEST_CASE(what_no_derivative_leads_through_holds_no_history) {
  for (const Size n : {Size{8}, Size{64}, Size{5000}}) {
    Parameter w = parameter(randn({n}));
    Tensor state = evaluate(randn({n}));
    const Counters steps = during([&] {
      for (int i = 0; i < 100; ++i) state = evaluate(tanh(state * w).detach());
    });
    BOOST_TEST(steps.taped == 0u);
    BOOST_TEST(steps.bytes <= 4u * n);
    Tensor kept;
    const Counters view = during([&] {
      const Tensor y = evaluate(tanh(w));
      const NoGrad no_grad;
      kept = slice(reshape(y, {2, -1}), 0, 1);
      BOOST_TEST(same_bits(kept, slice(reshape(y.detach(), {2, -1}), 0, 1)));
    });
    BOOST_TEST(view.taped == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_gradient_outlives_its_record) {
  Parameter w = parameter(randn({5000}));
  Tensor g;
  {
    const Tensor y = evaluate(square(tanh(w)));  // tanh(w) is computed and not stored
    g = grad(sum(y), {w})[0];
  }
  BOOST_TEST(g.pending());  // tanh(w) is computed again, and stored, and nothing but this holds it
  BOOST_TEST(same_bits(g, grad(sum(square(tanh(w))), {w})[0]));
}

// The walk's own steps have no counter; what can be counted is that nothing of the other graph is touched.
BOOST_AUTO_TEST_CASE(backward_costs_its_own_graph) {
  Parameter w = parameter(1.0), v = parameter(randn({3}));
  Tensor chain = w;
  for (int i = 0; i < 1'000'000; ++i) chain = chain * 0.999999 + w;
  const auto taped = counters().taped;
  const Counters c = during([&] {
    Tensor y = v;
    for (int i = 0; i < 9; ++i) y = y * v;
    sum(y).backward();
  });
  BOOST_TEST(c.recorded < 100u);
  BOOST_TEST(c.evaluated < 100u);
  BOOST_TEST(counters().taped == taped);
  BOOST_TEST(chain.requires_grad());
}

BOOST_AUTO_TEST_CASE(a_running_mean_that_nobody_reads_stays_flat) {
  const Tensor x = evaluate(randn({2000}));
  Parameter w = parameter(2.0);
  for (const bool differentiable : {false, true}) {
    Tensor running = zeros({}, f64), wide = zeros({2000});
    const auto step = [&](int i) {
      const Tensor loss = w * 0.5 + i;
      running = 0.99 * running + 0.01 * (differentiable ? loss.detach() : Tensor(tensor(1.0 * i)));
      if (i % 20 == 0) wide = 0.99f * wide + 0.01f * x;
    };
    for (int i = 0; i < 200'000; ++i) step(i);
    const Counters before = counters();
    const Size resident = resident_bytes();
    for (int i = 0; i < 1'000'000; ++i) step(i);
    const Counters after = counters();
    BOOST_TEST(after.taped <= before.taped + 4200);
    BOOST_TEST(after.pending <= 4200u);
    BOOST_TEST(after.bytes <= before.bytes + (1u << 20));
    BOOST_TEST(resident_bytes() <= resident + (Size{16} << 20));
  }
}

BOOST_AUTO_TEST_CASE(kept_losses_stay_flat) {
  Parameter w = parameter(randn({100}));
  std::vector<Tensor> losses;
  losses.reserve(100'000);
  const auto train = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      w.zero_grad();
      losses.push_back(mean(square(w - 0.5f)));
      losses.back().backward();
      w -= 0.01f * w.grad();
    }
  };
  const auto watch = [&](int steps) {
    const NoGrad no_grad;
    for (int i = 0; i < steps; ++i) losses.push_back(mean(square(w - 0.5f)));
  };
  train(1000);
  const Counters before = counters();
  train(49'000);
  watch(50'000);
  const Counters after = counters();
  BOOST_TEST(after.taped == before.taped);
  BOOST_TEST(after.pending == before.pending);
  BOOST_TEST(after.bytes <= before.bytes + 4096);  // a number is held in its node
  BOOST_TEST(losses.front().item() > losses.back().item());
}

BOOST_AUTO_TEST_CASE(the_step_after_backward_writes_in_place) {
  Parameter w = parameter(randn({100'000}));
  const auto step = [&] {
    const Tensor loss = sum(square(w));
    w.zero_grad();
    loss.backward();
    w -= 0.1f * w.grad();
    return loss;
  };
  Tensor loss = step();
  const auto bytes = counters().bytes;
  for (int i = 0; i < 10; ++i) loss = step();  // the one before is still in scope
  BOOST_TEST(counters().bytes == bytes);
}

// ---- scopes

BOOST_AUTO_TEST_CASE(no_grad_acts_where_an_op_is_recorded) {
  Parameter w = parameter(randn({5000}));
  const Tensor outside = sum(tanh(w));
  Tensor inside;
  {
    const NoGrad no_grad;
    inside = tanh(w);
    BOOST_TEST(!inside.requires_grad());
    BOOST_TEST(outside.requires_grad());
    outside.backward();  // recorded before: its derivative is there
    const NoGrad nested;
  }
  BOOST_TEST(w.grad().defined());
  BOOST_TEST(!inside.requires_grad());  // whenever it is evaluated
  BOOST_TEST(tanh(w).requires_grad());
  BOOST_CHECK_EXCEPTION(sum(inside).backward(), Error, says("NoGrad"));
}

BOOST_AUTO_TEST_CASE(detach_cuts) {
  for (const Size n : {Size{3}, Size{5000}}) {
    Parameter w = parameter(randn({n}));
    const Tensor y = tanh(w), cut = y.detach();
    BOOST_TEST(!cut.requires_grad());
    BOOST_TEST(same_bits(cut, y));
    const Tensor g = grad(sum(cut * w), {w})[0];
    BOOST_TEST(same_bits(g, y));
    BOOST_TEST(!w.detach().requires_grad());
  }
  Tensor cut;  // it does not hold the record
  Parameter w = parameter(randn({5000}));
  const Counters c = during([&] { cut = evaluate(tanh(tanh(w))).detach(); });
  BOOST_TEST(c.taped == 0u);
}

BOOST_AUTO_TEST_CASE(eager_runs_each_op_at_once_with_the_same_bits) {
  const Tensor x = evaluate(randn({300, 70}));
  const auto program = [&] {
    const Tensor y = gelu(x) - mean(x, 1, true);
    return sum(y * transpose(transpose(x)), 0) / 3 + amax(y, 0);
  };
  const Tensor fused = program();
  BOOST_TEST(fused.pending());
  Tensor eager;
  {
    const Eager scope;
    BOOST_TEST(!tanh(x).pending());
    eager = program();
    BOOST_TEST(!eager.pending());
  }
  BOOST_TEST(tanh(x).pending());
  BOOST_TEST(same_bits(fused, eager));
}

BOOST_AUTO_TEST_CASE(evaluate_forces_and_returns_its_argument) {
  const Tensor x = evaluate(randn({5000}));
  const Tensor a = tanh(x), b = exp(x), c = a * b;
  const Tensor same = evaluate(a);
  BOOST_TEST(same.node() == a.node());
  BOOST_TEST(!a.pending());
  BOOST_TEST(b.pending());
  evaluate(b, c);
  BOOST_TEST(!b.pending());
  BOOST_TEST(!c.pending());
  evaluate(Tensors{});
  BOOST_TEST(evaluate(2.5).item() == 2.5);
}

// ---- reading changes nothing

BOOST_AUTO_TEST_CASE(reading_intermediates_changes_no_bits) {
  const Tensor start = evaluate(randn({37, 129}));
  const auto program = [&](unsigned reads) {
    std::vector<Tensor> steps;
    const auto note = [&](const Tensor& t) {
      if (reads >> steps.size() & 1) sum(t).item();
      steps.push_back(t);
      return t;
    };
    Parameter x = parameter(start);
    const Tensor a = note(tanh(x * 1.7f)), b = note(exp(a) * a + x), c = note(b - mean(b, 1, true));
    const Tensor d = note(c * sum(c, 0)), e = note(sum(d / (1 + square(b))));
    e.backward({.keep_graph = (reads & 1) != 0});
    return Tensors{e, x.grad()};
  };
  const Tensors expected = program(0);
  for (unsigned reads = 1; reads < 32; ++reads) {
    const Tensors got = program(reads);
    BOOST_TEST(same_bits(got[0], expected[0]));
    BOOST_TEST(same_bits(got[1], expected[1]));
  }
}

BOOST_AUTO_TEST_CASE(random_ops_draw_their_counters_when_recorded) {
  manual_seed(7);
  const Tensor a1 = rand({5000}), b1 = rand({5000});
  manual_seed(7);
  const Tensor a2 = rand({5000}), b2 = rand({5000});
  evaluate(b2);  // in the other order
  BOOST_TEST(same_bits(b1, b2));
  BOOST_TEST(same_bits(a1, a2));
  BOOST_TEST(!same_bits(a1, b1));
  Parameter w = parameter(ones({5000}));
  const Tensor masked = w * cast(rand({5000}) < 0.5f, f32);  // the same mask forward and backward, and again
  const Tensor value = masked.detach();
  BOOST_TEST(same_bits(grad(sum(masked), {w})[0], value));
  BOOST_TEST(same_bits(grad(sum(masked), {w})[0], value));
}

// ---- variables

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
  BOOST_TEST(same_bits(w.grad(), 2 * (1 - square(tanh(2 * w)))));
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
