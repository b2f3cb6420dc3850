// Every reduction over no axes, one, some in any order, and all, against loops; norms of every power; what is refused.
#include <fmt/format.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "references/references.hpp"
#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();
using Numbers = std::vector<double>;
using OfNumbers = std::function<double(const Numbers&)>;

double sum_of(const Numbers& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double var_of(const Numbers& v, double correction) {
  const double n = static_cast<double>(v.size()), mean = sum_of(v) / n;
  double sum = 0;
  for (const double x : v) sum += (x - mean) * (x - mean);
  return sum / (n - correction);
}
double norm_of(const Numbers& v, double p) {
  long double sum = 0, most = 0, least = inf;
  for (const double x : v) {
    sum += std::pow(static_cast<long double>(std::abs(x)), p);
    most = std::max<long double>(most, std::abs(x)), least = std::min<long double>(least, std::abs(x));
  }
  if (p == 0) return static_cast<double>(std::count_if(v.begin(), v.end(), [](double x) { return x != 0; }));
  return static_cast<double>(p == inf ? most : p == -inf ? least : std::pow(sum, 1 / static_cast<long double>(p)));
}

struct Reduction {
  const char* name;
  std::function<Tensor(const Tensor&, const Axes&, bool)> f;
  OfNumbers of;
  std::size_t least = 0;  // numbers that it needs
};
// clang-format off
const std::vector<Reduction> reductions{
    {"sum", [](const Tensor& x, const Axes& a, bool k) { return sum(x, a, k); }, sum_of},
    {"mean", [](const Tensor& x, const Axes& a, bool k) { return mean(x, a, k); },
     [](const Numbers& v) { return sum_of(v) / static_cast<double>(v.size()); }, 1},
    {"var", [](const Tensor& x, const Axes& a, bool k) { return var(x, a, 1, k); }, [](const Numbers& v) { return var_of(v, 1); }, 2},
    {"stddev by n", [](const Tensor& x, const Axes& a, bool k) { return stddev(x, a, 0, k); },
     [](const Numbers& v) { return std::sqrt(var_of(v, 0)); }, 1},
    {"prod", [](const Tensor& x, const Axes& a, bool k) { return prod(x, a, k); },
     [](const Numbers& v) { return std::accumulate(v.begin(), v.end(), 1.0, std::multiplies<>()); }},
    {"amax", [](const Tensor& x, const Axes& a, bool k) { return amax(x, a, k); },
     [](const Numbers& v) { return *std::max_element(v.begin(), v.end()); }, 1},
    {"amin", [](const Tensor& x, const Axes& a, bool k) { return amin(x, a, k); },
     [](const Numbers& v) { return *std::min_element(v.begin(), v.end()); }, 1},
    {"argmax", [](const Tensor& x, const Axes& a, bool k) { return argmax(x, a, k); },
     [](const Numbers& v) { return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin()); }, 1},
    {"argmin", [](const Tensor& x, const Axes& a, bool k) { return argmin(x, a, k); },
     [](const Numbers& v) { return static_cast<double>(std::min_element(v.begin(), v.end()) - v.begin()); }, 1},
    {"all", [](const Tensor& x, const Axes& a, bool k) { return all(x > -1.5, a, k); },
     [](const Numbers& v) { return double(std::all_of(v.begin(), v.end(), [](double x) { return x > -1.5; })); }},
    {"any", [](const Tensor& x, const Axes& a, bool k) { return any(x > 1.5, a, k); },
     [](const Numbers& v) { return double(std::any_of(v.begin(), v.end(), [](double x) { return x > 1.5; })); }},
    {"logsumexp", [](const Tensor& x, const Axes& a, bool k) { return logsumexp(x, a, k); },
     [](const Numbers& v) {
       double sum = 0;
       for (const double x : v) sum += std::exp(x);
       return std::log(sum);
     }, 1},
    {"norm", [](const Tensor& x, const Axes& a, bool k) { return norm(x, 2, a, k); }, [](const Numbers& v) { return norm_of(v, 2); }},
    {"norm of power 3", [](const Tensor& x, const Axes& a, bool k) { return norm(x, 3, a, k); }, [](const Numbers& v) { return norm_of(v, 3); }},
    {"norm of power 0", [](const Tensor& x, const Axes& a, bool k) { return norm(x, 0, a, k); }, [](const Numbers& v) { return norm_of(v, 0); }},
    {"norm of power 1", [](const Tensor& x, const Axes& a, bool k) { return norm(x, 1, a, k); }, [](const Numbers& v) { return norm_of(v, 1); }},
    {"norm of power inf", [](const Tensor& x, const Axes& a, bool k) { return norm(x, inf, a, k); },
     [](const Numbers& v) { return v.empty() ? 0 : norm_of(v, inf); }},
    {"norm of power -inf", [](const Tensor& x, const Axes& a, bool k) { return norm(x, -inf, a, k); },
     [](const Numbers& v) { return norm_of(v, -inf); }},
    {"norm of power -2", [](const Tensor& x, const Axes& a, bool k) { return norm(x, -2, a, k); }, [](const Numbers& v) { return norm_of(v, -2); }},
};
// clang-format on

