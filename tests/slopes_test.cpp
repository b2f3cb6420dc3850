// First and second slopes of every row of elementwise.def, and of the activations, against exact ones in a wider type:
// numbers of every size and sign in the domain of the op, beside its singular points, and where its result saturates.
// What accuracy_test is for values. A slope that overflows is infinite, and one below the range is 0.
#include <fmt/format.h>

#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/polygamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn/layers/activations.hpp>

#include "ulps.hpp"

using namespace xgrad;
using ulps::Wide;

namespace {

// ---- what is exact

struct Bound {
  double f32, f64;  // in ulp: the worst that was met on any instruction set, and a little room
};

using Of1 = Wide (*)(Wide x);
struct Unary {
  Of1 first, second;
  Bound of_first, of_second;
  bool (*domain)(Wide x) = [](Wide) { return true; };
  Of1 size1 = nullptr, size2 = nullptr;  // of the terms, where they cancel at some x that is no rounded number
};

using Of2 = Wide (*)(Wide x, Wide y);
struct Binary {
  Of2 dx, dy, dxx, dxy, dyy;  // the last three null: what slopes are made of is held to them by what it is a slope of
  Bound of_first, of_second;
  bool (*domain)(Wide x, Wide y) = [](Wide, Wide) { return true; };
  Of2 size1 = nullptr, size2 = nullptr;
  bool (*second_domain)(Wide x, Wide y) = [](Wide, Wide) { return true; };
};

const Wide root_pi = std::sqrt(std::acos(Wide(-1)));
bool positive(Wide x) { return x > 0; }
bool inside_one(Wide x) { return std::abs(x) < 1; }

Wide square(Wide x) { return x * x; }
Wide sech2(Wide x) { return 1 / square(std::cosh(x)); }
Wide sigmoid(Wide x) { return 1 / (1 + std::exp(-x)); }
Wide sigmoid_slope(Wide x) { return sech2(x / 2) / 4; }
Wide sigmoid_slope2(Wide x) { return -std::tanh(x / 2) * sigmoid_slope(x); }
// e^(-y x^2), the rounding of the square put right
Wide gaussian(Wide x, Wide y) {
  const Wide s = x * x;
  return s * y > 20000 ? 0 : std::exp(-s * y) * (1 - std::fma(x, x, -s) * y);
}
Wide bell(Wide x) { return 2 / root_pi * gaussian(x, 1); }
Wide normal(Wide x) { return gaussian(x, 0.5L) / (std::sqrt(Wide(2)) * root_pi); }
Wide ndtr(Wide x) {
  if (std::abs(x) > 150) return x > 0;
  const Wide a = -x / std::sqrt(Wide(2)), s = x * x;
  if (x > 0) return std::erfc(a) / 2;
  return std::erfc(a) / 2 * (1 + std::fma(a, a, -s / 2) - std::fma(x, x, -s) / 2);
}
bool anywhere(Wide) { return true; }
// gelu's tanh form: x sigmoid(u), of which the digits are those that u has left
Wide cubic(Wide x) { return 1.5957691216057307L * (x + 0.044715L * x * x * x); }
Wide cubic1(Wide x) { return 1.5957691216057307L * (1 + 3 * 0.044715L * x * x); }
bool near_0(Wide x) { return std::abs(x) < 1.5L; }
Wide gelu_tanh_terms(Wide x, Wide sign) {
  const Wide u2 = 1.5957691216057307L * 6 * 0.044715L * x;
  return 2 * cubic1(x) + x * u2 - sign * x * std::tanh(cubic(x) / 2) * square(cubic1(x));
}
// of sigmoid: s1 (t^2 - 2 s1), s1 its slope, t = tanh(x / 2); sign -1: the size of its terms
Wide sigmoid_slope3(Wide x, Wide sign) {
  return sigmoid_slope(x) * (square(std::tanh(x / 2)) - sign * 2 * sigmoid_slope(x));
}
// the third slope of y = x s(u)
Wide gelu_tanh_third(Wide x, bool size) {
  const Wide u = cubic(x), u1 = cubic1(x), u3 = 1.5957691216057307L * 6 * 0.044715L, u2 = u3 * x;
  Wide terms[] = {3 * sigmoid_slope2(u) * u1 * u1, 3 * sigmoid_slope(u) * u2,
                  x * sigmoid_slope3(u, size ? -1 : 1) * u1 * u1 * u1, 3 * x * sigmoid_slope2(u) * u1 * u2,
                  x * sigmoid_slope(u) * u3};
  Wide sum = 0;
  for (const Wide t : terms) sum += size ? std::abs(t) : t;
  return sum;
}
Wide less_square(Wide x) { return (1 - x) * (1 + x); }

// Where x / y, as a long double, is on the right side of whole numbers.
bool few_quotients(Wide x, Wide y) { return y != 0 && std::abs(x / y) < 1e6L && std::isfinite(x); }

const std::map<std::string, Unary> unary{
#define SLOPES1(op, first, second, ...)                                                                            \
  {#op,                                                                                                            \
   {[]([[maybe_unused]] Wide x) -> Wide { return first; }, []([[maybe_unused]] Wide x) -> Wide { return second; }, \
    __VA_ARGS__}},
#include "autodiff/exact.def"
};

Wide step2(Wide x, Wide y) { return x > y ? 1 : x < y ? 0 : 0.5L; }
Wide radius2(Wide x, Wide y) { return x * x + y * y; }
Wide radius(Wide x, Wide y) { return std::sqrt(radius2(x, y)); }
bool normal_radius(Wide x, Wide y) { return radius2(x, y) > 1e-75L; }
Wide inverse_radius2(Wide x, Wide y) { return 1 / radius2(x, y); }
// Its second slopes are products of which no factor leaves the range.
bool ordinary_power(Wide x, Wide y) {
  return x > 0 && (y == 0 || std::abs(y) > 1e-3L) && (std::abs(y) + 2) * std::abs(std::log(x)) < 80;
}
Wide pow_xx(Wide x, Wide y) { return y * (y - 1) * std::pow(x, y - 2); }
// of the terms of these: the second exponent, y - 2, is rounded, and 1 + y log x has a zero
Wide log_size(Wide x) { return 1 + std::abs(std::log(x)); }
Wide pow_terms(Wide x, Wide y) {
  const Wide l = log_size(x);
  return l * (std::abs(pow_xx(x, y)) + std::pow(x, y - 1) * (1 + std::abs(y) * l));
}
Wide pow_xy(Wide x, Wide y) { return std::pow(x, y - 1) * (1 + y * std::log(x)); }

#define OF2(formula) []([[maybe_unused]] Wide x, [[maybe_unused]] Wide y) -> Wide { return formula; }
const std::map<std::string, Binary> binary{
#define SLOPES2(op, dx, dy, dxx, dxy, dyy, ...) {#op, {OF2(dx), OF2(dy), OF2(dxx), OF2(dxy), OF2(dyy), __VA_ARGS__}},
#define FIRST2(op, dx, dy, ...) {#op, {OF2(dx), OF2(dy), nullptr, nullptr, nullptr, __VA_ARGS__}},
#include "autodiff/exact.def"
};
#undef OF2

// ---- where they are tried

template <class T>
std::vector<T> numbers() {
  using L = std::numeric_limits<T>;
  std::vector<T> list{0};
  for (int e = L::min_exponent - L::digits; e <= L::max_exponent; ++e)  // of every size, subnormal ones among them
    for (const double m : {0.5, 0.62, 0.7310585, 0.9})
      if (const T x = static_cast<T>(std::ldexp(Wide(m), e)); std::isfinite(x) && x != 0) list.push_back(x);
  const double most = sizeof(T) == 4 ? 120 : 780;
  for (int i = 1; i <= 600; ++i) list.push_back(static_cast<T>(most * i / 600));  // where exp is in range
  for (int i = 1; i <= 400; ++i) list.push_back(static_cast<T>(12. * i / 400));   // where most things saturate
  for (int e = 1; e <= L::digits; ++e)                                            // beside 1
    for (const double side : {-1, 1}) list.push_back(static_cast<T>(1 + side * std::ldexp(1., -e)));
  for (int k = 1; k < 40; ++k) list.push_back(static_cast<T>(k * 1.5707963267948966));  // beside poles of tan
  for (std::size_t i = 0, n = list.size(); i < n; ++i) list.push_back(-list[i]);
  return list;
}

template <class T>
std::vector<T> few_numbers() {
  using L = std::numeric_limits<T>;
  std::vector<T> list{0};
  for (int i = 0; i <= 40; ++i)
    list.push_back(static_cast<T>(std::exp2(L::min_exponent + (L::max_exponent - L::min_exponent - 1) * Wide(i) / 40)));
  for (const double x : {0.1, 0.3, 0.5, 0.75, 0.99, 1., 1.01, 1.3, 2., 2.5, 3., 4.2, 7., 10., 26., 150.})
    list.push_back(static_cast<T>(x));
  for (std::size_t i = 0, n = list.size(); i < n; ++i) list.push_back(-list[i]);
  return list;
}

// ---- how far off they are

struct Worst {
  double off = 0;
  std::string where;
  // `product`: of several ops; a factor below the range has no more digits than are left there.
  template <class T>
  void note(T got, Wide exact, Wide size, bool product, const std::string& at) {
    if (product) size = std::max(size, 1024 * Wide(std::numeric_limits<T>::min()));
    const double d = ulps::distance(got, exact, false, size);
    if (d > off) off = d, where = fmt::format("at {}: {}, not {}", at, got, static_cast<double>(exact));
  }
};

void judge(const std::string& what, DType dtype, const Worst& worst, Bound bound) {
  const double allowed = dtype == f32 ? bound.f32 : bound.f64;
  BOOST_TEST_MESSAGE(fmt::format("{:32} {}  {:8.3f} ulp  {}", what, name(dtype), worst.off, worst.where));
  BOOST_TEST(worst.off <= allowed, fmt::format("{}, {}: {:.3f} ulp, where {} are allowed: {}", what, name(dtype),
                                               worst.off, allowed, worst.where));
}

using Function1 = Tensor (*)(const Tensor& x);

template <class T>
void check_unary(const std::string& op, Function1 f, const Unary& exact, bool composed = false) {
  std::vector<T> at;
  for (const T v : numbers<T>())
    if (exact.domain(v)) at.push_back(v);
  const Tensor x = watch(tensor(at));
  const Tensor g = grad(sum(f(x)), {x}, {.create_graph = true, .allow_unused = true})[0];
  const std::vector<T> first = g.to_vector<T>();
  const std::vector<T> second = grad(sum(g), {x}, {.allow_unused = true})[0].template to_vector<T>();
  Worst of_first, of_second, of_few;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const auto size = [&](Of1 of) { return of ? of(at[i]) : 0; };
    of_first.note(first[i], exact.first(at[i]), size(exact.size1), composed, fmt::format("{}", at[i]));
    of_second.note(second[i], exact.second(at[i]), size(exact.size2), true, fmt::format("{}", at[i]));
  }
  for (std::size_t from = 0; from < at.size(); from += 500) {  // few at a time are computed by kernels of their own
    const std::size_t to = std::min(at.size(), from + 500);
    const Tensor few =
        watch(tensor(std::vector<T>(at.begin() + static_cast<Size>(from), at.begin() + static_cast<Size>(to))));
    const std::vector<T> got = grad(sum(f(few)), {few}, {.allow_unused = true})[0].template to_vector<T>();
    for (std::size_t i = from; i < to; ++i)
      of_few.note(got[i - from], exact.first(at[i]), exact.size1 ? exact.size1(at[i]) : 0, composed,
                  fmt::format("{}", at[i]));
  }
  judge(op + "'", dtype_of<T>(), of_first, exact.of_first);
  judge(op + "', few", dtype_of<T>(), of_few, exact.of_first);
  judge(op + "''", dtype_of<T>(), of_second, exact.of_second);
}

