// The tape: how it is shown, what is freed of it and when, and whose cotangents those are.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

BOOST_AUTO_TEST_CASE(the_tape_is_seen) {
  Parameter w = parameter(ones({2, 3}));
  const int line = __LINE__ + 1;
  const Tensor y = sum(tanh(matmul(w, ones({3, 2}))));
  const std::string text = tape(y);
  for (const char* part : {"matmul(", "tanh(", "sum(", "f32[2, 2]", "f32[2, 3]"})
    BOOST_TEST(text.find(part) != std::string::npos, fmt::format("no '{}' in\n{}", part, text));
  BOOST_TEST(text.find(fmt::format("tape_test.cpp:{}", line)) != std::string::npos, text);
  std::fflush(stdout);
  const int out = ::dup(1);
  std::FILE* file = std::tmpfile();
  ::dup2(::fileno(file), 1);
  print_tape(y);
  std::fflush(stdout);
  ::dup2(out, 1);
  ::close(out);
  std::string printed(static_cast<std::size_t>(std::ftell(file)), ' ');
  std::rewind(file);
  BOOST_TEST(std::fread(printed.data(), 1, printed.size(), file) == printed.size());
  BOOST_TEST(printed == text);
}

BOOST_AUTO_TEST_CASE(a_number_that_was_a_loss_ends_what_was_recorded_before) {
  for (const Size n : {Size{4}, Size{5000}}) {
    Parameter w = parameter(randn({n})), v = parameter(2.0f);
    const Tensor loss = sum(w * w), product = loss * v;
    loss.backward();
    BOOST_CHECK_EXCEPTION(product.backward(), Error, says("keep_graph = true"));
    BOOST_CHECK_EXCEPTION(grad(product, {v}), Error, says("keep_graph = true"));
    (loss * v).backward();  // recorded since: the loss is a number
    BOOST_TEST(v.grad().item() == loss.item());
  }
}

BOOST_AUTO_TEST_CASE(what_backward_did_not_need_is_still_there) {
  Parameter w = parameter(randn({5000}));
  Tensor y, g;
  {
    Parameter v = parameter(randn({5000}));
    y = sum((w + 1) * (v + 2));
    y.item();             // w + 1 is computed and not stored
    g = grad(y, {v})[0];  // it is w + 1
  }
  BOOST_TEST(g.pending());
  y.backward();  // nobody is left to receive v's
  BOOST_TEST(same_bits(g, w + 1));
}

BOOST_AUTO_TEST_CASE(a_cotangent_that_others_hold_is_not_added_to) {
  for (const Size n : {Size{1}, Size{5}, Size{1000}, Size{5000}}) {
    Parameter a = parameter(evaluate(randn({n}, f64))), b = parameter(evaluate(randn({n}, f64)));
    {
      const Tensor s = a * 3.0, y = sum((a + b) * 2.0 + s);  // a and b receive one tensor; then a receives more
      y.backward();
      BOOST_TEST(all(a.grad() == 5.0).item() == 1);
      BOOST_TEST(all(b.grad() == 2.0).item() == 1);
    }
    a.zero_grad(), b.zero_grad();
    const Tensor g = evaluate(randn({n}, f64) * 2.0), before = contiguous(tensor(g.to_vector<double>(), {n}));
    const Tensor s = a * 3.0, y = (a + b) + s;
    y.backward(g, {.keep_graph = true});
    BOOST_TEST(same_bits(g, before));
    const Tensor kept = b.grad();
    y.backward(g);
    BOOST_TEST(same_bits(kept, before));
    BOOST_TEST(same_bits(b.grad(), 2.0 * before));
  }
}

BOOST_AUTO_TEST_CASE(a_recorded_value_whose_last_handle_is_elsewhere_leaves_its_tape) {
  Parameter w = parameter(2.0);
  const auto before = counters().taped;
  for (int i = 0; i < 3; ++i) {
    Tensor y = w * 3.0;
    std::unique_ptr<Tensor> copy;
    std::thread([&] { copy = std::make_unique<Tensor>(y); }).join();
    y = Tensor();
    BOOST_TEST(counters().taped == before + 1);
    std::thread([held = std::move(copy)]() mutable { held.reset(); }).join();
    (w + 1.0).item();  // this thread sees to what another let go of when it records next
    (w + 1.0).item();
    BOOST_TEST(counters().taped == before);
  }
}

// ---- what is freed

BOOST_AUTO_TEST_CASE(backward_lets_go_of_the_record) {
  for (const Size n : {Size{4}, Size{5000}}) {
    Parameter w = parameter(randn({n}));
    const Counters c = during([&] {
      const Tensor loss = sum(tanh(w) * w);
      loss.backward();
      BOOST_CHECK_EXCEPTION(loss.backward(), Error, says("keep_graph = true"));
      BOOST_CHECK_EXCEPTION(grad(loss, {w}), Error, says("keep_graph = true"));
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

// A watched value is a leaf: what is recorded of it anew leads to it again. What led to it is let go of.
BOOST_AUTO_TEST_CASE(a_watched_value_outlives_backward) {
  for (const Size n : {Size{4}, Size{5000}}) {
    Parameter w = parameter(randn({n}));
    const Tensor x = watch(ones({n})), y = watch(ones({n}));
    for (int i = 0; i < 3; ++i) {
      w.zero_grad();
      const Tensor loss = sum(x * square(w));
      loss.backward();
      BOOST_TEST(allclose(w.grad(), 2 * w));
      BOOST_CHECK_EXCEPTION(loss.backward(), Error, says("keep_graph = true"));
      BOOST_TEST(allclose(grad(sum(x * w), {x})[0], w));
      w.zero_grad();
      sum(checkpoint([&](const Tensor& z) { return z * w; }, y)).backward();
      BOOST_TEST(allclose(w.grad(), ones({n})));
    }
    const Tensor made = watch(2 * w);
    sum(made * made).backward();
    BOOST_CHECK_EXCEPTION(sum(made * made).backward(), Error, says("keep_graph = true"));
    const Tensor made_later = watch(made);  // a number by now, which a derivative would lead through
    BOOST_CHECK_EXCEPTION(sum(made_later * w).backward(), Error, says("keep_graph = true"));
    const Tensor again = watch(watch(x)), of_it = watch(w);
    for (int i = 0; i < 2; ++i) {
      w.zero_grad();
      sum(again * of_it).backward();
      BOOST_TEST(allclose(w.grad(), ones({n})));
    }
  }
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

BOOST_AUTO_TEST_CASE(a_long_tape_is_written_in_linear_time) {
  const auto seconds = [](int ops) {
    Parameter p = parameter(1.0);
    Tensor y = p;
    for (int i = 0; i < ops; ++i) y = y * 0.5;
    double least = 1e9;
    for (int i = 0; i < 3; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const std::string text = tape(y);
      BOOST_TEST(std::count(text.begin(), text.end(), '\n') == ops + 1);
      least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return least;
  };
  const double few = seconds(6000), many = seconds(96000);
  BOOST_TEST(many < 64 * few, few << " s, then " << many);  // 16 times the ops; were it quadratic, 256
}