// Numbers by the place of their result; those of one place in row-major order.
std::vector<Numbers> gathered(const Numbers& v, const Shape& shape, const std::vector<bool>& reduced) {
  Size places = 1;
  for (int i = 0; i < shape.rank(); ++i)
    if (!reduced[static_cast<std::size_t>(i)]) places *= shape[i];
  std::vector<Numbers> groups(static_cast<std::size_t>(places));
  for (Size flat = 0; flat < static_cast<Size>(v.size()); ++flat) {
    Size rest = flat, place = 0, step = 1;
    for (int i = shape.rank(); i-- > 0; rest /= shape[i])
      if (!reduced[static_cast<std::size_t>(i)]) place += rest % shape[i] * step, step *= shape[i];
    groups[static_cast<std::size_t>(place)].push_back(v[static_cast<std::size_t>(flat)]);
  }
  return groups;
}

struct Choice {
  const char* name;
  Axes axes;
  std::vector<int> list;  // of four axes
};
// clang-format off
const std::vector<Choice> choices{
    {"all", Axes::all(), {0, 1, 2, 3}}, {"{}", Axes(), {}}, {"1", 1, {1}}, {"-1", -1, {3}},
    {"{2}", {2}, {2}}, {"{0, 1}", {0, 1}, {0, 1}}, {"{3, 0}", {3, 0}, {0, 3}}, {"{-2, 0}", {-2, 0}, {0, 2}}, {"{1, 3}", std::vector<int>{1, 3}, {1, 3}},
    {"{2, 1, 3}", Shape{2, 1, 3}, {1, 2, 3}}, {"{0, 1, 2, 3}", {0, 1, 2, 3}, {0, 1, 2, 3}}, {"no list", std::vector<Size>{}, {}}};
// clang-format on

}  // namespace

BOOST_AUTO_TEST_CASE(every_reduction_over_every_choice) {
  manual_seed(3);
  for (const Shape& shape : {Shape{2, 3, 4, 2}, Shape{1, 5, 1, 3}, Shape{3, 0, 2, 2}, Shape{9, 8, 7, 6}}) {
    const Tensor x = evaluate(randn(shape, f64));
    const Numbers v = x.to_vector<double>();
    for (const Choice& c : choices)
      for (const Reduction& r : reductions) {
        std::vector<bool> reduced(4);
        Shape dropped, kept = shape;
        for (const int axis : c.list) reduced[static_cast<std::size_t>(axis)] = true, kept[axis] = 1;
        Size count = 1;
        for (int i = 0; i < 4; ++i)
          if (reduced[static_cast<std::size_t>(i)]) count *= shape[i];
          else dropped.push_back(shape[i]);
        for (const bool keepdim : {false, true})
          BOOST_TEST_CONTEXT(r.name << " over " << c.name << " of " << fmt::format("{}", shape)
                                    << (keepdim ? ", kept" : "")) {
            if (count < static_cast<Size>(r.least)) {
              BOOST_CHECK_THROW(r.f(x, c.axes, keepdim), Error);
              continue;
            }
            const Tensor y = r.f(x, c.axes, keepdim);
            BOOST_TEST(y.shape() == (keepdim ? kept : dropped));
            const std::vector<Numbers> groups = gathered(v, shape, reduced);
            const Numbers got = cast(y, f64).to_vector<double>();
            BOOST_REQUIRE_EQUAL(got.size(), groups.size());
            for (std::size_t i = 0; i < got.size(); ++i) {
              const double right = r.of(groups[i]);
              BOOST_TEST((got[i] == right || std::abs(got[i] - right) <= 1e-13 * (1 + std::abs(right))),
                         got[i] << ", not " << right);
            }
          }
      }
  }
}