using Function2 = Tensor (*)(const In& x, const In& y);

template <class T>
void check_binary(const std::string& op, Function2 f, const Binary& exact) {
  std::vector<T> xs, ys;
  for (const T a : few_numbers<T>())
    for (const T b : few_numbers<T>())
      if (exact.domain(a, b)) xs.push_back(a), ys.push_back(b);
  const Tensor x = watch(tensor(xs)), y = watch(tensor(ys));
  const Tensors g = grad(sum(f(x, y)), {x, y}, {.create_graph = true, .allow_unused = true});
  const auto check = [&](const char* of, const Tensor& got, Of2 right, bool second) {
    const std::vector<T> slope = got.to_vector<T>();
    const Of2 size = second ? exact.size2 : exact.size1;
    Worst worst;
    for (std::size_t i = 0; i < xs.size(); ++i)
      if (!second || exact.second_domain(xs[i], ys[i]))
        worst.note(slope[i], right(xs[i], ys[i]), size ? size(xs[i], ys[i]) : 0, second || !exact.dxx,
                   fmt::format("{}, {}", xs[i], ys[i]));
    judge(op + of, dtype_of<T>(), worst, second ? exact.of_second : exact.of_first);
  };
  check(", dx", g[0], exact.dx, false);
  check(", dy", g[1], exact.dy, false);
  if (!exact.dxx) return;
  const Tensors of_x = grad(sum(g[0]), {x, y}, {.allow_unused = true});
  const Tensors of_y = grad(sum(g[1]), {x, y}, {.allow_unused = true});
  check(", dx dx", of_x[0], exact.dxx, true);
  check(", dx dy", of_x[1], exact.dxy, true);
  check(", dy dx", of_y[0], exact.dxy, true);
  check(", dy dy", of_y[1], exact.dyy, true);
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_one_operand) {
  const std::vector<std::pair<const char*, Function1>> ops = {
#define UNARY(op, ...) {#op, [](const Tensor& x) { return xgrad::op(x); }},
#include "autodiff/elementwise.def"
  };
  // Whose own slopes are products of several ops.
  const std::set<std::string> slopes{
#define BESIDE(op, slope) #slope,
#include "autodiff/elementwise.def"
  };
  for (const auto& [op, f] : ops) {
    const auto known = unary.find(op);
    if (known == unary.end()) {
      BOOST_ERROR(op << " has no exact slopes: add a SLOPES1 row to autodiff/exact.def");
      continue;
    }
    check_unary<float>(op, f, known->second, slopes.count(op));
    check_unary<double>(op, f, known->second, slopes.count(op));
  }
}

