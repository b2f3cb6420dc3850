// Every elementwise kernel, of every instruction set that the machine has: comparisons, two ops in one pass, parts of
// vectors, single values, and results that are written over an operand. accuracy_test has the values.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernel_cases.hpp"

using namespace kernel_cases;

namespace {

bool compared(Elementwise op, auto x, auto y) {
  switch (op) {
// clang-format off
#define COMPARE(op, lane) case Elementwise::op: return lane;
// clang-format on
#include "autodiff/elementwise.def"
    default: throw std::logic_error("not a comparison");
  }
}

template <class T>
void check_comparisons(const std::vector<T>& values) {
  std::vector<T> x, y;
  for (const T a : values)
    for (const T b : values) x.push_back(a), y.push_back(b);
  for (const kernels::Simd* simd : instruction_sets())
    for (const auto& [op_name, op] : compare_ops) {
      std::vector<std::uint8_t> got(x.size(), 7);
      simd->table.elementwise[static_cast<int>(op)][static_cast<int>(dtype<T>)][0](
          got.data(), x.data(), y.data(), nullptr, static_cast<Size>(x.size()));
      std::size_t off = 0;
      for (std::size_t i = 0; i < x.size(); ++i) off += got[i] != compared(op, x[i], y[i]);
      BOOST_TEST(off == 0u, op_name << ", " << name(dtype<T>) << ", " << simd->table.name);
    }
}

// i64 wraps around, and divides downwards. Ops that are not here have no kernel of i64.
using Word = std::uint64_t;
const std::map<std::string, Size (*)(Size, Size)> of_integers{
    {"neg", [](Size x, Size) { return static_cast<Size>(-static_cast<Word>(x)); }},
    {"abs", [](Size x, Size) { return x < 0 ? static_cast<Size>(-static_cast<Word>(x)) : x; }},
    {"sign", [](Size x, Size) { return Size{x > 0} - Size{x < 0}; }},
    {"square", [](Size x, Size) { return static_cast<Size>(static_cast<Word>(x) * static_cast<Word>(x)); }},
    {"add", [](Size x, Size y) { return static_cast<Size>(static_cast<Word>(x) + static_cast<Word>(y)); }},
    {"sub", [](Size x, Size y) { return static_cast<Size>(static_cast<Word>(x) - static_cast<Word>(y)); }},
    {"mul", [](Size x, Size y) { return static_cast<Size>(static_cast<Word>(x) * static_cast<Word>(y)); }},
    {"floor_divide",
     [](Size x, Size y) {
       if (y == -1) return static_cast<Size>(-static_cast<Word>(x));
       return static_cast<Size>(std::floor(static_cast<long double>(x) / y));  // 64 bits: whole
     }},
    {"remainder", [](Size x, Size y) { return y == -1 || x % y == 0 ? 0
                                              : (x < 0) == (y < 0)  ? x % y
                                                                    : x % y + y; }},
    {"maximum", [](Size x, Size y) { return std::max(x, y); }},
    {"minimum", [](Size x, Size y) { return std::min(x, y); }},
    {"at_least", [](Size x, Size y) { return std::max(x, y); }},
    {"at_most", [](Size x, Size y) { return std::min(x, y); }},
};
constexpr Size most = std::numeric_limits<Size>::max(), least = std::numeric_limits<Size>::min();
const std::vector<Size> integers{least,         least + 1,     -(Size{1} << 32), -7,       -2,  -1, 1, 2, 3, 10,
                                 Size{1} << 31, Size{1} << 32, Size{3037000500}, most - 1, most};

void check_integers(const Op& op, const kernels::Simd& simd) {
  const auto known = of_integers.find(op.name);
  const bool there = simd.table.elementwise[static_cast<int>(op.op)][static_cast<int>(DType::i64)][0] != nullptr;
  BOOST_TEST(there == (known != of_integers.end()), op.name << ", " << simd.table.name);
  if (!there || known == of_integers.end()) return;
  std::vector<Size> x, y;
  for (const Size a : integers)
    for (const Size b : integers) x.push_back(a), y.push_back(b);
  const std::vector<Size> got = apply(simd, op.op, x, y);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (got[i] != known->second(x[i], y[i]))
      BOOST_ERROR(op.name << ", " << simd.table.name << ": of " << x[i] << " and " << y[i] << ": " << got[i]);
}

// where, for each dtype and for operands that are one value; and the logical ops.
template <class T>
void check_where(const std::vector<T>& values) {
  const auto n = static_cast<Size>(values.size());
  std::vector<std::uint8_t> flags;
  for (Size i = 0; i < n; ++i) flags.push_back(i % 3 != 0);
  const std::vector<T> reversed(values.rbegin(), values.rend());
  for (const kernels::Simd* simd : instruction_sets())
    for (int mask = 0; mask < kernels::mask_count; ++mask) {
      std::vector<T> got(values.size());
      simd->table.elementwise[static_cast<int>(Elementwise::where)][static_cast<int>(dtype<T>)][mask](
          got.data(), flags.data(), values.data(), reversed.data(), n);
      std::size_t off = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const T expected = flags[mask & 1 ? 0 : i] ? values[mask & 2 ? 0 : i] : reversed[mask & 4 ? 0 : i];
        off += std::memcmp(&got[i], &expected, sizeof(T)) != 0;
      }
      BOOST_TEST(off == 0u, "where, " << name(dtype<T>) << ", " << simd->table.name << ", mask " << mask);
    }
}

