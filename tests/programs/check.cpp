#include "check.hpp"

#include <fmt/format.h>

#include <thread>

namespace programs {

namespace {

// Two threads run it at once, on the same constants.
void run_twice_at_once(const Program& p, const Trace& expected) {
  std::string wrong[2];
  std::vector<std::thread> threads;
  for (int k = 0; k < 2; ++k)
    threads.emplace_back([&, k] {
      try {
        run(p, {.threads = 1, .actions = p.seed + static_cast<std::uint64_t>(k) + 7, .expected = &expected});
      } catch (const std::exception& e) {
        wrong[k] = e.what();
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& w : wrong)
    if (!w.empty()) throw Mismatch("beside another thread: " + w);
}

}  // namespace

std::string check(const Program& p, Tally& tally) {
  const char* manner = "eager";
  try {
    const Trace eager = run(p, {.eager = true});
    const std::uint64_t s = p.seed | 1;
    manner = "one thread";
    run(p, {.threads = 1, .actions = 2 * s, .expected = &eager});
    manner = "two threads";
    run(p, {.threads = 2, .actions = 2 * s + 1, .expected = &eager});
    manner = "two threads, nothing read on the way";
    run(p, {.threads = 2, .expected = &eager});
    if (p.seed % 8 == 0) {
      manner = "eager, three threads";
      run(p, {.eager = true, .threads = 3, .expected = &eager});
    }
    if (p.seed % 16 == 1) run_twice_at_once(p, eager);
    ++tally.programs;
    for (const int k : p.outputs) {
      const Tensor& x = eager.slots[static_cast<std::size_t>(k)];
      if (!is_float(x.dtype()) || x.numel() == 0) continue;
      ++tally.compared;
      tally.finite += all(abs(x) < 1e300).item() != 0;
    }
    manner = "derivatives";
    if (!p.smooth || p.loss < 0) return {};
    ++tally.smooth;
    const Verdict first = check_gradient(p, eager);
    if (!first.wrong.empty()) return first.wrong;
    tally.decided += first.decided;
    manner = "batched";
    if (const std::string wrong = check_batched(p, tally); !wrong.empty()) return "batched: " + wrong;
    manner = "second derivatives";
    if (p.seed % 2 == 0 || p.has(Step::Role::assign) || p.has(Step::Role::backward)) return {};
    ++tally.second;
    const Verdict second = check_second(p, eager);
    tally.second_decided += second.decided;
    return second.wrong;
  } catch (const std::exception& e) {
    return fmt::format("{}: {}", manner, e.what());
  }
}

}  // namespace programs
