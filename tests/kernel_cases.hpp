// The elementwise kernels by name, for each instruction set that the machine has, and arguments to try them on.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "autodiff/kernels/simd.hpp"

namespace kernel_cases {

using namespace xgrad;
using kernels::Elementwise;

using Wide = long double;
static_assert(std::numeric_limits<Wide>::digits >= 64);

struct Op {
  const char* name;
  Elementwise op;
};
inline const Op unary_ops[] = {
#define UNARY(op, ...) {#op, Elementwise::op},
#include "autodiff/elementwise.def"
};
inline const Op binary_ops[] = {
#define BINARY(op, ...) {#op, Elementwise::op},
#include "autodiff/elementwise.def"
};
inline const Op ternary_ops[] = {
#define TERNARY(op, ...) {#op, Elementwise::op},
#include "autodiff/elementwise.def"
};
inline const Op compare_ops[] = {
#define COMPARE(op, ...) {#op, Elementwise::op},
#include "autodiff/elementwise.def"
};

inline std::vector<const kernels::Simd*> instruction_sets() {
  std::vector<const kernels::Simd*> list;
#define XGRAD_NAME(arch) #arch,
  for (const char* name : {XGRAD_ARCHES(XGRAD_NAME)}) {
#undef XGRAD_NAME
    if (const kernels::Simd* s = kernels::simd(name)) list.push_back(s);
    else BOOST_TEST_MESSAGE("skipped: this machine has no " << name);
  }
  return list;
}

template <class T>
constexpr DType dtype = dtype_of<T>();
template <>
inline constexpr DType dtype<std::uint8_t> = DType::boolean;

template <class T>
std::vector<T> apply(const kernels::Simd& simd, Elementwise op, const std::vector<T>& x, const std::vector<T>& y,
                     const std::vector<T>& z = {}) {
  std::vector<T> out(x.size());
  simd.table.elementwise[static_cast<int>(op)][static_cast<int>(dtype<T>)][0](out.data(), x.data(), y.data(), z.data(),
                                                                              static_cast<Size>(x.size()));
  return out;
}

// ---- what they are tried on

template <class T>
struct Bits;
template <>
struct Bits<float> {
  using type = std::uint32_t;
};
template <>
struct Bits<double> {
  using type = std::uint64_t;
};

// Zeros, infinities, NaN, and both sides of where something begins or ends.
template <class T>
std::vector<T> special() {
  using L = std::numeric_limits<T>;
  std::vector<T> list{L::quiet_NaN(), L::infinity(), 0};
  const Wide edges[] = {L::denorm_min(),
                        L::min(),
                        L::max(),
                        L::epsilon(),
                        1,
                        2,
                        3,
                        10,
                        0.5L,
                        1.5L,
                        2.5L,
                        0.25L,
                        0.75L,
                        std::log(Wide(L::max())),
                        std::log(Wide(L::min())),
                        std::log(Wide(L::denorm_min())),
                        std::sqrt(Wide(L::max())),
                        std::sqrt(Wide(L::min())),
                        std::exp2(Wide(L::digits - 1)),
                        std::exp2(Wide(L::digits)),
                        std::exp2(63.0L),
                        1000,
                        1e7L,
                        0.41421356237309504880L,
                        0.925L,
                        1.5707963267948966192L,
                        3.1415926535897932385L,
                        0.69314718055994530942L,
                        0.70710678118654752440L,
                        1.4142135623730950488L,
                        9.1L,
                        19.1L,
                        20,
                        40,
                        4,
                        6,
                        91,
                        105,
                        712,
                        746};
  for (const Wide e : edges)
    for (T below = static_cast<T>(e), above = below, i = 0; i < 3; ++i) {
      list.insert(list.end(), {below, above});
      below = std::nextafter(below, T(0)), above = std::nextafter(above, L::infinity());
    }
  for (std::size_t i = 0, n = list.size(); i < n; ++i) list.push_back(-list[i]);
  return list;
}

// Of every size: bits at random, which are subnormal, infinite or NaN as well; of sizes that a model has; whole and
// half numbers; close to 1 and -1; beside multiples of pi / 2.
template <class T>
T drawn(std::mt19937_64& random) {
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  switch (random() % 8) {
    case 0: {
      const auto word = static_cast<typename Bits<T>::type>(random());
      T x;
      std::memcpy(&x, &word, sizeof x);
      return x;
    }
    case 1: return static_cast<T>(uniform(-1, 1));
    case 2: return static_cast<T>(uniform(-10, 10));
    case 3: return static_cast<T>(sizeof(T) == 4 ? uniform(-110, 110) : uniform(-760, 760));
    case 4: return static_cast<T>(std::round(uniform(-60, 60)) / 2);
    case 5:
      return static_cast<T>((random() & 1 ? 1 : -1) * (1 + std::exp2(uniform(-30, -1)) * (random() & 1 ? 1 : -1)));
    case 6: return static_cast<T>(std::round(uniform(-1000, 1000)) * 1.5707963267948966 * (1 + uniform(-1e-7, 1e-7)));
    default: return static_cast<T>((random() & 1 ? 1 : -1) * std::exp2(uniform(-40, 40)));
  }
}

}  // namespace kernel_cases