void check_logic() {
  using Byte = std::uint8_t;
  const std::vector<Byte> x{0, 0, 1, 1}, y{0, 1, 0, 1};
  const std::pair<Elementwise, std::vector<Byte>> rows[] = {{Elementwise::logical_and, {0, 0, 0, 1}},
                                                            {Elementwise::logical_or, {0, 1, 1, 1}},
                                                            {Elementwise::logical_not, {1, 1, 0, 0}}};
  for (const kernels::Simd* simd : instruction_sets())
    for (const auto& [op, expected] : rows) {
      std::vector<Byte> got(4);
      simd->table.elementwise[static_cast<int>(op)][static_cast<int>(DType::boolean)][0](got.data(), x.data(), y.data(),
                                                                                         nullptr, 4);
      BOOST_TEST(got == expected, boost::test_tools::per_element());
    }
}

// The steps of chains: the bits of the ops done one by one, whatever the number of elements, and nothing past them.
template <class T>
void check_chains() {
  using kernels::Act, kernels::From, kernels::Spot;
  const std::vector<T> edges = special<T>();
  std::mt19937_64 random(5);
  const auto drawn_many = [&] {
    std::vector<T> many;
    for (std::size_t i = 0; i < 1100; ++i)
      many.push_back(random() % 4 ? drawn<T>(random) : edges[random() % edges.size()]);
    return many;
  };
  const std::vector<T> a = drawn_many(), b = drawn_many(), c = drawn_many();
  const auto memory = [](const std::vector<T>& v) {
    return Spot{From::memory, reinterpret_cast<std::intptr_t>(v.data())};
  };
  for (const kernels::Simd* simd : instruction_sets()) {
    const auto op = [&](Elementwise op, const std::vector<T>& x, const std::vector<T>& y) {
      return apply(*simd, op, x, y);
    };
    const auto check = [&](Act act, bool product, bool number, const std::vector<T>& expected) {
      for (const Size n : {1, 3, 8, 17, 32, 100, 256, 300, 511, 512}) {
        std::vector<T> got(a.size(), T(77));
        Spot last = memory(product ? c : b);
        if (number) last.from = From::number;
        const kernels::ChainStep steps[] = {
            {act, memory(a), product ? memory(b) : last, product ? last : Spot{}, memory(got)},
            {Act::end, {}, {}, {}, {}}};
        constexpr Size start = 512;
        simd->table.chain[sizeof(T) == 8](steps, nullptr, start, n);
        std::size_t off = 0;
        for (std::size_t i = 0; i < got.size(); ++i) {
          const bool inside = i >= start && i < static_cast<std::size_t>(start + n);
          const T y = inside ? expected[i] : T(77);
          off += std::isnan(y) ? !std::isnan(got[i]) : std::memcmp(&y, &got[i], sizeof y) != 0;
        }
        BOOST_TEST(off == 0u, "act " << static_cast<int>(act) << ", number " << number << ", " << n << " elements, "
                                     << simd->table.name);
      }
    };
    const std::vector<T> b0(b.size(), b[0]), c0(c.size(), c[0]);
    const std::vector<T> bc = op(Elementwise::mul, b, c), bc0 = op(Elementwise::mul, b, c0);
#define ONE(name) check(Act::name, false, false, op(Elementwise::name, a, a));
#define COMMUTES(name)                                         \
  check(Act::name, false, false, op(Elementwise::name, a, b)); \
  check(Act::name, false, true, op(Elementwise::name, a, b0));
#define ORDERED(name)                                                     \
  COMMUTES(name)                                                          \
  check(Act::name##_reversed, false, false, op(Elementwise::name, b, a)); \
  check(Act::name##_reversed, false, true, op(Elementwise::name, b0, a));
#define PRODUCT(name)                                                             \
  check(Act::name##_product, true, false, op(Elementwise::name, a, bc));          \
  check(Act::name##_product, true, true, op(Elementwise::name, a, bc0));          \
  check(Act::name##_product_reversed, true, false, op(Elementwise::name, bc, a)); \
  check(Act::name##_product_reversed, true, true, op(Elementwise::name, bc0, a));
#include "autodiff/kernels/chain.def"
    // A sum beside it is the one that the reduction's own kernel gives (up to 8 numbers, one by one).
    for (const Size n : {1, 2, 8, 9, 31, 32, 33, 100, 256, 300, 511, 512}) {
      alignas(64) char scratch[128];
      T got = 0, expected = 0;
      const kernels::ChainStep steps[] = {
          {Act::sum, memory(b), {From::none, reinterpret_cast<std::intptr_t>(&got)}, {From::scratch, 0}, {}},
          {Act::end, {}, {}, {}, {}}};
      simd->table.chain[sizeof(T) == 8](steps, scratch, 0, n);
      if (n > 8) {
        simd->table.fold[0][static_cast<int>(dtype<T>)](&expected, b.data(), n);
      } else {
        expected = b[0];
        for (Size i = 1; i < n; ++i) expected += b[static_cast<std::size_t>(i)];
      }
      BOOST_TEST((std::isnan(expected) ? std::isnan(got) : std::memcmp(&got, &expected, sizeof got) == 0),
                 "sum of " << n << ", " << simd->table.name << ": " << got << ", not " << expected);
    }
  }
}

// Of one value for all, of the first n, and in place: the same bits, and nothing past n is written.
template <class T>
void check_forms() {
  constexpr std::size_t most = 75, guard = 40;
  std::mt19937_64 random(6);
  std::vector<T> x, y, z;
  for (std::size_t i = 0; i < most; ++i)
    x.push_back(drawn<T>(random)), y.push_back(drawn<T>(random)), z.push_back(drawn<T>(random));
  const std::vector<T> same_x(most, x[3]), same_y(most, y[5]), same_z(most, z[6]);
  const auto differ = [](const T* a, const T* b, std::size_t n) { return std::memcmp(a, b, n * sizeof(T)) != 0; };
  for (const kernels::Simd* simd : instruction_sets()) {
    const auto check = [&](const char* op_name, Elementwise op, int operands) {
      const kernels::Kernel* kernel = simd->table.elementwise[static_cast<int>(op)][static_cast<int>(dtype<T>)];
      for (int mask = 0; mask < (1 << operands); ++mask) {
        const std::vector<T>&wide_x = mask & 1 ? same_x : x, &wide_y = mask & 2 ? same_y : y,
              &wide_z = mask & 4 ? same_z : z;
        const T *a = mask & 1 ? &x[3] : x.data(), *b = mask & 2 ? &y[5] : y.data(), *c = mask & 4 ? &z[6] : z.data();
        const std::vector<T> whole = apply(*simd, op, wide_x, wide_y, wide_z);
        int off = 0;
        for (std::size_t n = 0; n <= most; ++n) {
          std::vector<T> out(n + guard, T(77));
          kernel[mask](out.data(), a, b, c, static_cast<Size>(n));
          off += differ(out.data(), whole.data(), n);
          for (std::size_t i = n; i < out.size(); ++i) off += out[i] != T(77);
        }
        std::vector<T> in_place = mask & 1 ? y : x;  // where there is an operand of n elements
        if (mask == 0) kernel[mask](in_place.data(), in_place.data(), b, c, static_cast<Size>(most));
        if (mask == 1 && operands > 1) kernel[mask](in_place.data(), a, in_place.data(), c, static_cast<Size>(most));
        if (mask == 0 || (mask == 1 && operands > 1)) off += differ(in_place.data(), whole.data(), most);
        BOOST_TEST(off == 0, op_name << ", " << name(dtype<T>) << ", " << simd->table.name << ", mask " << mask);
      }
    };
    for (const auto& [op_name, op] : unary_ops) check(op_name, op, 1);
    for (const auto& [op_name, op] : binary_ops) check(op_name, op, 2);
    for (const auto& [op_name, op] : ternary_ops) check(op_name, op, 3);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(comparisons) {
  check_comparisons(special<float>());
  check_comparisons(special<double>());
  check_comparisons(integers);
  check_comparisons<std::uint8_t>({0, 1});
}

BOOST_AUTO_TEST_CASE(integers_and_booleans) {
  for (const kernels::Simd* simd : instruction_sets()) {
    for (const Op& op : unary_ops) check_integers(op, *simd);
    for (const Op& op : binary_ops) check_integers(op, *simd);
  }
  check_where(special<float>());
  check_where(special<double>());
  check_where(integers);
  check_where<std::uint8_t>({0, 1, 1, 0, 1, 0, 0});
  check_logic();
}

BOOST_AUTO_TEST_CASE(a_chain_has_the_bits_of_its_ops) {
  check_chains<float>();
  check_chains<double>();
}

BOOST_AUTO_TEST_CASE(parts_of_vectors_and_single_values) {
  check_forms<float>();
  check_forms<double>();
}