BOOST_AUTO_TEST_CASE(of_two_operands) {
  const std::vector<std::pair<const char*, Function2>> ops = {
#define BINARY(op, ...) {#op, &xgrad::op},
#include "autodiff/elementwise.def"
  };
  for (const auto& [op, f] : ops) {
    const auto known = binary.find(op);
    if (known == binary.end()) {
      BOOST_ERROR(op << " has no exact slopes: add a SLOPES2 or FIRST2 row to autodiff/exact.def");
      continue;
    }
    check_binary<float>(op, f, known->second);
    check_binary<double>(op, f, known->second);
  }
}

// Functions of ops, of which nobody else sees the digits.
BOOST_AUTO_TEST_CASE(of_activations) {
  const auto both = [](const char* name, Function1 f, const Unary& exact) {
    check_unary<float>(name, f, exact, true);
    check_unary<double>(name, f, exact, true);
  };
  both(
      "elu", [](const Tensor& x) { return nn::elu(x); },
      {[](Wide x) { return x > 0 ? 1 : std::exp(x); }, [](Wide x) { return x > 0 ? 0 : std::exp(x); }, {2, 2}, {2, 2}});
  both("softplus of 2 x", [](const Tensor& x) { return nn::softplus(x, 2); },
       {[](Wide x) { return sigmoid(2 * x); }, [](Wide x) { return 2 * sigmoid_slope(2 * x); }, {4, 4}, {8, 8}});
}
