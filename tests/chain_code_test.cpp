// Chains as machine code have the bits of the interpreter: random steps, on operands that are the same or not, that are read again
// after they were written, that are more than registers; and sums beside them.
#include <boost/test/unit_test.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "autodiff/engine/chain_code.hpp"
#include "autodiff/engine/pages.hpp"

using namespace xgrad;
using kernels::Act;
using kernels::ChainStep;
using kernels::From;
using kernels::Spot;

namespace {

constexpr Size elements = 2 * kernels::chunk, item_most = 8;
constexpr Size block_bytes = kernels::chunk * item_most + 128;  // as of a region's scratch: room for sums at its end

// What steps work on: operands, numbers, scratch memory, and what sums come to.
template <class T>
struct World {
  std::vector<std::vector<T>> operands;
  std::vector<T> numbers;
  std::vector<char> memory;  // scratch, 64 bytes aligned
  std::vector<std::vector<T>> sums;

  char* scratch() {
    const auto at = reinterpret_cast<std::uintptr_t>(memory.data());
    return memory.data() + (64 - at % 64) % 64;
  }
};

// A step without its addresses, so that two worlds can have the same.
struct Plan {
  struct Where {
    From from = From::none;
    std::size_t which = 0;
  };
  Act act;
  Where first, x, y, out;
};

enum class Takes { nothing, one, product };  // beside the running value
Takes takes(Act act) {
  switch (act) {
// clang-format off
#define COMMUTES(op) case Act::op: return Takes::one;
#define ORDERED(op) COMMUTES(op) COMMUTES(op##_reversed)
#define PRODUCT(op) case Act::op##_product: case Act::op##_product_reversed: return Takes::product;
    // clang-format on
#include "autodiff/kernels/chain.def"
    default: return Takes::nothing;
  }
}

template <class T>
class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}

  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  World<T> world() {
    const T odd[] = {T(0), -T(0), T(1), T(INFINITY), -T(INFINITY), T(NAN), T(1e-30), T(-3e30)};
    const auto number = [&] {
      return below(20) == 0 ? odd[below(8)] : static_cast<T>(std::normal_distribution<double>()(random_));
    };
    World<T> w;
    w.operands.resize(static_cast<std::size_t>(1 + below(below(2) ? 4 : 24)));
    for (auto& x : w.operands)
      for (Size i = 0; i < elements; ++i) x.push_back(number());
    w.numbers.resize(static_cast<std::size_t>(1 + below(below(2) ? 3 : 40)));
    for (T& x : w.numbers) x = number();
    blocks = 1 + below(below(2) ? 3 : 12);
    w.memory.resize(static_cast<std::size_t>(blocks * block_bytes + 64));
    for (Size i = 0; i < blocks; ++i)
      for (Size k = 0; k < kernels::chunk; ++k) {
        const T x = number();
        std::memcpy(w.scratch() + i * block_bytes + k * static_cast<Size>(sizeof(T)), &x, sizeof x);
      }
    return w;
  }

  std::vector<Plan> plan(World<T>& w) {
    static const std::vector<Act> acts = [] {
      std::vector<Act> all;
      for (int a = 0; a < static_cast<int>(Act::end); ++a) all.push_back(static_cast<Act>(a));
      return all;
    }();
    const auto element = [&]() -> Plan::Where {
      if (below(3) == 0) return {From::scratch, static_cast<std::size_t>(below(static_cast<int>(blocks)))};
      return {From::memory, static_cast<std::size_t>(below(static_cast<int>(w.operands.size())))};
    };
    const auto value = [&](int one_in) -> Plan::Where {
      if (below(one_in) == 0)
        return {From::number, static_cast<std::size_t>(below(static_cast<int>(w.numbers.size())))};
      return element();
    };
    std::vector<Plan> steps(static_cast<std::size_t>(1 + below(below(3) ? 20 : 120)));
    bool begun = false;
    for (Plan& s : steps) {
      s.act = acts[static_cast<std::size_t>(below(static_cast<int>(acts.size())))];
      if (s.act == Act::sum && w.sums.size() >= static_cast<std::size_t>(blocks)) s.act = Act::none;
      if (!begun || s.act == Act::none || below(6) == 0) s.first = value(6);
      begun = true;
      if (s.act == Act::sum) {
        s.y.which = w.sums.size();
        w.sums.emplace_back(2);
      }
      if (takes(s.act) == Takes::one) s.x = value(3);
      if (takes(s.act) == Takes::product) s.x = element(), s.y = value(3);
      if (s.act == Act::none || below(3) == 0) s.out = element();
    }
    if (steps.back().out.from == From::none) steps.back().out = {From::memory, 0};
    return steps;
  }

  Size blocks = 1;

 private:
  std::mt19937 random_;
};

template <class T>
std::vector<ChainStep> steps_of(const std::vector<Plan>& plan, World<T>& w) {
  const auto spot = [&](const Plan::Where& where) -> Spot {
    switch (where.from) {
      case From::none: return {};
      case From::number: return {where.from, reinterpret_cast<std::intptr_t>(&w.numbers[where.which])};
      case From::memory: return {where.from, reinterpret_cast<std::intptr_t>(w.operands[where.which].data())};
      default: return {where.from, static_cast<std::intptr_t>(where.which) * block_bytes};
    }
  };
  std::vector<ChainStep> steps;
  for (const Plan& s : plan) {
    steps.emplace_back(s.act, spot(s.first), spot(s.x), spot(s.y), spot(s.out));
    if (s.act != Act::sum) continue;
    steps.back().x = reinterpret_cast<std::intptr_t>(w.sums[s.y.which].data());
    steps.back().y = static_cast<std::intptr_t>(s.y.which + 1) * block_bytes - 128;
  }
  steps.emplace_back(Act::end, Spot{}, Spot{}, Spot{}, Spot{});
  return steps;
}

