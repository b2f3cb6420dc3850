// Values of every op that xtensor has against xtensor, an oracle that nobody here wrote: over the sweep's shapes and layouts,
// and special values.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "kernel_cases.hpp"
#include "sweep/inputs.hpp"
#include "xtensor_headers.hpp"

using namespace xgrad;
using sweep::Layout;

namespace {

using Array = xt::xarray<double>;
using Numbers = std::vector<double>;

std::vector<std::size_t> extents(const Shape& shape) { return {shape.begin(), shape.end()}; }
Array array(const Numbers& v, const Shape& shape) {
  Array x = xt::zeros<double>(extents(shape));
  std::copy(v.begin(), v.end(), x.begin());
  return x;
}

// What a result must be near to: within `ulps` of the number, or of `size` where that is more.
struct Checked {
  int seen = 0;
  void operator()(const std::string& what, const Tensor& got, const Array& right, double ulps, double size = 0) {
    ++seen;
    const Numbers v = cast(got, f64).to_vector<double>();
    const Shape shape(std::vector<std::size_t>(right.shape().begin(), right.shape().end()));
    BOOST_TEST_REQUIRE((got.shape() == shape), what << ": " << fmt::format("{} instead of {}", got.shape(), shape));
    const bool narrow = got.dtype() == f32;
    const double ulp = narrow ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
    const double least = narrow ? std::numeric_limits<float>::denorm_min() : std::numeric_limits<double>::denorm_min();
    auto at = right.begin();
    for (std::size_t i = 0; i < v.size(); ++i, ++at) {
      const double wanted = narrow ? static_cast<double>(static_cast<float>(*at)) : *at;
      const bool same =
          std::isnan(wanted)
              ? std::isnan(v[i])
              : v[i] == wanted || std::abs(v[i] - wanted) <= ulps * (ulp * std::max(std::abs(wanted), size) + least);
      BOOST_TEST(same, what << ", number " << i << ": " << v[i] << " instead of " << wanted);
    }
  }
};

struct Unary {
  const char* name;
  std::function<Tensor(const Tensor&)> f;
  std::function<Array(const Array&)> of;
  double low, high;
};
// clang-format off
#define UNARY(op, low, high, expression) \
  Unary { #op, [](const Tensor& x) { return op(x); }, [](const Array& x) -> Array { return expression; }, low, high }
const std::vector<Unary> unaries{
    UNARY(neg, -2, 2, -x), UNARY(abs, -2, 2, xt::abs(x)), UNARY(square, -2, 2, xt::square(x)), UNARY(sqrt, 0.5, 2, xt::sqrt(x)),
    UNARY(cbrt, -2, 2, xt::cbrt(x)),
    UNARY(floor, -2, 2, xt::floor(x)), UNARY(ceil, -2, 2, xt::ceil(x)), UNARY(round, -2, 2, xt::nearbyint(x)),
    UNARY(exp, -2, 2, xt::exp(x)), UNARY(expm1, -2, 2, xt::expm1(x)), UNARY(log, 0.5, 2, xt::log(x)), UNARY(log1p, -0.5, 2, xt::log1p(x)),
    UNARY(log2, 0.5, 2, xt::log2(x)), UNARY(log10, 0.5, 2, xt::log10(x)), UNARY(sin, -2, 2, xt::sin(x)), UNARY(cos, -2, 2, xt::cos(x)),
    UNARY(tan, -1, 1, xt::tan(x)), UNARY(asin, -0.8, 0.8, xt::asin(x)), UNARY(acos, -0.8, 0.8, xt::acos(x)), UNARY(atan, -2, 2, xt::atan(x)),
    UNARY(sinh, -2, 2, xt::sinh(x)), UNARY(cosh, -2, 2, xt::cosh(x)), UNARY(tanh, -2, 2, xt::tanh(x)),
    UNARY(asinh, -2, 2, xt::asinh(x)), UNARY(acosh, 1, 3, xt::acosh(x)), UNARY(atanh, -0.8, 0.8, xt::atanh(x)), UNARY(erf, -2, 2, xt::erf(x)),
    UNARY(erfc, -2, 2, xt::erfc(x)), UNARY(reciprocal, 0.5, 2, 1 / x), UNARY(rsqrt, 0.5, 2, 1 / xt::sqrt(x)),
    UNARY(isnan, -2, 2, xt::cast<double>(xt::isnan(x))), UNARY(isfinite, -2, 2, xt::cast<double>(xt::isfinite(x))),
    UNARY(lgamma, 0.5, 3, xt::lgamma(x)), UNARY(relu, -2, 2, xt::where(xt::isnan(x), x, xt::maximum(x, 0.0))),
    UNARY(sign, -2, 2, xt::where(xt::isnan(x), x, xt::sign(x)))};
// clang-format on

struct Binary {
  const char* name;
  std::function<Tensor(const Tensor&, const Tensor&)> f;
  std::function<Array(const Array&, const Array&)> of;
  bool nan_too = true;  // has it a meaning there that is the same?
};
// clang-format off
#define BINARY(name, mine, theirs, ...) \
  Binary { name, [](const Tensor& x, const Tensor& y) -> Tensor { return mine; }, [](const Array& x, const Array& y) -> Array { return theirs; } __VA_OPT__(,) __VA_ARGS__ }
const std::vector<Binary> binaries{
    BINARY("add", x + y, x + y), BINARY("sub", x - y, x - y), BINARY("mul", x * y, x * y), BINARY("div", x / y, x / y),
    BINARY("pow", pow(abs(x), y), xt::pow(xt::abs(x), y)), BINARY("maximum", maximum(x, y), xt::maximum(x, y), false),
    BINARY("minimum", minimum(x, y), xt::minimum(x, y), false), BINARY("atan2", atan2(x, y), xt::atan2(x, y)),
    BINARY("hypot", hypot(x, y), xt::hypot(x, y)),
    BINARY("equal", x == y, xt::cast<double>(xt::equal(x, y))), BINARY("not_equal", x != y, xt::cast<double>(xt::not_equal(x, y))),
    BINARY("less", x < y, xt::cast<double>(x < y)), BINARY("less_equal", x <= y, xt::cast<double>(x <= y)),
    BINARY("greater", x > y, xt::cast<double>(x > y)), BINARY("greater_equal", x >= y, xt::cast<double>(x >= y)),
    BINARY("logical_and", logical_and(x > 0, y > 0), xt::cast<double>((x > 0) && (y > 0))),
    BINARY("logical_or", logical_or(x > 0, y > 0), xt::cast<double>((x > 0) || (y > 0))),
    BINARY("where", where(x > y, x, y), xt::where(x > y, x, y)), BINARY("clamp", clamp(x, -0.5, abs(y)), xt::clip(x, -0.5, xt::abs(y)), false)};
// clang-format on

// By means: with GCC 12 xtensor's variance and pad crash, and its immediate reducers.
Array variance(const Array& x, const std::vector<std::size_t>& axes) {
  const Array mean = xt::mean(x, axes), squares = xt::mean(xt::square(x), axes);
  return squares - xt::square(mean);
}

// Over one axis, or several.
constexpr auto lazy = std::tuple<xt::evaluation_strategy::lazy_type>();
struct Reduction {
  const char* name;
  std::function<Tensor(const Tensor&, const Axes&)> f;
  std::function<Array(const Array&, const std::vector<std::size_t>&)> of;
  bool of_none = true;
};
// clang-format off
#define REDUCTION(name, mine, theirs, ...) \
  Reduction { name, [](const Tensor& x, const Axes& a) -> Tensor { return mine; }, \
              [](const Array& x, const std::vector<std::size_t>& a) -> Array { return theirs; } __VA_OPT__(,) __VA_ARGS__ }
const std::vector<Reduction> reductions{
    REDUCTION("sum", sum(x, a), xt::sum(x, a)), REDUCTION("prod", prod(x, a), xt::prod(x, a)),
    REDUCTION("mean", mean(x, a), xt::mean(x, a), false), REDUCTION("var", var(x, a, 0), variance(x, a), false),
    REDUCTION("stddev", stddev(x, a, 0), xt::sqrt(variance(x, a)), false), REDUCTION("amax", amax(x, a), xt::amax(x, a), false),
    REDUCTION("amin", amin(x, a), xt::amin(x, a), false), REDUCTION("norm", norm(x, 2, a), xt::sqrt(xt::norm_sq(x, a, lazy)), false),
    REDUCTION("norm 1", norm(x, 1, a), xt::norm_l1(x, a, lazy), false), REDUCTION("norm 0", norm(x, 0, a), xt::norm_l0(x, a, lazy), false),
    REDUCTION("norm inf", norm(x, INFINITY, a), xt::norm_linf(x, a, lazy), false), REDUCTION("norm 3", norm(x, 3, a), xt::norm_lp(x, 3.0, a, lazy), false)};
// clang-format on

Array first_moved(const Array& x, std::size_t a) {
  std::vector<std::size_t> order(x.dimension());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::swap(order[0], order[a]);
  return xt::transpose(x, order);
}

// xtensor's argmax along the only axis is its argmin.
Array greatest_place(const Array& x, std::size_t a) {
  if (x.dimension() == 1) return xt::cast<double>(xt::argmax(x));
  return xt::cast<double>(xt::argmax(x, static_cast<std::ptrdiff_t>(a)));
}

// Along one axis, and the like.
struct Along {
  const char* name;
  std::function<Tensor(const Tensor&, Size)> f;
  std::function<Array(const Array&, std::size_t)> of;
  bool of_none = true;
};
#define ALONG(name, mine, theirs, ...)                                                           \
  Along {                                                                                        \
    name, [](const Tensor& x, Size a) -> Tensor { return mine; },                                \
        [](const Array& x, std::size_t a) -> Array { return theirs; } __VA_OPT__(, ) __VA_ARGS__ \
  }
const std::vector<Along> alongs{
    ALONG("cumsum", cumsum(x, a), xt::cumsum(x, static_cast<std::ptrdiff_t>(a)), false),
    ALONG("cumprod", cumprod(x, a), xt::cumprod(x, static_cast<std::ptrdiff_t>(a)), false),
    ALONG("sort", sort(x, a)[0], xt::sort(x, a), false),
    ALONG("argsort", argsort(x, a), xt::cast<double>(xt::argsort(x, a)), false),
    ALONG("argmax", argmax(x, a), greatest_place(x, a), false),
    ALONG("argmin", argmin(x, a), xt::cast<double>(xt::argmin(x, static_cast<std::ptrdiff_t>(a))), false),
    ALONG("flip", flip(x, a), xt::flip(x, a)),
    ALONG("roll", roll(x, 1, a), xt::roll(x, 1, static_cast<std::ptrdiff_t>(a)), false),
    ALONG("unsqueeze", unsqueeze(x, a), xt::expand_dims(x, a)),
    ALONG("concat", concat({x, 2 * x}, a), xt::concatenate(xt::xtuple(x, 2 * x), a)),
    ALONG("stack", stack({x, 2 * x}, a), xt::stack(xt::xtuple(x, 2 * x), a)),
    ALONG("the first moved", transpose(x, 0, a), first_moved(x, a))};

// Of matrices.
// clang-format off
const std::vector<Unary> of_matrices{
    UNARY(transpose, -2, 2, xt::transpose(x)), UNARY(diagonal, -2, 2, xt::diagonal(x)),
    Unary{"diagonal above", [](const Tensor& x) { return diagonal(x, 1); }, [](const Array& x) -> Array { return xt::diagonal(x, 1); }, -2, 2},
    Unary{"tril", [](const Tensor& x) { return tril(x, -1); }, [](const Array& x) -> Array { return xt::tril(x, -1); }, -2, 2},
    Unary{"triu", [](const Tensor& x) { return triu(x, 1); }, [](const Array& x) -> Array { return xt::triu(x, 1); }, -2, 2},
    UNARY(trace, -2, 2, xt::sum(xt::diagonal(x))),
    Unary{"index_select", [](const Tensor& x) { return index_select(x, 0, tensor({2, 0, 2})); },
          [](const Array& x) -> Array { return xt::view(x, xt::keep(2, 0, 2), xt::all()); }, -2, 2},
    Unary{"slice", [](const Tensor& x) { return slice(x, 1, 1, 4, 2); }, [](const Array& x) -> Array { return xt::view(x, xt::all(), xt::range(1, 4, 2)); }, -2, 2}};
// clang-format on

const Layout layouts[] = {Layout::dense,    Layout::permuted, Layout::sliced,
                          Layout::expanded, Layout::uniform,  Layout::pending};

// f(numbers, tensor, name) in every layout and dtype that the shape has; numbers as the dtype has them.
template <class F>
void for_layouts(const std::string& name, const Shape& shape, const sweep::Domain& domain, const F& f) {
  for (const Layout layout : layouts) {
    if ((layout == Layout::permuted || layout == Layout::expanded) && (shape.rank() < 2 || shape.numel() < 2)) continue;
    sweep::Draws draws(name);
    const Numbers v = sweep::sample(domain, shape, layout, 0, draws);  // exact in f32
    for (const DType dtype : {f32, f64}) {
      Tensor x = sweep::laid_out(v, shape, dtype, layout);
      if (layout == Layout::pending) x = x * 1;
      f(v, x, fmt::format("{} of {} {}, layout {}", name, xgrad::name(dtype), shape, static_cast<int>(layout)));
    }
  }
}

constexpr double few_ulps = 10;

}  // namespace

BOOST_AUTO_TEST_CASE(elementwise_of_one) {
  Checked check;
  for (const Unary& op : unaries)
    for (const Shape& shape : sweep::standard_shapes())
      for_layouts(op.name, shape, {op.low, op.high}, [&](const Numbers& v, const Tensor& x, const std::string& what) {
        check(what, op.f(x), op.of(array(v, shape)), few_ulps);
      });
  BOOST_TEST(check.seen > 3000);
}

BOOST_AUTO_TEST_CASE(elementwise_of_one_at_special_values) {
  Checked check;
  const std::set<std::string> far{"sin", "cos", "tan",
                                  "lgamma"};  // of which glibc's may be off as far as ours, or more
  const auto of = [&]<class T>(T) {
    const std::vector<T> special = kernel_cases::special<T>();
    const Shape shape{special.size()};
    for (const Unary& op : unaries) {
      std::vector<T> x;
      for (const T v : special) x.push_back(far.count(op.name) && std::abs(v) > 1000 ? T(1) : v);
      check(op.name, op.f(tensor(x)), op.of(array(Numbers(x.begin(), x.end()), shape)), few_ulps);
    }
  };
  of(float());
  of(double());
}

BOOST_AUTO_TEST_CASE(elementwise_of_two) {
  Checked check;
  std::vector<sweep::Shapes> pairs = sweep::broadcast_pairs();
  for (const Shape& s : sweep::standard_shapes()) pairs.push_back({s, s});
  for (const Binary& op : binaries) {
    for (const sweep::Shapes& s : pairs)
      for_layouts(op.name, s[0], {-2, 2}, [&](const Numbers& v, const Tensor& x, const std::string& what) {
        sweep::Draws draws(what);
        const Numbers w = sweep::sample({-2, 2}, s[1], Layout::dense, 1, draws);
        const Tensor y = sweep::laid_out(w, s[1], x.dtype(), Layout::dense);
        check(what, op.f(x, y), op.of(array(v, s[0]), array(w, s[1])), few_ulps);
      });
    const std::vector<double> special = kernel_cases::special<double>();
    Numbers a, b;
    for (const double p : special)
      for (const double q : special)
        if (op.nan_too || (p == p && q == q)) a.push_back(p), b.push_back(q);
    check(std::string(op.name) + " at special values", op.f(tensor(a), tensor(b)),
          op.of(array(a, Shape{a.size()}), array(b, Shape{b.size()})), few_ulps);
  }
}

BOOST_AUTO_TEST_CASE(over_axes) {
  Checked check;
  for (const Reduction& op : reductions)
    for (const Shape& shape : sweep::standard_shapes())
      for_layouts(op.name, shape, {0.5, 1.5}, [&](const Numbers& v, const Tensor& x, const std::string& what) {
        std::vector<std::vector<std::size_t>> lists;
        for (int a = 0; a < shape.rank(); ++a) {
          lists.push_back({static_cast<std::size_t>(a)});
          if (a > 0) lists.push_back({0, static_cast<std::size_t>(a)});
        }
        for (const std::vector<std::size_t>& axes : lists) {
          if (shape.numel() == 0 && !op.of_none) continue;
          if (std::string(op.name) == "prod" && shape.numel() > 100 && x.dtype() == f32) continue;  // out of its range
          const Array right = op.of(array(v, shape), axes);
          const double rounded = static_cast<double>(shape.numel());  // xtensor's: it takes one after the other
          check(what, op.f(x, axes), right, 40 + rounded, std::string(op.name) == "prod" ? 0 : 2);
        }
      });
  BOOST_TEST(check.seen > 1000);
}

BOOST_AUTO_TEST_CASE(along_axes) {
  Checked check;
  for (const Along& op : alongs)
    for (const Shape& shape : sweep::standard_shapes()) {
      if (shape.rank() == 0 || (shape.numel() == 0 && !op.of_none)) continue;
      const bool product = std::string(op.name) == "cumprod";
      for_layouts(op.name, shape, product ? sweep::Domain{0.999, 1.001, true} : sweep::Domain{-40, 40, true},
                  [&](const Numbers& v, const Tensor& x, const std::string& what) {
                    const bool ties = std::set<double>(v.begin(), v.end()).size() < v.size();
                    if (ties && std::string(op.name) == "argsort") return;  // xtensor's order of equal ones is any
                    for (int a = 0; a < shape.rank(); ++a)
                      check(fmt::format("{}, axis {}", what, a), op.f(x, a),
                            op.of(array(v, shape), static_cast<std::size_t>(a)), 40,
                            std::string(op.name) == "cumsum" ? 400 : 0);
                  });
    }
}

BOOST_AUTO_TEST_CASE(matrices) {
  Checked check;
  for (const Unary& op : of_matrices)
    for (const Shape& shape : {Shape{3, 4}, Shape{4, 4}, Shape{7, 5}, Shape{37, 45}})
      for_layouts(op.name, shape, {op.low, op.high}, [&](const Numbers& v, const Tensor& x, const std::string& what) {
        check(what, op.f(x), op.of(array(v, shape)), few_ulps, 40);
      });
}

BOOST_AUTO_TEST_CASE(makers) {
  Checked check;
  check("arange", arange(-1.0, 4.0, 0.5), xt::arange<double>(-1, 4, 0.5), 0);
  check("linspace", linspace(-1.0, 2.0, 7), xt::linspace<double>(-1, 2, 7), 2);
  check("eye", eye(4, f64), xt::eye<double>(4), 0);
  check("zeros", zeros({2, 3}, f64), xt::zeros<double>({2, 3}), 0);
  check("ones", ones({2, 3}, f64), xt::ones<double>({2, 3}), 0);
}
