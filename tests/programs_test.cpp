// Random programs: fused equals eager bit for bit, on one thread and on two, wherever values are read; and gradients
// equal differences. XGRAD_PROGRAMS: how many; XGRAD_PROGRAM: the first one's seed. So a failure is seen again by
//   XGRAD_PROGRAM=123 XGRAD_PROGRAMS=1 programs_test
#define BOOST_TEST_MODULE programs
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <thread>

#include "autodiff/kernels/simd.hpp"
#include "programs/derivatives.hpp"
#include "programs/generator.hpp"

using namespace programs;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Tally {
  int programs = 0, smooth = 0, decided = 0, second = 0, second_decided = 0, finite = 0, compared = 0;
  std::map<std::string, int> ops;
} tally;

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

// What is wrong with it; empty: nothing. Changes nothing but `tally`.
std::string check(const Program& p) {
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
    if (p.seed % 2 == 0 || p.has(Step::Role::assign) || p.has(Step::Role::backward)) return {};
    ++tally.second;
    const Verdict second = check_second(p, eager);
    tally.second_decided += second.decided;
    return second.wrong;
  } catch (const std::exception& e) {
    return fmt::format("{}: {}", manner, e.what());
  }
}

void count_ops(const Program& p) {
  for (const Step& s : p.steps) {
    std::string op = s.text.substr(0, s.text.find_first_of("( "));
    if (op[0] == '%') op = s.text.find('[') != s.text.npos ? "x[i]" : "formula";
    if (s.role == Step::Role::assign) op = "assign";
    if (s.role == Step::Role::backward) op = "backward";
    if (s.role == Step::Role::copy) op = "copy";
    if (s.role == Step::Role::move) op = "move";
    if (s.text.find("on another thread") != s.text.npos || s.text.find("of another thread") != s.text.npos) op = "thread";
    ++tally.ops[op];
  }
}

// What 2,000 programs must have met: the whole table, and what is made of it.
const std::vector<const char*> all_ops{
#define UNARY(op, ...) #op,
#define BINARY(op, ...) #op,
#define COMPARE(op, ...) #op,
#include "autodiff/elementwise.def"
    "where",     "logical_and",  "logical_or",  "logical_not", "cast",        "clamp",    "sum",      "mean",
    "amax",      "amin",         "norm",        "all",         "any",         "argmax",   "argmin",   "var",
    "logsumexp", "softmax",      "log_softmax", "cumsum",      "reshape",     "flatten",  "squeeze",  "unsqueeze",
    "transpose", "permute",      "flip",        "expand",      "slice",       "x[i]",     "concat",   "stack",
    "pad",       "index_select", "gather",      "index_add",   "scatter_add", "one_hot",  "matmul",   "linear",
    "dot",       "outer",     "full",         "rand",        "randn",       "randint",     "randperm", "arange",   "linspace",
    "eye",       "detach",       "watch",       "twice",       "grad",        "assign",   "backward", "parameter",
    "value_and_grad", "vjp", "jvp", "hvp", "jacobian", "hessian", "x_sin_y", "own_tanh", "checkpoint", "Eager:", "NoGrad:",
    "fails:", "optimize", "Linear", "Sequential", "copy", "move", "thread"};

// CTest's word for a test that this machine cannot run.
struct SkipsWhatTheMachineLacks {
  SkipsWhatTheMachineLacks() {
    const char* wanted = std::getenv("XGRAD_SIMD");
    if (!wanted || kernels::simd(wanted)) return;
    fmt::print("skipped: this machine has no {}\n", wanted);
    std::exit(77);
  }
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(SkipsWhatTheMachineLacks);

// Another op changes no choice but those that it wins.
BOOST_AUTO_TEST_CASE(another_name_rerolls_no_other_choice) {
  struct Named {
    const char* name;
  };
  const std::vector<Named> few{{"add"}, {"sub"}, {"mul"}, {"tanh"}}, more{{"logit"}, {"add"}, {"sub"}, {"mul"}, {"tanh"}};
  Dice a(1), b(1);
  int won = 0;
  std::map<std::string, int> met;
  for (int i = 0; i < 10000; ++i) {
    const std::string before = a.by_name(few).name, after = b.by_name(more).name;
    BOOST_REQUIRE((after == before || after == "logit"));
    won += after == "logit";
    ++met[before];
  }
  BOOST_TEST(std::abs(won - 2000) < 200);
  for (const auto& [name, n] : met) BOOST_TEST(std::abs(n - 2500) < 250, name << " " << n);
}

BOOST_AUTO_TEST_CASE(random_programs) {
  const std::uint64_t first = from_environment("XGRAD_PROGRAM", 1), count = from_environment("XGRAD_PROGRAMS", 2000);
  const int cores = threads();
  int failures = 0;
  for (std::uint64_t seed = first; seed < first + count && failures < 5; ++seed) {
    const Counters before = counters();
    {
      const Program p = random_program(seed);
      count_ops(p);
      if (count == 1) BOOST_TEST_MESSAGE(to_string(p));
      const std::string wrong = check(p);
      if (!wrong.empty()) {
        ++failures;
        std::vector<Tensor> values;
        try {
          values = run(p, {.eager = true}).slots;
        } catch (const std::exception&) {
        }
        const Program shorter = shortened(p, check, values);
        BOOST_ERROR(fmt::format("XGRAD_PROGRAM={}: {}\n{}shortened: {}\n{}", seed, wrong, to_string(p), check(shorter),
                                to_string(shorter)));
        continue;
      }
    }
    if (counters().bytes != before.bytes)
      BOOST_ERROR(fmt::format("XGRAD_PROGRAM={}: {} bytes were left behind", seed, counters().bytes - before.bytes));
  }
  set_threads(cores);
  BOOST_TEST_MESSAGE(fmt::format(
      "{} programs; {} of {} outputs finite; {} smooth, {} decided; {} second order, {} decided", tally.programs,
      tally.finite, tally.compared, tally.smooth, tally.decided, tally.second, tally.second_decided));
  for (const auto& [op, n] : tally.ops) BOOST_TEST_MESSAGE(fmt::format("  {:5} {}", n, op));
  if (failures || count < 1000) return;
  for (const char* op : all_ops) BOOST_TEST(tally.ops[op] >= 20, op << " was met " << tally.ops[op] << " times");
  BOOST_TEST(tally.finite >= 0.8 * tally.compared);
  BOOST_TEST(tally.smooth >= 0.2 * tally.programs);
  BOOST_TEST(tally.decided >= 0.9 * tally.smooth);
  BOOST_TEST(tally.second_decided >= 0.9 * tally.second);
}
