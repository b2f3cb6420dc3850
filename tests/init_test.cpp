// Initialisers: the distributions that they say, with PyTorch's formulas for gains and fans; orthogonal, sparse and identity
// weights are that exactly.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
namespace init = nn::init;

namespace {

struct Moments {
  double mean, deviation, low, high;
};
Moments moments_of(const Tensor& t) {
  const Tensor x = cast(t, f64);
  return {mean(x).item(), stddev(x).item(), amin(x).item(), amax(x).item()};
}
Tensor made(const Shape& shape, DType dtype, const std::function<void(Parameter&)>& f) {
  Parameter p(zeros(shape, dtype));
  f(p);
  return p.value();
}

}  // namespace

// Of 90,000 numbers the mean and the deviation are known to about 0.4 and 0.3 % of the deviation; bounds are nearly reached.
BOOST_AUTO_TEST_CASE(distributions) {
  manual_seed(1);
  const double of_truncated = 0.8796256610342397;  // the deviation of N(0, 1) within +-2
  struct Row {
    const char* name;
    std::function<void(Parameter&)> f;  // of a weight [300, 50, 2, 3]: fan_in 300, fan_out 1800
    double mean, deviation, low, high;  // infinite: no bound
  };
  constexpr double none = std::numeric_limits<double>::infinity();
  const double third = std::sqrt(3.0);
  const auto within = [&](double deviation) { return third * deviation; };
  const double xavier = std::sqrt(2.0 / 2100), kaiming = std::sqrt(2.0 / 300), lecun = std::sqrt(1.0 / 300);
  // clang-format off
  const Row rows[] = {
      {"uniform", [](Parameter& p) { init::uniform(p, -1, 3); }, 1, 4 / std::sqrt(12.0), -1, 3},
      {"normal", [](Parameter& p) { init::normal(p, 2, 0.5); }, 2, 0.5, -none, none},
      {"trunc_normal", [](Parameter& p) { init::trunc_normal(p); }, 0, of_truncated, -2, 2},
      {"trunc_normal std", [](Parameter& p) { init::trunc_normal(p, {.mean = 1, .std = 0.1, .low = 0.8, .high = 1.2}); }, 1,
       0.1 * of_truncated, 0.8, 1.2},
      {"trunc_normal one side", [](Parameter& p) { init::trunc_normal(p, {.low = 0, .high = 100}); }, std::sqrt(2 / std::acos(-1.0)),
       std::sqrt(1 - 2 / std::acos(-1.0)), 0, none},
      {"xavier_uniform", [](Parameter& p) { init::xavier_uniform(p, 2); }, 0, 2 * xavier, -within(2 * xavier), within(2 * xavier)},
      {"xavier_normal", [](Parameter& p) { init::xavier_normal(p); }, 0, xavier, -none, none},
      {"kaiming_uniform", [](Parameter& p) { init::kaiming_uniform(p); }, 0, kaiming, -within(kaiming), within(kaiming)},
      {"kaiming_normal", [](Parameter& p) { init::kaiming_normal(p, {.a = 1}); }, 0, kaiming / std::sqrt(2.0), -none, none},
      {"kaiming_normal out", [](Parameter& p) { init::kaiming_normal(p, {.mode = init::FanMode::out, .nonlinearity = init::Nonlinearity::tanh}); },
       0, 5.0 / 3 / std::sqrt(1800.0), -none, none},
      {"lecun_uniform", [](Parameter& p) { init::lecun_uniform(p); }, 0, lecun, -within(lecun), within(lecun)},
      {"lecun_normal", [](Parameter& p) { init::lecun_normal(p); }, 0, lecun, -none, none},
  };
  // clang-format on
  for (const Row& row : rows)
    for (const DType dtype : {f32, f64}) {
      const Tensor t = made({300, 50, 2, 3}, dtype, row.f);
      BOOST_TEST((t.dtype() == dtype && t.shape() == Shape{300, 50, 2, 3}));
      const Moments m = moments_of(t);
      BOOST_TEST(std::abs(m.mean - row.mean) < 0.02 * row.deviation, row.name << " mean " << m.mean);
      BOOST_TEST(std::abs(m.deviation / row.deviation - 1) < 0.015, row.name << " deviation " << m.deviation);
      const double slack = 1e-3 * row.deviation;
      if (row.low > -none)
        BOOST_TEST((m.low >= row.low - 1e-7 && m.low <= row.low + slack), row.name << " from " << m.low);
      if (row.high < none)
        BOOST_TEST((m.high <= row.high + 1e-7 && m.high >= row.high - slack), row.name << " to " << m.high);
    }
}

BOOST_AUTO_TEST_CASE(gains_and_fans) {  // torch.nn.init.calculate_gain
  using init::Nonlinearity;
  BOOST_TEST(init::gain(Nonlinearity::linear) == 1);
  BOOST_TEST(init::gain(Nonlinearity::sigmoid) == 1);
  BOOST_TEST(init::gain(Nonlinearity::tanh) == 5.0 / 3);
  BOOST_TEST(init::gain(Nonlinearity::relu) == std::sqrt(2.0));
  BOOST_TEST(init::gain(Nonlinearity::leaky_relu, 0.2) == std::sqrt(2 / 1.04));
  BOOST_TEST(init::gain(Nonlinearity::selu) == 0.75);
  BOOST_TEST(init::fans({6, 4, 3, 5}).in == 60);
  BOOST_TEST(init::fans({6, 4, 3, 5}).out == 90);
}

