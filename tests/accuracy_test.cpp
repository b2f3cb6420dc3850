// Every elementwise kernel, of every instruction set that the machine has, against the C library in a wider type: the
// greatest distance of each op and dtype, in units in the last place, over ordinary and great arguments, subnormals,
// infinities and NaN.
#include <fmt/format.h>

#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/special_functions/polygamma.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "kernel_cases.hpp"
#include "ulps.hpp"

using namespace kernel_cases;
using ulps::distance;

namespace {

// ---- what the ops are

// f: the op in the wider type; f32, f64: how far a result may be off, in ulp (0: every bit is right).
struct Unary {
  Wide (*f)(Wide);
  double f32, f64;
  bool signed_zero = true;       // has the sign of 0 a meaning?
  Wide (*size)(Wide) = nullptr;  // of the terms, where they cancel at some x that is no rounded number
};
struct Binary {
  Wide (*f)(Wide, Wide);
  double f32, f64;
  bool signed_zero = true;
  bool (*held)(Wide x, Wide y) = nullptr;  // where the bound holds; null: everywhere
};

struct Ternary {
  Wide (*f)(Wide, Wide, Wide);
  double f32, f64;
  Wide (*size)(Wide, Wide, Wide);  // of the terms
};

Wide half_step(Wide x, Wide y) { return std::isnan(x) || std::isnan(y) ? x + y : x > y ? 1 : x < y ? 0 : 0.5L; }
Wide greater(Wide x, Wide y) { return std::isnan(x) || x > y || !(y >= x) ? (std::isnan(y) ? y : x) : y; }
Wide lesser(Wide x, Wide y) { return std::isnan(x) || x < y || !(y <= x) ? (std::isnan(y) ? y : x) : y; }
Wide softplus(Wide x) { return std::isnan(x) ? x : (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x))); }
Wide power(Wide x, Wide y) {  // glibc's for long double makes (-inf)^(-2^63) infinite
  return std::isinf(x) ? Wide(std::pow(static_cast<double>(x), static_cast<double>(y))) : std::pow(x, y);
}
Wide floor_quotient(Wide x, Wide y) {
  if (y == 0) return x / y;
  const Wide r = std::fmod(x, y);
  return std::isnan(r) ? r : std::nearbyint((x - r) / y) - (r != 0 && (r < 0) != (y < 0));
}
Wide modulo(Wide x, Wide y) {
  const Wide r = std::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
Wide pow_slope(Wide x, Wide y) {
  if (x == 0 && y == 0) return 0;
  if (std::signbit(x) && std::isfinite(y)) {  // by |x| and a sign, as y - 1 may be rounded
    const Wide p = y * power(-x, y - 1);
    if (y != std::floor(y)) return x == 0 || std::isinf(x) ? p : std::numeric_limits<Wide>::quiet_NaN();
    return std::fmod(y, Wide(2)) != 0 ? p : -p;
  }
  return y * power(x, y - 1);
}
Wide pow_log(Wide x, Wide y) {
  if (std::isnan(x) || std::isnan(y)) return x + y;
  if (x == 0) return y < 0 ? -std::numeric_limits<Wide>::infinity() : 0;
  if (std::isinf(x) && x > 0) return y < 0 ? 0 : x;
  return power(x, y) * std::log(x);
}
Wide inversion(Wide x, Wide y) {
  if (std::isnan(x) || std::isnan(y)) return x + y;
  return std::isinf(x) || std::isinf(y) ? std::copysign(Wide(0), x) : x / (x * x + y * y);
}
// e^-s in two steps: the square is rounded, and what that left off follows
Wide gaussian(Wide x, Wide y) {
  const Wide s = x * x * y;
  if (!(std::abs(s) < 20000)) return std::exp(-s);
  const Wide square = x * x, rest = std::fma(x, x, -square) * y + std::fma(square, y, -s);
  return std::exp(-s) * (1 - rest);
}
Wide ndtr(Wide x) {
  if (std::isnan(x)) return x;
  if (!(std::abs(x) < 150)) return x > 0 ? 1 : 0;
  const Wide a = -x / std::sqrt(Wide(2)), square = x * x;
  if (x > 0) return std::erfc(a) / 2;
  const Wide rest = std::fma(a, a, -square / 2) - std::fma(x, x, -square) / 2;  // a^2 - x^2 / 2, a being rounded
  return std::erfc(a) / 2 * (1 + rest);
}
Wide sigmoid(Wide x) { return 1 / (1 + std::exp(-x)); }

// Bounds: the worst that was met on any instruction set, and a little room.
using namespace boost::math::policies;
using NoErrors = policy<domain_error<ignore_error>, pole_error<ignore_error>, overflow_error<ignore_error>,
                        evaluation_error<ignore_error>>;
constexpr Wide infinite = std::numeric_limits<Wide>::infinity();
// f(x), but `at_poles` at 0, -1, .. and at infinities
template <class F>
Wide gamma_of(const F& f, Wide x, Wide at_poles) {
  return std::isnan(x) ? x : std::isinf(x) || (x <= 0 && x == std::floor(x)) ? at_poles : f(x);
}
bool few_times(Wide n, Wide x) { return x > 1e-3L && x < 1e6L && n == std::floor(n) && n > 0 && n < 5; }
Wide below_0(Wide x) { return x < 0 ? 1 : 0; }  // the terms of the reflection, which cancel at the function's zeros

// s(x) + x s'(x) of the activations x s(x); sign -1: the size of the terms below 0
Wide silu_terms(Wide x, Wide sign) {
  if (std::abs(x) > 12000) return x > 0 ? 1 : x < 0 ? 0 : x;
  return sigmoid(x) + (x < 0 ? sign : 1) * x * 0.25L / (std::cosh(x / 2) * std::cosh(x / 2));
}
Wide gelu_terms(Wide x, Wide sign) {
  if (std::abs(x) > 150) return x > 0 ? 1 : x < 0 ? 0 : x;
  return ndtr(x) + (x < 0 ? sign : 1) * x * 0.3989422804014326779L * std::exp(-x * x / 2);
}
Wide gelu_tanh_terms(Wide x, Wide sign) {
  if (std::abs(x) > 64) return x > 0 ? 1 : x < 0 ? 0 : x;
  const Wide u = 1.5957691216057307L * (x + 0.044715L * x * x * x), du = 1.5957691216057307L * (1 + 0.134145L * x * x);
  return sigmoid(u) + (x < 0 ? sign : 1) * x * du * 0.25L / (std::cosh(u / 2) * std::cosh(u / 2));
}

const std::map<std::string, Unary> unary{
#define EXACT1(op, formula, ...) {#op, {[]([[maybe_unused]] Wide x) -> Wide { return formula; }, __VA_ARGS__}},
#include "autodiff/exact.def"
};
const std::map<std::string, Binary> binary{
#define EXACT2(op, formula, ...) \
  {#op, {[]([[maybe_unused]] Wide x, [[maybe_unused]] Wide y) -> Wide { return formula; }, __VA_ARGS__}},
#include "autodiff/exact.def"
};
const std::map<std::string, Ternary> ternary{
#define EXACT3(op, formula, ...) {#op, {[](Wide x, Wide y, Wide z) -> Wide { return formula; }, __VA_ARGS__}},
#include "autodiff/exact.def"
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t samples = 20'000;
#else
constexpr std::size_t samples = 300'000;
#endif

template <class T>
std::vector<T> arguments(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<T> list = special<T>();
  while (list.size() < samples) list.push_back(drawn<T>(random));
  return list;
}

template <class T>
void pairs(std::vector<T>& x, std::vector<T>& y, std::uint64_t seed) {
  const std::vector<T> edges = special<T>();
  for (const T a : edges)
    for (const T b : edges) x.push_back(a), y.push_back(b);
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < samples; ++i) x.push_back(drawn<T>(random)), y.push_back(drawn<T>(random));
}

// ---- how far off they are

struct Worst {
  double off = 0;
  std::string where;
};
template <class T>
void note(Worst& worst, T got, Wide exact, bool signed_zero, T x, const T* y = nullptr, Wide size = 0) {
  if (worst.off >= 0.5 && got == static_cast<T>(exact) && got != 0) return;  // rounded rightly: within half an ulp
  const double off = distance(got, exact, signed_zero, size);
  if (!(off > worst.off)) return;
  worst.off = off;
  worst.where = y ? fmt::format("of {} and {}: {}, not {}", x, *y, got, static_cast<T>(exact))
                  : fmt::format("of {}: {}, not {}", x, got, static_cast<T>(exact));
}

void judge(const char* op, DType dtype, const kernels::Simd& simd, const Worst& worst, double bound) {
  BOOST_TEST_MESSAGE(
      fmt::format("{:12} {} {:6}  {:8.3f} ulp  {}", op, name(dtype), simd.table.name, worst.off, worst.where));
  BOOST_TEST(worst.off <= bound, fmt::format("{}, {}, {}: {:.3f} ulp, where {} are allowed: {}", op, name(dtype),
                                             simd.table.name, worst.off, bound, worst.where));
}

// Of the name: another row in the table draws no other numbers for this one.
std::uint64_t seed_of(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

template <class T>
void check_unary() {
  for (const auto& [op_name, op] : unary_ops) {
    const auto known = unary.find(op_name);
    BOOST_TEST_REQUIRE((known != unary.end()), op_name << " has no EXACT row in autodiff/exact.def; add one");
    const std::vector<T> x = arguments<T>(seed_of(op_name));
    std::vector<Wide> exact;
    for (const T v : x) exact.push_back(known->second.f(v));
    for (const kernels::Simd* simd : instruction_sets()) {
      const std::vector<T> got = apply(*simd, op, x, x);
      Worst worst;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Wide size = known->second.size ? known->second.size(x[i]) : 0;
        note(worst, got[i], exact[i], known->second.signed_zero, x[i], static_cast<const T*>(nullptr), size);
      }
      judge(op_name, dtype<T>, *simd, worst, sizeof(T) == 4 ? known->second.f32 : known->second.f64);
    }
  }
}

template <class T>
void check_binary() {
  for (const auto& [op_name, op] : binary_ops) {
    const auto known = binary.find(op_name);
    BOOST_TEST_REQUIRE((known != binary.end()), op_name << " has no EXACT row in autodiff/exact.def; add one");
    std::vector<T> all_x, all_y, x, y;
    pairs(all_x, all_y, seed_of(op_name));
    for (std::size_t i = 0; i < all_x.size(); ++i)
      if (!known->second.held || known->second.held(all_x[i], all_y[i])) x.push_back(all_x[i]), y.push_back(all_y[i]);
    BOOST_TEST(x.size() > 100u, op_name << " is held at " << x.size() << " pairs");
    std::vector<Wide> exact;
    for (std::size_t i = 0; i < x.size(); ++i) exact.push_back(known->second.f(x[i], y[i]));
    for (const kernels::Simd* simd : instruction_sets()) {
      const std::vector<T> got = apply(*simd, op, x, y);
      Worst worst;
      for (std::size_t i = 0; i < x.size(); ++i) note(worst, got[i], exact[i], known->second.signed_zero, x[i], &y[i]);
      judge(op_name, dtype<T>, *simd, worst, sizeof(T) == 4 ? known->second.f32 : known->second.f64);
    }
  }
}

// Of numbers whose differences are in range: what is beyond is infinite, or NaN, as it would be in the wider type later.
template <class T>
void check_ternary() {
  for (const auto& [op_name, op] : ternary_ops) {
    const auto known = ternary.find(op_name);
    BOOST_TEST_REQUIRE((known != ternary.end()), op_name << " has no EXACT row in autodiff/exact.def; add one");
    std::mt19937_64 random(seed_of(op_name));
    const Wide most = std::sqrt(Wide(std::numeric_limits<T>::max())), least = 1 / most;
    const auto number = [&] {
      for (;;) {
        const T x = drawn<T>(random);
        if (x == 0 || (std::abs(x) < most && std::abs(x) > least)) return x;
      }
    };
    std::vector<T> x, y, z;
    for (std::size_t i = 0; i < samples; ++i)
      x.push_back(number()), y.push_back(i % 7 ? number() : x.back()), z.push_back(i % 5 ? number() : T(i % 2));
    for (const kernels::Simd* simd : instruction_sets()) {
      const std::vector<T> got = apply(*simd, op, x, y, z);
      Worst worst;
      for (std::size_t i = 0; i < x.size(); ++i)
        note(worst, got[i], known->second.f(x[i], y[i], z[i]), false, x[i], &y[i],
             known->second.size(x[i], y[i], z[i]));
      judge(op_name, dtype<T>, *simd, worst, sizeof(T) == 4 ? known->second.f32 : known->second.f64);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_one_operand) {
  check_unary<float>();
  check_unary<double>();
}

BOOST_AUTO_TEST_CASE(of_two_operands) {
  check_binary<float>();
  check_binary<double>();
}

BOOST_AUTO_TEST_CASE(of_three_operands) {
  check_ternary<float>();
  check_ternary<double>();
}
