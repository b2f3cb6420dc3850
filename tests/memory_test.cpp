// Memory: what is stored, what is shared, what is written in place, and what is left where none can be had.
#include <xgrad/autodiff/memory.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <functional>
#include <thread>
#include <utility>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/threads.hpp>
#include "helpers.hpp"
#include "memory_hooks.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;
using namespace helpers;

BOOST_AUTO_TEST_CASE(no_memory_changes_nothing) {
  Parameter w = parameter(randn({300'000})), v = parameter(randn({300'000}));
  const Tensor before = evaluate(randn({300'000}));
  w.set_grad(before);
  v.set_grad(before);
  const Tensor held = tanh(w) * v, loss = sum(held * held);
  const auto record = [] {
    const Counters c = counters();
    return std::array<std::uint64_t, 3>{c.taped, c.pending, c.bytes};
  };
  const auto state = record();
  int failures = 0;
  for (bool done = false; !done && failures < 100; failures += !done) {
    const memory_hooks::Scarce scarce(failures);  // one more buffer each time
    try {
      loss.backward({.keep_graph = true});
      done = true;
    } catch (const Error& e) {
      BOOST_TEST(std::string(e.what()).find("memory_test.cpp") != std::string::npos, e.what());
      BOOST_TEST((w.grad().node() == before.node() || same_bits(w.grad(), before)));
      BOOST_TEST(same_bits(v.grad(), before));
      BOOST_TEST((record() == state), fmt::format("{} -> {}", fmt::join(state, " "), fmt::join(record(), " ")));
      BOOST_TEST(tanh(w).requires_grad());
    }
  }
  BOOST_TEST(failures > 1);
  const Tensor g = 2 * tanh(w) * v * v * (1 - square(tanh(w)));
  BOOST_TEST(amax(abs(w.grad() - before - g)).item() < 1e-4);
}

BOOST_AUTO_TEST_CASE(no_memory_in_ops) {
  const Size n = 1'111'111;
  set_threads(2);
  const struct {
    const char* ops;  // that the Error may name: those that are written here
    std::function<void(const Tensor&)> work;
  } works[] = {
      {"tanh add", [](const Tensor& x) { evaluate(tanh(x) + 1); }},
      {"sum tanh mul", [](const Tensor& x) { sum(tanh(x) * x).item(); }},
      {"sum mul slice reshape",
       [](const Tensor& x) {
         evaluate(sum(reshape(slice(x, 0, 0, 1'111'000), {1'111, 1'000}) * 2, 0));
       }},
      {"softmax slice reshape",
       [](const Tensor& x) {
         evaluate(softmax(reshape(slice(x, 0, 0, 1'111'000), {1'111, 1'000}), 1));
       }},
      {"matmul slice reshape",
       [](const Tensor& x) {
         const Tensor m = reshape(slice(x, 0, 0, 1'000'000), {1000, 1000});
         evaluate(matmul(m, m));
       }},
      {"concat mul",
       [](const Tensor& x) {
         evaluate(concat({x, x * 2}));
       }},
      {"flip slice", [](const Tensor& x) { evaluate(contiguous(flip(x, 0))); }},
      {"cumsum mul", [](const Tensor& x) { evaluate(cumsum(x * 2, 0)); }},
      {"index_select arange", [](const Tensor& x) { evaluate(index_select(x, 0, arange(500'000))); }},
      {"rand outer", [](const Tensor&) { evaluate(outer(rand({1'100}), rand({1'100}))); }},
      {"randn", [](const Tensor&) { evaluate(randn({1'200'000})); }},
  };
  const Tensor x = evaluate(randn({n}));
  for (const auto& [what, work] : works) {
    const std::string ops = fmt::format(" {} ", what);
    const Counters before = counters();
    int failures = 0;
    for (bool done = false; !done && failures < 60; failures += !done) {
      const memory_hooks::Scarce scarce(failures);
      try {
        work(x);
        done = true;
      } catch (const Error& e) {
        const Counters after = counters();
        const std::string message = e.what();
        const std::size_t from = message.find('[') + 1;
        const std::string op = message.substr(from, message.find(']') - from);
        BOOST_TEST(ops.find(" " + op + " ") != std::string::npos, what << ": " << message);
        BOOST_TEST(after.bytes == before.bytes,
                   what << ": " << before.bytes << " -> " << after.bytes << " " << e.what());
        BOOST_TEST(after.taped == before.taped, what);
        BOOST_TEST(after.pending == before.pending, what);
      } catch (const std::exception& e) {
        BOOST_ERROR(what << ": another exception: " << e.what());
      }
    }
    BOOST_TEST_MESSAGE(what << " " << failures);
    BOOST_TEST(counters().bytes == before.bytes, what << " at the end");
  }
}

BOOST_AUTO_TEST_CASE(pending_bytes_are_bounded) {
  const Tensor x = evaluate(randn({Size{1} << 22}));  // 16 MB
  Tensor total = x;
  std::uint64_t most = 0;
  for (int i = 0; i < 150; ++i) {
    total = 0.5f * total + x;
    most = std::max(most, counters().pending);
  }
  BOOST_TEST(most <= 64u);  // a gigabyte of results, were they stored
  BOOST_TEST(most > 1u);
}

BOOST_AUTO_TEST_CASE(copies_copy_no_bytes) {
  struct Net {
    nn::Linear a{300, 300};
    XGRAD_FIELDS(a)
  } net;
  const auto before = counters().bytes;
  const Net best = net;
  BOOST_TEST(counters().bytes == before);
  net = best;
  BOOST_TEST(counters().bytes == before);
}

BOOST_AUTO_TEST_CASE(optimizers_write_in_place) {
  Parameter w = parameter(randn({300'000}));
  optim::SGD optimizer({w}, {.lr = 0.1});
  const auto step = [&] {
    const Tensor loss = sum(square(w));
    optimizer.zero_grad();
    loss.backward();
    const void* at = readable(w.value());
    optimizer.step();
    BOOST_TEST(readable(w.value()) == at);
    return loss;
  };
  step();
  for (int i = 0; i < 5; ++i) const Tensor loss = step();
}

BOOST_AUTO_TEST_CASE(what_only_a_later_region_needs_is_not_stored_before_it) {
  const Size n = 2'500'000;
  const Tensor x = evaluate(rand({n}));
  const Tensor y = (x * 2 + 1) * mean(x * x);  // in a line of its own: until its end a line holds what it made
  memory_hooks::requests([&] { evaluate(y); });
  BOOST_TEST(memory_hooks::bytes >= 4u * n);  // the result
  BOOST_TEST(memory_hooks::bytes < 5u * n);
}

// The temporaries of an expression live to its semicolon; that is no reason to store what they stand for.
BOOST_AUTO_TEST_CASE(an_expression_in_one_line_stores_no_more_than_one_that_is_named) {
  const Tensor x = evaluate(randn({1 << 20}));
  Parameter p = parameter(x);
  const std::uint64_t before = counters().bytes;
  std::uint64_t of_item = 0, of_backward = 0;
  mean(square(x * 2 + 1)).item(), of_item = counters().bytes;
  mean(square(p * 2 + 1)).backward(), of_backward = counters().bytes;
  BOOST_TEST(of_item - before < std::uint64_t{1} << 20);      // none of x's size
  BOOST_TEST(of_backward - before < std::uint64_t{5} << 20);  // the gradient
  Tensor kept;
  const double first = sum(kept = tanh(x)).item();  // held: stored
  BOOST_TEST(!kept.pending());
  BOOST_TEST(first == sum(kept).item());
  const Tensor named = exp(x), total = sum(Tensor(named));  // a copy in passing
  BOOST_TEST(total.item() == sum(named).item());
}

// ---- what is kept

namespace {

// Bytes that the process holds and that belong to no tensor.
Size kept_beside(const std::function<void()>& work) {
  release_memory();
  const Size before = resident_bytes();
  work();
  return resident_bytes() - before;
}
constexpr Size mb = 1 << 20;

}  // namespace

#if !MEMORY_HOOKS_SANITIZED
BOOST_AUTO_TEST_CASE(one_tensor_at_a_time_leaves_no_more_than_one_behind) {
  const Size kept = kept_beside([] {
    for (int round = 0; round < 2; ++round)
      for (Size n = mb; n <= 20 * mb; n += n / 7) evaluate(rand({n}));  // up to 80 MB each
  });
  BOOST_TEST(kept < (96 + 100) * mb, kept / mb);
}

BOOST_AUTO_TEST_CASE(what_was_needed_once_goes_after_a_while) {
  const auto work = [](Size n) { evaluate(cast(arange(n), f32)); };
  work(50 * mb);
  const Size kept = kept_beside([&] {
    evaluate(stack({cast(arange(30 * mb), f32), ones({30 * mb})}));
    for (int i = 0; i < 3000; ++i) work(mb / 2);
  });
  BOOST_TEST(kept < 64 * mb, kept / mb);
}

BOOST_AUTO_TEST_CASE(a_thread_that_has_ended_keeps_nothing) {
  const Size kept = kept_beside([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([] { evaluate(cast(arange(10 * mb), f32)); });
    for (std::thread& t : threads) t.join();
  });
  BOOST_TEST(kept < 80 * mb, kept / mb);
}

BOOST_AUTO_TEST_CASE(release_memory_gives_back_buffers_and_nodes) {
  const Size before = (release_memory(), resident_bytes());
  {
    Parameter w = parameter(1.0);
    Tensor total = w * 1.0;
    for (int i = 0; i < 300'000; ++i) total = total * w;
    evaluate(cast(arange(30 * mb), f32), total);
  }
  BOOST_TEST(resident_bytes() - before > 60 * mb);
  release_memory();
  BOOST_TEST(resident_bytes() - before < 30 * mb, (resident_bytes() - before) / mb);
}

// Memory that another thread keeps free serves this one.
BOOST_AUTO_TEST_CASE(where_memory_runs_out_what_is_free_goes_first) {
  evaluate(cast(arange(50 * mb), f32));
  release_memory();
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlimit tight{pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) + (750u << 20), limit.rlim_max};
  setrlimit(RLIMIT_AS, &tight);
  std::string message;
  try {
    for (Size n = 20 * mb; n < 60 * mb; n += 5 * mb) evaluate(cast(arange(n), f32));  // i64 and f32: up to 660 MB
  } catch (const Error& e) {
    message = e.what();
  }
  setrlimit(RLIMIT_AS, &limit);
  BOOST_TEST(message == "");
}
#endif
