// The n-th request of memory fails, for every n: each time an Error, everything as before, and the next try succeeds.
#include <fmt/format.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "failing_memory/trial.hpp"
#include "memory_hooks.hpp"
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/threads.hpp>

using namespace failing_memory;

namespace {

std::string bytes_of(const Tensors& list) {
  std::string bytes;
  for (const Tensor& t : list) {
    const Tensor c = contiguous(t);
    bytes.append(static_cast<const char*>(readable(c)), static_cast<std::size_t>(c.numel() * item_size(c.dtype())));
  }
  return bytes;
}

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (auto* of : {optimizer_kinds, op_kinds, derivative_kinds, model_kinds, data_kinds})
    for (Kind& kind : of()) all.push_back(std::move(kind));
  return all;
}

// oneDNN's OpenMP ends the process where it finds no memory for what a thread's first product needs.
bool takes_openmp(const Kind& kind) { return std::string(kind.name).find("large products") != std::string::npos; }

// act(), where the n-th request fails. Gives what the Error says; "" where there was none.
std::string attempt(Trial& trial, long n, bool on, bool& failed) {
  std::string what;
  {
    const memory_hooks::Nth nth(n, on);
    try {
      trial.act();
    } catch (const Error& e) {
      memory_hooks::left = -1;
      what = e.what();
    } catch (const std::exception& e) {
      memory_hooks::left = -1;
      what = fmt::format("another exception: {}", e.what());
    }
  }
  failed = memory_hooks::failed;
  return what;
}

void fails_well(const Kind& kind, bool on, bool on_new_threads) {
  const std::string context =
      fmt::format("{}{}{}", kind.name, on ? ", and all after it" : "", on_new_threads ? ", on new threads" : "");
  {
    const std::unique_ptr<Trial> other = kind.make();
    other->act();
  }
  const std::uint64_t held = counters().bytes;
  std::unique_ptr<Trial> trial = kind.make(), other = kind.make();
  other->act();
  const std::string want = bytes_of(other->look());
  const auto record = [] {
    const Counters c = counters();
    return std::array<std::uint64_t, 2>{c.taped, c.pending};
  };
  std::string before = bytes_of(trial->look());
  bool failed = true;
  long n = 0, without = 0;
  for (; failed && n < 20'000; ++n) {
    const std::string at = fmt::format("{}, request {}", context, n);
    std::string what;
    const auto state = record();
    const auto act = [&] { what = attempt(*trial, n, on, failed); };
    if (on_new_threads) std::thread(act).join();
    else act();
    const std::string after = bytes_of(trial->look());
    BOOST_TEST_REQUIRE(!what.starts_with("another"), at << ": " << what);
    BOOST_TEST_REQUIRE((failed || what.empty()), at << ": " << what);
    BOOST_TEST_REQUIRE((after == (what.empty() ? want : before)), at << ": other numbers; " << what);
    if (!on_new_threads && !what.empty()) BOOST_TEST_REQUIRE((record() == state), at << ": a record is left: " << what);
    if (failed && what.empty()) {  // it could do without
      ++without;
      trial = kind.make();
      before = bytes_of(trial->look());
    }
  }
  trial.reset(), other.reset();
  if (!on_new_threads)
    BOOST_TEST(counters().bytes == held, context << ": " << counters().bytes << " bytes, not " << held);
  BOOST_TEST_MESSAGE(context << ": " << n - 1 << " requests, " << without << " could be done without");
}

}  // namespace

BOOST_AUTO_TEST_CASE(one_request_fails) {
  for (const Kind& kind : kinds()) fails_well(kind, false, false);
}
BOOST_AUTO_TEST_CASE(all_requests_fail_from_one_on) {
  for (const Kind& kind : kinds()) fails_well(kind, true, false);
}
BOOST_AUTO_TEST_CASE(one_request_of_a_new_thread_fails) {
  for (const Kind& kind : kinds())
    if (!takes_openmp(kind)) fails_well(kind, false, true);
}
BOOST_AUTO_TEST_CASE(all_requests_of_a_new_thread_fail) {
  for (const Kind& kind : kinds())
    if (!takes_openmp(kind)) fails_well(kind, true, true);
}

// A thread's first act with the library, whatever it is: an Error, or no harm; and the thread may try again.
BOOST_AUTO_TEST_CASE(a_thread_that_starts_without_memory) {
  Parameter w = parameter(randn({300}));
  const std::function<void(Tensors&)> firsts[] = {
      [](Tensors&) { rand({3}); },
      [](Tensors&) { const NoGrad no_grad; },
      [](Tensors&) { const Eager eager; },
      [](Tensors&) { const Located at(Source::here()); },
      [](Tensors&) { manual_seed(3); },
      [](Tensors&) { counters(); },
      [](Tensors&) { release_memory(); },
      [&](Tensors&) { evaluate(w * 2); },
      [&](Tensors&) { sum(w * w).backward({.keep_graph = true}); },
      [](Tensors& held) { held = Tensors(); },  // lets go of what others made: that cannot fail
      [](Tensors& held) { const Tensors copies = held; },
  };
  // Threads that are alive hold all states, so that each new one needs its own.
  for (std::size_t k = 0; k < std::size(firsts); ++k)
    for (const bool on : {false, true})
      for (long n = 0;; ++n) {
        Tensors held;
        for (int i = 0; i < 40; ++i) held.push_back(i % 2 ? evaluate(randn({100})) : w * 2.0f);
        bool failed = false, right = true;
        std::string what;
        std::thread([&] {
          {
            const memory_hooks::Nth nth(n, on);
            try {
              firsts[k](held);
            } catch (const Error& e) {
              memory_hooks::left = -1;
              what = e.what();
            } catch (const std::exception&) {
              right = false;
            }
            failed = memory_hooks::failed;
          }
          try {
            right &= sum(ones({3}) * 2).item() == 6;
          } catch (...) {
            right = false;
          }
        }).join();
        BOOST_TEST_REQUIRE(right, "first act " << k << ", request " << n << ": " << what);
        if (!failed) break;
      }
  BOOST_TEST((w + 1.0f).numel() == 300);
}

#if !MEMORY_HOOKS_SANITIZED
// Where nothing can be had at all, an op does not hang and does not crash.
BOOST_AUTO_TEST_CASE(letting_go_takes_no_memory) {
  std::vector<Tensor> held;
  for (int i = 0; i < 3000; ++i) held.push_back(evaluate(full({2}, i)));
  Parameter w = parameter(1.0);
  Tensor chain = w * 1.0;
  for (int i = 0; i < 20'000; ++i) chain = chain * w;
  long taken = -1;
  std::thread([&] {
    const memory_hooks::Nth nth(0, true);
    held.clear();
    taken = memory_hooks::failed;
  }).join();
  {
    const memory_hooks::Nth nth(0, true);
    chain = Tensor();
    rand({2});
    BOOST_TEST(!memory_hooks::failed);
  }
  BOOST_TEST(counters().taped <= 1u);
}
#endif