BOOST_AUTO_TEST_CASE(of_a_number) {
  const Tensor x = tensor(-3.0);
  for (const Reduction& r : reductions) {
    if (r.least > 1) continue;
    BOOST_TEST(r.f(x, Axes::all(), false).shape() == Shape{});
    BOOST_TEST(cast(r.f(x, Axes::all(), true), f64).item() == r.of({-3.0}), r.name);
    BOOST_CHECK_THROW(r.f(x, 0, false), Error);
  }
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  const Tensor x = ones({2, 3});
  for (const Reduction& r : reductions) {
    const std::string op = std::string(r.name).substr(0, std::string(r.name).find(' '));
    CHECK_ERROR(r.f(x, 2, false), "[" + op + "] axis 2 of a tensor of 2 axes");
    CHECK_ERROR(r.f(x, {0, -2}, false), "[" + op + "] axis -2 is named twice");
  }
  CHECK_ERROR(var(x, {0, 1}, 6), "[var] 6 elements with correction 6");
  CHECK_ERROR(norm(x, not_a_number), "[norm] expected a number p");
}

// The powers leave the range where the norms do not.
BOOST_AUTO_TEST_CASE(norms_far_out) {
  for (const DType dtype : {f32, f64})
    for (const double p : {0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 10.0, 300.0, -0.5, -1.0, -3.0})
      for (const int far : {0, 60, 100, -60, -100}) {
        const double scale = std::ldexp(1, dtype == f32 ? far : 9 * far);
        const Numbers v{3, -4, 1.5, 2, -0.75, 6};
        const Tensor x = watch(cast(tensor(v), dtype) * scale), y = norm(x, p);
        const double right = norm_of(v, p), tolerance = dtype == f32 ? 4e-6 : 1e-14;
        BOOST_TEST_CONTEXT(name(dtype) << ", p = " << p << ", times 2^" << far) {
          BOOST_TEST(std::abs(y.item() / scale - right) <= tolerance * right);
          const Numbers g = grad(y, x)[0].to_vector<double>();
          for (std::size_t i = 0; i < v.size(); ++i) {  // sign x (|x| / norm)^(p - 1)
            const double slope = std::copysign(std::pow(std::abs(v[i]) / right, p - 1), v[i]);
            BOOST_TEST(std::abs(g[i] - slope) <= 40 * tolerance * std::max(1e-3, std::abs(slope)),
                       g[i] << ", not " << slope);
          }
        }
      }
}

// Where there is no slope, all derivatives are 0.
BOOST_AUTO_TEST_CASE(norms_at_0) {
  for (const double p : {0.0, 0.5, 1.0, 1.5, 2.0, 3.0, inf, -1.0, -inf}) {
    const auto f = [p](const Tensor& x) { return norm(x, p); };
    const Tensor zeros_ = zeros({3}, f64);
    BOOST_TEST_CONTEXT("p = " << p) {
      BOOST_TEST(f(zeros_).item() == 0);
      BOOST_TEST(all(value_and_grad(f, zeros_).grad == 0).item() == 1);
      BOOST_TEST(all(hessian(f, zeros_) == 0).item() == 1);
      const Tensor some = tensor({0.0, 3.0, -4.0});
      const Tensor g = value_and_grad(f, some).grad;
      BOOST_TEST(g[0].item() == 0);
      BOOST_TEST(all(isfinite(g)).item() == 1);
      BOOST_TEST(all(isfinite(hessian(f, some))).item() == 1);
      BOOST_TEST(std::isnan(f(tensor({1.0, not_a_number})).item()) == (p != 0));
      BOOST_TEST(f(tensor({1.0, -inf})).item() == (p == 0 ? 2 : p < 0 ? norm_of({1.0}, p) : inf));
    }
  }
  BOOST_TEST(norm(zeros({0}), 3).item() == 0);
  BOOST_TEST(norm(zeros({0}), inf).item() == 0);
  BOOST_TEST(norm(zeros({0}), -1).item() == inf);
}