template <class T>
bool same(const T& a, const T& b) {
  return std::isnan(a) ? std::isnan(b) : std::memcmp(&a, &b, sizeof a) == 0;
}

template <class T>
void check(DType dtype, unsigned seed) {
  Random<T> random(seed);
  World<T> a = random.world();
  const std::vector<Plan> plan = random.plan(a);
  World<T> b = a;
  const auto bytes = static_cast<std::size_t>(random.blocks * block_bytes);
  std::memcpy(b.scratch(), a.scratch(), bytes);  // which may begin elsewhere in the copy
  const std::vector<ChainStep> by_interpreter = steps_of(plan, a), by_code = steps_of(plan, b);
  const engine::ReadLater later{static_cast<std::uint64_t>(random.below(1 << 12)), block_bytes};
  const kernels::Chain code = engine::chain_code(by_code.data(), dtype, Size{1} << 40, later);
  BOOST_TEST_REQUIRE((code != nullptr), "seed " << seed);
  const kernels::Table& table = kernels::table();
  for (Size start = 0; start < elements; start += kernels::chunk) {
    table.chain[dtype == DType::f64](by_interpreter.data(), a.scratch(), start, kernels::chunk);
    for (std::size_t k = 0; k < b.sums.size(); ++k)
      std::memset(b.scratch() + static_cast<Size>(k + 1) * block_bytes - 128, 0, engine::kept_sums);
    code(by_code.data(), b.scratch(), start, kernels::chunk);
    for (std::size_t k = 0; k < b.sums.size(); ++k)
      table.fold[static_cast<int>(kernels::Reduction::sum)][static_cast<int>(dtype)](
          &b.sums[k][static_cast<std::size_t>(start / kernels::chunk)],
          b.scratch() + static_cast<Size>(k + 1) * block_bytes - 128, engine::kept_sums / static_cast<Size>(sizeof(T)));
    int wrong = 0;
    for (Size i = 0; i < random.blocks; ++i)  // what is read later
      for (Size k = 0; later(i * block_bytes) && k < kernels::chunk; ++k) {
        T x, y;
        const Size at = i * block_bytes + k * static_cast<Size>(sizeof(T));
        std::memcpy(&x, a.scratch() + at, sizeof x), std::memcpy(&y, b.scratch() + at, sizeof y);
        wrong += !same(x, y);
      }
    BOOST_TEST(wrong == 0, "seed " << seed << ": scratch memory");
    std::memcpy(b.scratch(), a.scratch(),
                static_cast<std::size_t>(random.blocks * block_bytes));  // the next block begins so
  }
  for (std::size_t k = 0; k < a.sums.size(); ++k)
    for (std::size_t i : {0, 1}) BOOST_TEST(same(a.sums[k][i], b.sums[k][i]), "seed " << seed << ": sum " << k);
  for (std::size_t k = 0; k < a.operands.size(); ++k) {
    int wrong = 0;
    for (std::size_t i = 0; i < a.operands[k].size(); ++i) wrong += !same(a.operands[k][i], b.operands[k][i]);
    BOOST_TEST(wrong == 0, "seed " << seed << ": operand " << k << " of " << a.operands.size());
  }
}

// Code is there to the end of the process, and so is what it reads: -|x|, again after main().
struct AtExit {
  kernels::Chain code = nullptr;
  std::vector<float> x = std::vector<float>(64, 2.5f), y = std::vector<float>(64);
  std::vector<ChainStep> steps;

  bool right() {
    code(steps.data(), nullptr, 0, 64);
    return std::all_of(y.begin(), y.end(), [](float e) { return e == -2.5f; });
  }
  ~AtExit() {
    if (code && !right()) std::_Exit(1);
  }
} at_exit;

}  // namespace

BOOST_AUTO_TEST_CASE(code_to_the_end) {
  if (engine::code_when() == engine::CodeWhen::never) return;
  const Spot x{From::memory, reinterpret_cast<std::intptr_t>(at_exit.x.data())};
  const Spot y{From::memory, reinterpret_cast<std::intptr_t>(at_exit.y.data())};
  at_exit.steps = {{Act::abs, x, {}, {}, {}}, {Act::neg, {}, {}, {}, y}, {Act::end, {}, {}, {}, {}}};
  at_exit.code = engine::chain_code(at_exit.steps.data(), DType::f32, Size{1} << 40, {0, block_bytes});
  BOOST_TEST(at_exit.right());
}

BOOST_AUTO_TEST_CASE(machine_code_has_the_bits_of_the_interpreter) {
  if (engine::code_when() == engine::CodeWhen::never) return;
  for (unsigned seed = 1; seed <= 450; ++seed) {  // of a process no more than so many chains are known
    check<float>(DType::f32, seed);
    check<double>(DType::f64, seed);
  }
}
