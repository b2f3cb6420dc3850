// Every elementwise kernel, of every instruction set that the machine has, against the C library in a wider type: the
// greatest distance of each op and dtype, in units in the last place, over ordinary and great arguments, subnormals,
// infinities and NaN.
#define BOOST_TEST_MODULE accuracy
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
  bool signed_zero = true;  // has the sign of 0 a meaning?
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
    {"neg", {[](Wide x) { return -x; }, 0, 0}},
    {"abs", {[](Wide x) { return std::abs(x); }, 0, 0}},
    {"sign", {[](Wide x) { return x > 0   ? 1
                                  : x < 0 ? -1
                                          : x; }, 0, 0}},
    {"floor", {[](Wide x) { return std::floor(x); }, 0, 0}},
    {"ceil", {[](Wide x) { return std::ceil(x); }, 0, 0}},
    {"round", {[](Wide x) { return std::nearbyint(x); }, 0, 0}},
    {"square", {[](Wide x) { return x * x; }, 0.51, 0.51}},
    {"sqrt", {[](Wide x) { return std::sqrt(x); }, 0.51, 0.51}},
    {"rsqrt", {[](Wide x) { return 1 / std::sqrt(x); }, 1.75, 1.75}},
    {"reciprocal", {[](Wide x) { return 1 / x; }, 0.51, 0.51}},
    {"exp", {[](Wide x) { return std::exp(x); }, 1.25, 1.25}},
    {"expm1", {[](Wide x) { return std::expm1(x); }, 2, 2.25}},
    {"log", {[](Wide x) { return std::log(x); }, 1, 1}},
    {"log1p", {[](Wide x) { return std::log1p(x); }, 1.5, 1.5}},
    {"log2", {[](Wide x) { return std::log2(x); }, 1.75, 2}},
    {"log10", {[](Wide x) { return std::log10(x); }, 2, 1.75}},
    {"sin", {[](Wide x) { return std::sin(x); }, 2.5, 2}},
    {"cos", {[](Wide x) { return std::cos(x); }, 2.5, 2.5}},
    {"tan", {[](Wide x) { return std::tan(x); }, 4, 4}},
    {"asin", {[](Wide x) { return std::asin(x); }, 2.5, 2.5}},
    {"acos", {[](Wide x) { return std::acos(x); }, 1.25, 1.25}},
    {"atan", {[](Wide x) { return std::atan(x); }, 2.25, 2.5}},
    {"sinh", {[](Wide x) { return std::sinh(x); }, 2, 1.75}},
    {"cosh", {[](Wide x) { return std::cosh(x); }, 1.75, 1.5}},
    {"tanh", {[](Wide x) { return std::tanh(x); }, 3.25, 3.25}},
    {"sigmoid", {sigmoid, 2.5, 2.5}},
    {"softplus", {softplus, 1.75, 1.75}},
    {"relu", {[](Wide x) { return x < 0 ? 0 : x; }, 0, 0, false}},
    {"step", {[](Wide x) { return std::isnan(x) ? x
                                  : x > 0       ? 1
                                                : 0; }, 0, 0}},
    {"log_or_0", {[](Wide x) { return x == 0 ? 0 : std::log(x); }, 1, 1}},
    {"erf", {[](Wide x) { return std::erf(x); }, 1.25, 1.5}},
    {"erfc", {[](Wide x) { return std::erfc(x); }, 6, 6}},
    {"ndtr", {ndtr, 6, 6}},
    {"times_sigmoid_slope", {[](Wide x) { return silu_terms(x, 1); }, 6, 6, false, [](Wide x) { return silu_terms(x, -1); }}},
    {"times_ndtr_slope", {[](Wide x) { return gelu_terms(x, 1); }, 7, 7, false, [](Wide x) { return gelu_terms(x, -1); }}},
    {"times_sigmoid_cubic_slope", {[](Wide x) { return gelu_tanh_terms(x, 1); }, 600, 5000, false,
                         [](Wide x) { return gelu_tanh_terms(x, -1); }}},  // as above
    {"tanh_slope", {[](Wide x) { return 1 / (std::cosh(x) * std::cosh(x)); }, 6, 6}},
    {"sigmoid_slope", {[](Wide x) { return 0.25L / (std::cosh(x / 2) * std::cosh(x / 2)); }, 4.5, 4.5}},
    {"times_sigmoid", {[](Wide x) { return x < -12000 ? -Wide(0) : x * sigmoid(x); }, 5, 5, false}},
    {"times_ndtr", {[](Wide x) { return x < -150 ? -Wide(0) : x * ndtr(x); }, 7, 7, false}},
    {"times_sigmoid_cubic", {[](Wide x) { return x < -64 ? -Wide(0) : x * sigmoid(1.5957691216057307L * (x + 0.044715L * x * x * x)); },
                   300, 2500}},  // it has the digits that the cube has
    {"lgamma", {[](Wide x) { return gamma_of([](Wide v) { return boost::math::lgamma(v, NoErrors()); }, x, infinite); }, 1, 1, true, below_0}},
    {"digamma", {[](Wide x) { return x == 0 ? std::copysign(infinite, -x) : gamma_of([](Wide v) { return boost::math::digamma(v, NoErrors()); }, x, x > 0 ? x : NAN); },
                 1, 2, true, below_0}},
    {"one_minus_square", {[](Wide x) { return (1 - x) * (1 + x); }, 1.51, 1.51}},
    {"pow_half", {[](Wide x) { return x == 0 ? 0 : std::pow(x, 0.5L); }, 0.51, 0.51}},
    {"reciprocal_or_0", {[](Wide x) { return x == 0 ? 0 : 1 / x; }, 0.51, 0.51}},
};
const std::map<std::string, Binary> binary{
    {"add", {[](Wide x, Wide y) { return x + y; }, 0.51, 0.51}},
    {"sub", {[](Wide x, Wide y) { return x - y; }, 0.51, 0.51}},
    {"mul", {[](Wide x, Wide y) { return x * y; }, 0.51, 0.51}},
    {"div", {[](Wide x, Wide y) { return x / y; }, 0.51, 0.51}},
    {"pow", {power, 0.75, 1.25}},
    {"maximum", {greater, 0, 0, false}},
    {"minimum", {lesser, 0, 0, false}},
    {"at_least", {greater, 0, 0, false}},
    {"at_most", {lesser, 0, 0, false}},
    {"half_step", {half_step, 0, 0}},
    {"floor_divide", {floor_quotient, 0.51, 1.75, false}},
    {"remainder", {modulo, 0.51, 0.51, false}},
    {"pow_slope", {pow_slope, 1, 2, false}},
    {"pow_log", {pow_log, 1, 3}},
    {"inversion", {inversion, 3, 3}},
    {"gaussian", {gaussian, 1.25, 1.25, true, [](Wide, Wide y) { return std::abs(y) < 1e15L; }}},  // 0.5, 1 and 2 in slopes
    {"leaky_relu", {[](Wide x, Wide y) { return x > 0 ? x : x * y; }, 0.51, 0.51}},
    {"polygamma", {[](Wide n, Wide x) { return few_times(n, x) ? boost::math::polygamma(static_cast<int>(n), x, NoErrors()) : 0; }, 1, 3, true,
                   few_times}},
    {"atan2", {[](Wide x, Wide y) { return std::atan2(x, y); }, 2.25, 2.25}},
};
const std::map<std::string, Ternary> ternary{
    {"lerp", {[](Wide x, Wide y, Wide z) { return z < 0.5L ? x + z * (y - x) : y - (1 - z) * (y - x); }, 2.5, 2.5,
              [](Wide x, Wide y, Wide z) { return std::max(std::abs(x), std::abs(y)) * std::max(Wide(1), std::abs(z)); }}},
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
    BOOST_TEST_REQUIRE((known != unary.end()), op_name << " has no row here; add one");
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
    BOOST_TEST_REQUIRE((known != binary.end()), op_name << " has no row here; add one");
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
    BOOST_TEST_REQUIRE((known != ternary.end()), op_name << " has no row here; add one");
    std::mt19937_64 random(seed_of(op_name));
    const Wide most = std::sqrt(Wide(std::numeric_limits<T>::max())), least = 1 / most;
    const auto number = [&] {
      for (;;) {
        const T x = drawn<T>(random);
        if (x == 0 || (std::abs(x) < most && std::abs(x) > least)) return x;
      }
    };
    std::vector<T> x, y, z;
    for (std::size_t i = 0; i < samples; ++i) x.push_back(number()), y.push_back(i % 7 ? number() : x.back()), z.push_back(i % 5 ? number() : T(i % 2));
    for (const kernels::Simd* simd : instruction_sets()) {
      const std::vector<T> got = apply(*simd, op, x, y, z);
      Worst worst;
      for (std::size_t i = 0; i < x.size(); ++i)
        note(worst, got[i], known->second.f(x[i], y[i], z[i]), false, x[i], &y[i], known->second.size(x[i], y[i], z[i]));
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
