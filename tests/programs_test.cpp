// Random programs: fused equals eager bit for bit, on one thread and on two, wherever values are read; and gradients
// equal differences. XGRAD_PROGRAMS: how many; XGRAD_PROGRAM: the first one's seed. So a failure is seen again by
//   XGRAD_PROGRAM=123 XGRAD_PROGRAMS=1 programs_test
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>

#include "autodiff/kernels/simd.hpp"
#include "programs/check.hpp"
#include "programs/generator.hpp"

using namespace programs;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

Tally tally;

void count_ops(const Program& p) {
  for (const Step& s : p.steps) {
    std::string op = s.text.substr(0, s.text.find_first_of("( "));
    if (op[0] == '%') op = s.text.find('[') != s.text.npos ? "x[i]" : "formula";
    if (s.role == Step::Role::assign) op = "assign";
    if (s.role == Step::Role::backward) op = "backward";
    if (s.role == Step::Role::copy) op = "copy";
    if (s.role == Step::Role::move) op = "move";
    if (s.text.find("on another thread") != s.text.npos || s.text.find("of another thread") != s.text.npos)
      op = "thread";
    ++tally.ops[op];
  }
}

// What 2,000 programs must have met: the whole table, and what is made of it.
// clang-format off
const std::vector<const char*> all_ops{
#define UNARY(op, ...) #op,
#define BINARY(op, ...) #op,
#define TERNARY(op, ...) #op,
#define COMPARE(op, ...) #op,
#include "autodiff/elementwise.def"
    "where",     "logical_and",  "logical_or",  "logical_not", "cast",        "clamp",    "sum",      "mean",
    "amax",      "amin",         "norm",        "all",         "any",         "argmax",   "argmin",   "var",
    "logsumexp", "softmax",      "log_softmax", "cumsum",      "reshape",     "flatten",  "squeeze",  "unsqueeze",
    "transpose", "permute",      "flip",        "expand",      "slice",       "x[i]",     "concat",   "stack",
    "pad",       "index_select", "gather",      "index_add",   "scatter_add", "one_hot",  "matmul",   "linear",
    "dot",       "outer",     "full",         "rand",        "randn",       "randint",     "randperm", "arange",   "linspace",
    "cholesky",  "inv",      "solve",     "solve_triangular", "logdet", "slogdet", "det", "trace", "diagonal", "tril", "triu", "eigh",
    "argsort",   "sort",     "topk",      "conv1d",     "conv2d",  "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "cumprod",
    "prod",      "stddev",      "standardize", "divide_by_rms",
    "eye",       "detach",       "watch",       "twice",       "grad",        "assign",   "backward", "parameter",
    "value_and_grad", "vjp", "jvp", "hvp", "jacobian", "hessian", "x_sin_y", "own_tanh", "checkpoint", "Eager:", "NoGrad:",
    "fails:", "optimize", "Linear", "Sequential", "copy", "move", "thread"};
// clang-format on

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
  const std::vector<Named> few{{"add"}, {"sub"}, {"mul"}, {"tanh"}},
      more{{"logit"}, {"add"}, {"sub"}, {"mul"}, {"tanh"}};
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
      const std::string wrong = check(p, tally);
      if (!wrong.empty()) {
        ++failures;
        std::vector<Tensor> values;
        try {
          values = run(p, {.eager = true}).slots;
        } catch (const std::exception&) {
        }
        const auto again = [](const Program& q) { return check(q, tally); };
        const Program shorter = shortened(p, again, values);
        BOOST_ERROR(fmt::format("XGRAD_PROGRAM={}: {}\n{}shortened: {}\n{}", seed, wrong, to_string(p), again(shorter),
                                to_string(shorter)));
        continue;
      }
    }
    if (counters().bytes != before.bytes)
      BOOST_ERROR(fmt::format("XGRAD_PROGRAM={}: {} bytes were left behind", seed, counters().bytes - before.bytes));
  }
  set_threads(cores);
  BOOST_TEST_MESSAGE(fmt::format(
      "{} programs; {} of {} outputs finite; {} smooth, {} decided; {} second order, {} decided; {} batched, {} that read numbers",
      tally.programs, tally.finite, tally.compared, tally.smooth, tally.decided, tally.second, tally.second_decided,
      tally.batched, tally.read));
  for (const auto& [op, n] : tally.ops) BOOST_TEST_MESSAGE(fmt::format("  {:5} {}", n, op));
  if (failures || count < 1000) return;
  for (const char* op : all_ops) BOOST_TEST(tally.ops[op] >= 20, op << " was met " << tally.ops[op] << " times");
  BOOST_TEST(tally.finite >= 0.8 * tally.compared);
  BOOST_TEST(tally.smooth >= 0.2 * tally.programs);
  BOOST_TEST(tally.decided >= 0.9 * tally.smooth);
  BOOST_TEST(tally.second_decided >= 0.9 * tally.second);
  BOOST_TEST(tally.batched >= 0.1 * tally.programs);
}