BOOST_AUTO_TEST_CASE(orthogonal_weights) {
  manual_seed(2);
  for (const Shape& shape :
       {Shape{1, 1}, Shape{5, 5}, Shape{40, 7}, Shape{7, 40}, Shape{8, 3, 2, 2}, Shape{150, 150}, Shape{2, 3}})
    for (const DType dtype : {f32, f64}) {
      const Tensor q = reshape(made(shape, dtype, [](Parameter& p) { init::orthogonal(p, 1.5); }), {shape[0], -1});
      const Tensor products = q.size(0) <= q.size(1) ? matmul(q, transpose(q)) : matmul(transpose(q), q);
      const double off = amax(abs(products - 2.25 * eye(products.size(0), dtype))).item();
      BOOST_TEST(off < (dtype == f64 ? 1e-13 : 2e-5), fmt::format("{} of {}", off, shape));
    }
  // Uniform among rotations: signs and places are even. Of 3 x 3 each square of a number has the mean 1/3.
  Tensor total = zeros({3, 3}, f64), squares = zeros({3, 3}, f64);
  for (int i = 0; i < 4000; ++i) {
    const Tensor q = made({3, 3}, f64, [](Parameter& p) { init::orthogonal(p); });
    total += q;
    squares += square(q);
  }
  BOOST_TEST(amax(abs(total / 4000)).item() < 0.04);
  BOOST_TEST(amax(abs(squares / 4000 - 1.0 / 3)).item() < 0.02);
}

BOOST_AUTO_TEST_CASE(sparse_weights) {
  manual_seed(3);
  const Tensor t = made({101, 60}, f32, [](Parameter& p) { init::sparse(p, {.sparsity = 0.3, .std = 2}); });
  const Tensor zeros_of = sum(t == 0, 0);
  BOOST_TEST(zeros_of.to_vector<Size>() == std::vector<Size>(60, 31), boost::test_tools::per_element());  // ceil(30.3)
  BOOST_TEST(std::abs(std::sqrt(sum(square(t)).item() / (60 * 70)) - 2) < 0.1);
  const std::vector<Size> rows = sum(t == 0, 1).to_vector<Size>();  // and not the same rows in all columns
  BOOST_TEST(*std::max_element(rows.begin(), rows.end()) < 40);
  BOOST_TEST(sum(made({4, 5}, f64, [](Parameter& p) { init::sparse(p, {.sparsity = 0}); }) == 0).item() == 0);
}

BOOST_AUTO_TEST_CASE(identities) {
  const Tensor wide = made({2, 3}, f64, [](Parameter& p) { init::eye(p); });
  BOOST_TEST(wide.to_vector<double>() == (std::vector<double>{1, 0, 0, 0, 1, 0}), boost::test_tools::per_element());
  manual_seed(4);
  // a convolution that hands on what it is given
  const Tensor x = randn({2, 6, 5, 7}, f64);
  for (const Size groups : {1, 2, 3}) {
    const Tensor w = made({6, 6 / groups, 3, 5}, f64, [&](Parameter& p) { init::dirac(p, groups); });
    const Tensor y = conv2d(x, w, Tensor(), {.padding = {1, 2}, .groups = groups});
    BOOST_TEST(amax(abs(y - x)).item() == 0);
  }
  const Tensor line =
      made({4, 2, 3}, f32, [](Parameter& p) { init::dirac(p); });  // the first two channels, and nothing
  const Tensor y = conv1d(ones({1, 2, 4}), line, Tensor(), {.padding = 1});
  BOOST_TEST(sum(y, {0, 2}).to_vector<double>() == (std::vector<double>{4, 4, 0, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  Parameter v(ones({3})), m(ones({3, 2})), none;
  CHECK_ERROR(init::trunc_normal(none), "[init::trunc_normal] expected a parameter with a value");
  CHECK_ERROR(init::trunc_normal(m, {.std = 0}), "[init::trunc_normal] expected a deviation above 0");
  CHECK_ERROR(init::trunc_normal(m, {.low = 1, .high = 1}), "[init::trunc_normal] expected low < high");
  CHECK_ERROR(init::trunc_normal(m, {.low = 20, .high = 30}), "more than 8 deviations of 1 from the mean 0");
  CHECK_ERROR(init::orthogonal(v), "[init::orthogonal] expected a weight [out, in, ...], got the shape (3,)");
  CHECK_ERROR(init::lecun_normal(v), "[init::lecun_normal] expected a weight");
  CHECK_ERROR(init::xavier_uniform(v), "[init::xavier_uniform] expected a weight");
  CHECK_ERROR(init::kaiming_normal(v), "[init::kaiming_normal] expected a weight");
  CHECK_ERROR(init::fans({3}), "[init::fans] expected a weight");
  CHECK_ERROR(init::sparse(v, {.sparsity = 0.5}), "[init::sparse] expected a matrix");
  CHECK_ERROR(init::sparse(m, {.sparsity = 1.5}), "[init::sparse] expected a sparsity in [0, 1]");
  CHECK_ERROR(init::eye(v), "[init::eye] expected a matrix");
  CHECK_ERROR(init::dirac(m), "[init::dirac] expected a convolution's weight of 3 to 5 axes");
  Parameter w(ones({4, 2, 3}));
  CHECK_ERROR(init::dirac(w, 3), "[init::dirac] expected groups that divide 4 channels, got 3");
  BOOST_TEST(sum(m).item() == 6);
  BOOST_TEST(sum(w).item() == 24);
}
