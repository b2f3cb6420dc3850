// Losses and activations at their edges: infinities, huge and tiny numbers, NaN, sure logits, options that a dtype cannot
// hold, no rows; and the names that their Errors go by. What is expected is worked out by hand.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include <xgrad/autodiff.hpp>
#include "bad_input.hpp"
#include "expected.hpp"
#include "helpers.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;
using helpers::says;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan_ = std::numeric_limits<double>::quiet_NaN();
constexpr nn::Reduction none = nn::Reduction::none, total = nn::Reduction::sum, average = nn::Reduction::mean;

constexpr double ulps = 6;  // of the expected number
void expect(const std::string& what, const Tensor& got, const std::vector<double>& expected) {
  helpers::expect(what, got, expected, ulps);
}

// ---- of one number each

struct OfNumber {
  const char* name;
  std::function<Tensor(const Tensor&, const Tensor&)> f;  // of x and a target
  double x, target, y, slope;
  DType least = f32;  // f64: in f32 the numbers are out of range
};
using Pair = std::function<Tensor(const Tensor&, const Tensor&)>;

Pair huber(double delta) {
  return [=](const Tensor& x, const Tensor& t) { return nn::huber_loss(x, t, {none, delta}); };
}
Pair smooth(double beta) {
  return [=](const Tensor& x, const Tensor& t) { return nn::smooth_l1_loss(x, t, {none, beta}); };
}
Pair bce(double weight = 1, double pos_weight = 1) {
  return [=](const Tensor& x, const Tensor& t) {
    return nn::binary_cross_entropy_with_logits(
        x, t, {none, full(x.shape(), weight, x.dtype()), full(x.shape(), pos_weight, x.dtype())});
  };
}
Pair plain_bce() {
  return [](const Tensor& x, const Tensor& t) { return nn::binary_cross_entropy_with_logits(x, t, {none}); };
}
const Pair mse = [](const Tensor& x, const Tensor& t) { return nn::mse_loss(x, t, {none}); };
const Pair l1 = [](const Tensor& x, const Tensor& t) { return nn::l1_loss(x, t, {none}); };

std::vector<OfNumber> rows_of_numbers() {
  const double soft = 1 - 0x1p-20, e50 = std::exp(-50.0), e1 = std::exp(-1.0);
  const auto leaky = [](const Tensor& x, const Tensor&) { return nn::leaky_relu(x, 0.25); };
  const auto elu = [](const Tensor& x, const Tensor&) { return nn::elu(x, 0.5); };
  const auto softplus = [](const Tensor& x, const Tensor&) { return nn::softplus(x, 2); };
  return {
      // clang-format off
      {"mse", mse, inf, 0, inf, inf}, {"mse", mse, -inf, 0, inf, -inf}, {"mse", mse, inf, inf, nan_, nan_},
      {"mse", mse, nan_, 0, nan_, nan_}, {"mse", mse, 0x1p+100, 0, inf, 0x1p+101}, {"mse", mse, 1, 1, 0, 0},
      {"l1", l1, inf, 0, inf, 1}, {"l1", l1, 0, inf, inf, -1}, {"l1", l1, nan_, 0, nan_, nan_}, {"l1", l1, 2, 2, 0, 0},
      {"l1", l1, 0x1p+127, 0, 0x1p+127, 1},

      {"huber", huber(1), inf, 0, inf, 1}, {"huber", huber(1), -inf, 0, inf, -1}, {"huber", huber(0.5), 0, inf, inf, -0.5},
      {"huber", huber(1), inf, inf, nan_, nan_}, {"huber", huber(1), nan_, 0, nan_, nan_}, {"huber", huber(1), 0, 0, 0, 0},
      {"huber", huber(1), 0x1p+100, 0, 0x1p+100, 1}, {"huber", huber(1), -0x1p+127, 0, 0x1p+127, -1},
      {"huber", huber(1), 0x1p-60, 0, 0x1p-121, 0x1p-60}, {"huber", huber(2), 2, 0, 2, 2}, {"huber", huber(2), -2, 0, 2, -2},
      {"huber", huber(2), 3, 0, 4, 2}, {"huber", huber(0x1p+60), 0x1p+10, 0, 0x1p+19, 0x1p+10},
      {"huber", huber(0x1p-60), 1, 0, 0x1p-60, 0x1p-60}, {"huber", huber(inf), 3, 0, 4.5, 3}, {"huber", huber(inf), inf, 0, inf, inf},
      {"huber", huber(1e-200), 1, 0, 1e-200, 1e-200, f64}, {"huber", huber(1), 1e300, 0, 1e300, 1, f64},

      {"smooth_l1", smooth(1), inf, 0, inf, 1}, {"smooth_l1", smooth(0.5), -inf, 0, inf, -1}, {"smooth_l1", smooth(1), nan_, 0, nan_, nan_},
      {"smooth_l1", smooth(1), inf, inf, nan_, nan_}, {"smooth_l1", smooth(0), inf, 0, inf, 1}, {"smooth_l1", smooth(0), 0, 0, 0, 0},
      {"smooth_l1", smooth(0x1p-100), 0x1p-20, 0, 0x1p-20, 1}, {"smooth_l1", smooth(0x1p-100), 0x1p-101, 0, 0x1p-103, 0.5},
      {"smooth_l1", smooth(0x1p+100), 0x1p+99, 0, 0x1p+97, 0.5}, {"smooth_l1", smooth(0x1p-126), 0, 0, 0, 0},
      {"smooth_l1", smooth(1e-50), 1, 0, 1, 1, f64}, {"smooth_l1", smooth(1e-300), 5e-301, 0, 1.25e-301, 0.5, f64},

      // - y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)); slope sigmoid(x) - y
      {"bce", plain_bce(), inf, 1, 0, 0}, {"bce", plain_bce(), -inf, 0, 0, 0}, {"bce", plain_bce(), inf, 0, inf, 1},
      {"bce", plain_bce(), -inf, 1, inf, -1}, {"bce", plain_bce(), inf, 0.5, inf, 0.5}, {"bce", plain_bce(), -inf, 0.5, inf, -0.5},
      {"bce", plain_bce(), nan_, 1, nan_, nan_}, {"bce", plain_bce(), nan_, 0, nan_, nan_}, {"bce", plain_bce(), 1, nan_, nan_, nan_},
      {"bce", plain_bce(), 0x1p+100, 1, 0, 0}, {"bce", plain_bce(), 0x1p+100, 0, 0x1p+100, 1}, {"bce", plain_bce(), -0x1p+127, 1, 0x1p+127, -1},
      {"bce", plain_bce(), 0, 0.5, std::log(2.0), 0}, {"bce", plain_bce(), 0, 1, std::log(2.0), -0.5},
      {"bce", plain_bce(), 50, 1, std::log1p(e50), -e50 / (1 + e50)}, {"bce", plain_bce(), -50, 0, std::log1p(e50), e50 / (1 + e50)},
      {"bce", plain_bce(), 50, soft, 0x1p-20 * 50, 0x1p-20}, {"bce", plain_bce(), -50, 0x1p-20, 0x1p-20 * 50, -0x1p-20},
      {"bce", plain_bce(), 80, 1 - 0x1p-24, 0x1p-24 * 80, 0x1p-24},
      {"bce", bce(2, 3), inf, 1, 0, 0}, {"bce", bce(2, 3), -inf, 1, inf, -6}, {"bce", bce(2, 3), inf, 0, inf, 2},
      {"bce", bce(0, 3), inf, 0, 0, 0}, {"bce", bce(2, 0), -inf, 1, 0, 0}, {"bce", bce(2, 3), 1, 1, 6 * std::log1p(e1), -6 * e1 / (1 + e1)},
      {"bce", bce(2, 3), 1, 0.25, 1.5 * std::log1p(e1) + 1.5 * (1 + std::log1p(e1)), (-1.5 * e1 + 1.5) / (1 + e1)},

      {"leaky_relu", leaky, inf, 0, inf, 1}, {"leaky_relu", leaky, -inf, 0, -inf, 0.25}, {"leaky_relu", leaky, nan_, 0, nan_, 0.25},
      {"leaky_relu", leaky, 0x1p+127, 0, 0x1p+127, 1}, {"elu", elu, inf, 0, inf, 1}, {"elu", elu, -inf, 0, -0.5, 0},
      {"elu", elu, nan_, 0, nan_, nan_}, {"elu", elu, 0x1p+127, 0, 0x1p+127, 1}, {"softplus", softplus, inf, 0, inf, 1},
      {"softplus", softplus, -inf, 0, 0, 0}, {"softplus", softplus, nan_, 0, nan_, nan_}, {"softplus", softplus, 0x1p+126, 0, 0x1p+126, 1},
      // clang-format on
  };
}

// ---- of rows of logits

struct OfRow {
  std::function<Tensor(const Tensor&, DType)> f;
  std::vector<double> x;
  double y;
  std::vector<double> slope;
};
using Classes = std::function<Tensor(const Tensor&, DType)>;

Classes index(Size target, double smoothing = 0, const std::vector<double>& weight = {}) {
  return [=](const Tensor& x, DType dtype) {
    return nn::cross_entropy(x, tensor(std::vector<Size>{target}),
                             {total, smoothing, -100, weight.empty() ? Tensor() : cast(tensor(weight), dtype)});
  };
}
Classes probabilities(const std::vector<double>& p, double smoothing = 0, const std::vector<double>& weight = {}) {
  return [=](const Tensor& x, DType dtype) {
    return nn::cross_entropy(x, reshape(cast(tensor(p), dtype), x.shape()),
                             {total, smoothing, -100, weight.empty() ? Tensor() : cast(tensor(weight), dtype)});
  };
}
Classes nll(Size target, const std::vector<double>& weight = {}) {
  return [=](const Tensor& x, DType dtype) {
    return nn::nll_loss(x, tensor(std::vector<Size>{target}),
                        {total, -100, weight.empty() ? Tensor() : cast(tensor(weight), dtype)});
  };
}

std::vector<OfRow> rows_of_logits() {
  const double log2 = std::log(2.0);
  return {
      {index(0), {0, -inf}, 0, {0, 0}},
      {index(0), {0, 0, -inf}, log2, {-0.5, 0.5, 0}},
      {index(1), {0, -inf}, inf, {1, -1}},
      {index(0), {1e4, -1e4}, 0, {0, 0}},
      {index(1), {1e4, -1e4}, 2e4, {1, -1}},
      {index(0), {nan_, 0}, nan_, {nan_, nan_}},
      {index(0), {-inf, -inf}, nan_, {nan_, nan_}},
      {index(0, 0.5), {0, -inf}, inf, {0.25, -0.25}},
      {index(0, 1), {0, 0}, log2, {0, 0}},
      {index(1, 1), {0, -inf}, inf, {0.5, -0.5}},
      {index(0, 0.5, {1, 0}), {0, -inf}, 0, {0, 0}},
      {index(1, 0, {1, 0}), {0, -inf}, 0, {0, 0}},
      {probabilities({1, 0}), {0, -inf}, 0, {0, 0}},
      {probabilities({0.5, 0.5, 0}), {0, 0, -inf}, log2, {0, 0, 0}},
      {probabilities({0.5, 0.5}), {0, -inf}, inf, {0.5, -0.5}},
      {probabilities({0, 1}, 0, {1, 0}), {0, -inf}, 0, {0, 0}},
      {probabilities({1, 0}, 0.5), {0, -inf}, inf, {0.25, -0.25}},
      {nll(0), {0, -inf}, 0, {-1, 0}},
      {nll(1), {0, -inf}, inf, {0, -1}},
      {nll(1, {1, 0}), {0, -inf}, 0, {0, 0}},
      {nll(0), {nan_, 0}, nan_, {-1, 0}},
  };
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_numbers) {
  for (const OfNumber& row : rows_of_numbers())
    for (const DType dtype : {f32, f64})
      for (const Size n : {1, 5, 2000}) {  // at once, and in a region
        if (row.least == f64 && dtype == f32) continue;
        const auto all = [&](double v) { return std::vector<double>(static_cast<std::size_t>(n), v); };
        const Tensor x = watch(cast(tensor(all(row.x)), dtype)), t = cast(tensor(all(row.target)), dtype);
        const std::string what = fmt::format("{}({}, {}) of {}", row.name, row.x, row.target, n);
        const Tensor y = row.f(x, t);
        // beyond f32 is infinite there
        const double most = dtype == f32 ? 0x1.fffffep127 : std::numeric_limits<double>::max();
        const double value = row.name == std::string("mse") && row.x == 0x1p+100 && dtype == f64 ? 0x1p+200 : row.y;
        expect(what, y, all(std::abs(value) > most ? std::copysign(inf, value) : value));
        expect("slope of " + what, grad(sum(y), {x})[0], all(row.slope));
        const auto f = [&](const Tensor& v) { return row.f(v, t); };
        expect("forward slope of " + what, jvp(f, x, ones({n}, dtype)).tangent, all(row.slope));
      }
}

BOOST_AUTO_TEST_CASE(of_rows_of_logits) {
  const std::vector<OfRow> rows = rows_of_logits();
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (const DType dtype : {f32, f64}) {
      const OfRow& row = rows[i];
      const Tensor x = watch(cast(reshape(tensor(row.x), {1, -1}), dtype));
      const Tensor y = row.f(x, dtype);
      expect(fmt::format("row {}", i), y, {row.y});
      expect(fmt::format("slope of row {}", i), grad(y, {x})[0], row.slope);
    }
}

// A class that is sure: the loss, its slopes and their slopes are made of what is left for the others, to the last digits.
BOOST_AUTO_TEST_CASE(of_a_sure_class) {
  for (const Size classes : {2, 3, 16, 17, 100})
    for (const double logit : {0.0, 1.0, 5.0, 20.0, 50.0, 80.0})
      for (const DType dtype : {f32, f64}) {
        const Size right = classes / 2;
        std::vector<double> x(static_cast<std::size_t>(classes), 0.0), slope, curved;
        x[static_cast<std::size_t>(right)] = logit;
        const double each = std::exp(-logit), others = static_cast<double>(classes - 1) * each,
                     q = others / (1 + others);
        for (Size c = 0; c < classes; ++c) {
          slope.push_back(c == right ? -q : each / (1 + others));
          curved.push_back(c == right ? q / (1 + others) : -each / (1 + others) / (1 + others));
        }
        for (const Size rows : {1, 11}) {
          const auto loss = [&](const Tensor& v) {
            return sum(nn::cross_entropy(v, full({rows}, right), {none})[rows - 1]);
          };
          const Tensor of = watch(cast(tensor(x) + zeros({rows, classes}, f64), dtype));
          const std::string what = fmt::format("{} rows of {} classes, logit {}", rows, classes, logit);
          const Tensor y = loss(of), g = grad(y, {of}, {.create_graph = true})[0][rows - 1];
          expect(what, y, {std::log1p(others)});
          const Tensor h = grad(g[right], {of})[0][rows - 1];
          expect("slope, " + what, g[right], {slope[static_cast<std::size_t>(right)]});
          expect("second slope, " + what, h[right], {curved[static_cast<std::size_t>(right)]});
          const double of_log = ulps + logit + std::log(static_cast<double>(classes));  // half an ulp of log p
          helpers::expect("slopes, " + what, g, slope, of_log);
          helpers::expect("second slopes, " + what, h, curved, of_log);
        }
      }
}

// A slope in the target is right, too, at targets of 0 and 1: - x for a binary one, - log p for one of many classes.
BOOST_AUTO_TEST_CASE(slopes_in_targets) {
  for (const DType dtype : {f32, f64}) {
    const Tensor x = cast(tensor({3.0, -2.0, 0.5}), dtype), t = watch(cast(tensor({0.0, 1.0, 0.25}), dtype));
    expect("bce", grad(nn::binary_cross_entropy_with_logits(x, t, {total}), {t})[0], {-3, 2, -0.5});
    const Tensor log_p = log_softmax(x, 0);
    expect("cross_entropy", grad(nn::cross_entropy(x, t, {total}), {t})[0], (-log_p).to_vector<double>());
  }
}

// Activations far out: where a limit exists, that is what they and both of their slopes are.
BOOST_AUTO_TEST_CASE(activations_far_out) {
  struct Row {
    const char* name;
    std::function<Tensor(const Tensor&)> f;
    double below, above, slope_below, slope_above;  // NaN: x itself
  };
  const Row rows[] = {
      {"silu", [](const Tensor& x) { return nn::silu(x); }, 0, nan_, 0, 1},
      {"gelu", [](const Tensor& x) { return nn::gelu(x); }, 0, nan_, 0, 1},
      {"gelu, tanh", [](const Tensor& x) { return nn::gelu(x, nn::GeluForm::tanh); }, 0, nan_, 0, 1},
      {"leaky_relu", [](const Tensor& x) { return nn::leaky_relu(x, 1); }, nan_, nan_, 1, 1},
      {"elu", [](const Tensor& x) { return nn::elu(x); }, -1, nan_, 0, 1},
      {"softplus", [](const Tensor& x) { return nn::softplus(x, 1); }, 0, nan_, 0, 1},
      {"softplus of 2 x", [](const Tensor& x) { return nn::softplus(x, 2); }, 0, nan_, 0, 1},
      {"softplus of -x", [](const Tensor& x) { return nn::softplus(x, -1); }, nan_, 0, 1, 0},
      {"relu", [](const Tensor& x) { return relu(x); }, 0, nan_, 0, 1},
      {"tanh", [](const Tensor& x) { return tanh(x); }, -1, 1, 0, 0},
      {"sigmoid", [](const Tensor& x) { return sigmoid(x); }, 0, 1, 0, 0},
      {"mish of a user", [](const Tensor& x) { return at_least(x, -1e4) * tanh(softplus(x)); }, 0, nan_, 0, nan_},
      {"mish", [](const Tensor& x) { return nn::mish(x); }, 0, nan_, 0, 1},
      {"hardtanh", [](const Tensor& x) { return nn::hardtanh(x); }, -1, 1, 0, 0},
      {"relu6", [](const Tensor& x) { return nn::relu6(x); }, 0, 6, 0, 0},
      {"hardsigmoid", [](const Tensor& x) { return nn::hardsigmoid(x); }, 0, 1, 0, 0},
      {"hardswish", [](const Tensor& x) { return nn::hardswish(x); }, 0, nan_, 0, 1},
      {"celu", [](const Tensor& x) { return nn::celu(x, 2); }, -2, nan_, 0, 1},
      {"logsigmoid", [](const Tensor& x) { return nn::logsigmoid(x); }, nan_, 0, 1, 0},
      {"hardshrink", [](const Tensor& x) { return nn::hardshrink(x); }, nan_, nan_, 1, 1},
      {"threshold", [](const Tensor& x) { return nn::threshold(x, 0.5, 0.25); }, 0.25, nan_, 0, 1},
  };
  for (const Row& row : rows)
    for (const double far : {1e4, 1e13, 1e30, inf})
      for (const DType dtype : {f32, f64})
        for (const double at : {-far, far}) {
          if (row.name == std::string("mish of a user") && at > 0) continue;
          const Tensor x = watch(cast(tensor({at, at, at}), dtype));
          const double reached = x.detach()[0].item(), y = at < 0 ? row.below : row.above;
          const double slope = at < 0 ? row.slope_below : row.slope_above, value = std::isnan(y) ? reached : y;
          const std::string what = fmt::format("{} at {}", row.name, at);
          const Tensor of = row.f(x), g = grad(sum(of), {x}, {.create_graph = true})[0];
          expect(what, of, {value, value, value});
          expect("slope of " + what, g, {slope, slope, slope});
          expect("second slope of " + what, grad(sum(g), {x}, {.allow_unused = true})[0], {0, 0, 0});
        }
}

BOOST_AUTO_TEST_CASE(second_derivatives_of_huber) {
  for (const double at : {0.0, 0.5, -0.5, 3.0, -1e30, inf}) {
    const double expected = std::abs(at) < 1 ? 1 : 0;
    const auto f = [](const Tensor& x) { return sum(nn::huber_loss(x, zeros_like(x), {none})); };
    const auto g = [](const Tensor& x) { return sum(nn::smooth_l1_loss(x, zeros_like(x), {none, 1})); };
    expect("huber", reshape(hessian(f, tensor({at})), {-1}), {expected});
    expect("smooth_l1", reshape(hessian(g, tensor({at})), {-1}), {expected});
  }
}

// Rows that are left out lead to nothing, whatever is in them.
BOOST_AUTO_TEST_CASE(ignored_rows) {
  for (const DType dtype : {f32, f64})
    for (const double bad : {nan_, inf, -inf}) {
      const Tensor x = watch(cast(tensor({{0.0, 0.0}, {bad, bad}}), dtype)), labels = tensor({0, -1});
      const Tensor loss = nn::cross_entropy(x, labels, {.ignore_index = -1});
      expect("cross_entropy", loss, {std::log(2.0)});
      expect("its slope", grad(loss, {x})[0], {-0.5, 0.5, 0, 0});
      const Tensor weighted = nn::cross_entropy(x, labels, {average, 0.5, -1, cast(tensor({2.0, 2.0}), dtype)});
      expect("smoothed and weighted", weighted, {std::log(2.0)});
      expect("its slope", grad(weighted, {x})[0], {-0.25, 0.25, 0, 0});
      expect("nll_loss", grad(nn::nll_loss(x, labels, {.ignore_index = -1}), {x})[0], {-1, 0, 0, 0});
    }
}

BOOST_AUTO_TEST_CASE(of_nothing) {
  const Tensor labels = zeros({0}, i64), x = zeros({0, 3}), numbers = zeros({0});
  using Loss = std::function<Tensor(nn::Reduction)>;
  const std::pair<const char*, Loss> losses[] = {
      {"cross_entropy", [&](nn::Reduction r) { return nn::cross_entropy(x, labels, {.reduction = r}); }},
      {"cross_entropy", [&](nn::Reduction r) { return nn::cross_entropy(x, x, {.reduction = r}); }},
      {"nll_loss", [&](nn::Reduction r) { return nn::nll_loss(x, labels, {.reduction = r}); }},
      {"mse_loss", [&](nn::Reduction r) { return nn::mse_loss(numbers, numbers, {r}); }},
      {"l1_loss", [&](nn::Reduction r) { return nn::l1_loss(numbers, numbers, {r}); }},
      {"huber_loss", [&](nn::Reduction r) { return nn::huber_loss(numbers, numbers, {r}); }},
      {"smooth_l1_loss", [&](nn::Reduction r) { return nn::smooth_l1_loss(numbers, numbers, {r}); }},
      {"smooth_l1_loss",
       [&](nn::Reduction r) {
         return nn::smooth_l1_loss(numbers, numbers, {r, 0});
       }},
      {"binary_cross_entropy_with_logits",
       [&](nn::Reduction r) { return nn::binary_cross_entropy_with_logits(numbers, numbers, {.reduction = r}); }},
  };
  for (const auto& [name, loss] : losses) {
    BOOST_CHECK_EXCEPTION(loss(average), Error, says(fmt::format("[{}] the mean of no losses", name)));
    BOOST_TEST(loss(total).item() == 0, name);
    BOOST_TEST((loss(none).shape() == Shape{0}), name);
  }
  // All rows left out are no rows.
  const Tensor logits = ones({2, 3}), left_out = tensor({-100, -100});
  BOOST_CHECK_EXCEPTION(nn::cross_entropy(logits, left_out), Error, says("[cross_entropy] the mean of no losses"));
  BOOST_CHECK_EXCEPTION(nn::cross_entropy(logits, left_out, {.weight = ones({3})}), Error,
                        says("[cross_entropy] the mean"));
  BOOST_CHECK_EXCEPTION(nn::nll_loss(logits, left_out), Error, says("[nll_loss] the mean of no losses"));
  BOOST_TEST(nn::cross_entropy(logits, left_out, {.reduction = total}).item() == 0);
  BOOST_TEST(sum(nn::cross_entropy(logits, left_out, {.reduction = none})).item() == 0);
}

BOOST_AUTO_TEST_CASE(one_class) {
  for (const Shape& shape : {Shape{5, 1}, Shape{5, 1, 2}, Shape{1}}) {
    Shape rows = shape;
    rows.erase(shape.rank() > 1 ? 1 : 0);
    for (const Tensor& target : {zeros(rows, i64), ones(shape)}) {
      BOOST_CHECK_EXCEPTION(nn::cross_entropy(ones(shape), target), Error,
                            says("[cross_entropy] expected two classes or more"));
      BOOST_CHECK_EXCEPTION(nn::cross_entropy(ones(shape), target), Error,
                            says("use binary_cross_entropy_with_logits"));
    }
  }
}

// ---- options that f32 cannot hold

BOOST_AUTO_TEST_CASE(options_out_of_range) {
  struct Option {
    const char* says;
    std::function<void(DType, double)> use;
  };
  const auto x = [](DType dtype) { return ones({3}, dtype); };
  const auto p = [](DType dtype) { return parameter(ones({3}, dtype)); };
  // clang-format off
  const Option options[] = {
      {"[huber_loss] expected the delta ", [&](DType d, double v) { nn::huber_loss(x(d), x(d), {.delta = v}); }},
      {"[smooth_l1_loss] expected the beta ", [&](DType d, double v) { nn::smooth_l1_loss(x(d), x(d), {.beta = v}); }},
      {"[leaky_relu] expected the negative_slope ", [&](DType d, double v) { nn::leaky_relu(x(d), v); }},
      {"[elu] expected the alpha ", [&](DType d, double v) { nn::elu(x(d), v); }},
      {"[softplus] expected the beta ", [&](DType d, double v) { nn::softplus(x(d), v); }},
      {"[init::uniform] expected the bound ", [&](DType d, double v) { Parameter q = p(d); nn::init::uniform(q, 0, v); }},
      {"[init::normal] expected the mean ", [&](DType d, double v) { Parameter q = p(d); nn::init::normal(q, v, 1); }},
      {"[init::normal] expected the deviation ", [&](DType d, double v) { Parameter q = p(d); nn::init::normal(q, 0, v); }},
      {"[init::constant] expected the number ", [&](DType d, double v) { Parameter q = p(d); nn::init::constant(q, v); }},
      {"[Adam] expected the eps ", [&](DType d, double v) { Parameter q = p(d); optim::Adam(Parameters{q}, {.eps = v}); }},
      {"[AdamW] expected the eps ", [&](DType d, double v) { Parameter q = p(d); optim::AdamW(Parameters{q}, {.eps = v}); }},
  };
  // clang-format on
  for (const Option& o : options) {
    for (const double v : {1e-50, 1e-40, 1e50}) {
      BOOST_CHECK_EXCEPTION(o.use(f32, v), Error, says(o.says));
      BOOST_CHECK_NO_THROW(o.use(f64, v));
    }
    for (const double v : {1e-37, 0.5, 1e37})
      for (const DType dtype : {f32, f64}) BOOST_CHECK_NO_THROW(o.use(dtype, v));
  }
  BOOST_CHECK_EXCEPTION(nn::cross_entropy(ones({2, 3}), tensor({0, 1}), {.label_smoothing = 1e-50}), Error,
                        says("[cross_entropy] expected the label_smoothing "));
  BOOST_CHECK_EXCEPTION(nn::smooth_l1_loss(x(f32), x(f32), {.beta = inf}), Error,
                        says("[smooth_l1_loss] expected a beta of 0 or more, and finite"));
  BOOST_CHECK_EXCEPTION(nn::softplus(x(f32), inf), Error, says("[softplus] expected a beta other than 0, and finite"));
  Parameter wide = p(f64), narrow = p(f32);
  BOOST_CHECK_EXCEPTION(optim::Adam({wide, narrow}, {.eps = 1e-50}), Error, says("[Adam] expected the eps "));
}

// ---- Errors go by the name that the user wrote

BOOST_AUTO_TEST_CASE(errors_name_what_was_written) {
  using One = std::function<Tensor(const Tensor&)>;
  const std::pair<const char*, One> activations[] = {
      {"gelu", [](const Tensor& x) { return nn::gelu(x); }},
      {"gelu", [](const Tensor& x) { return nn::gelu(x, nn::GeluForm::tanh); }},
      {"silu", [](const Tensor& x) { return nn::silu(x); }},
      {"leaky_relu", [](const Tensor& x) { return nn::leaky_relu(x); }},
      {"elu", [](const Tensor& x) { return nn::elu(x); }},
      {"softplus", [](const Tensor& x) { return nn::softplus(x, 2); }},
      {"softplus", [](const Tensor& x) { return nn::softplus(x, 1); }},
      {"dropout", [](const Tensor& x) { return nn::dropout(x); }},
  };
  using Two = std::function<Tensor(const Tensor&, const Tensor&)>;
  const std::pair<const char*, Two> losses[] = {
      {"mse_loss", [](const Tensor& x, const Tensor& t) { return nn::mse_loss(x, t); }},
      {"l1_loss", [](const Tensor& x, const Tensor& t) { return nn::l1_loss(x, t); }},
      {"huber_loss", [](const Tensor& x, const Tensor& t) { return nn::huber_loss(x, t); }},
      {"smooth_l1_loss", [](const Tensor& x, const Tensor& t) { return nn::smooth_l1_loss(x, t); }},
      {"smooth_l1_loss", [](const Tensor& x, const Tensor& t) { return nn::smooth_l1_loss(x, t, {.beta = 0}); }},
      {"binary_cross_entropy_with_logits",
       [](const Tensor& x, const Tensor& t) { return nn::binary_cross_entropy_with_logits(x, t); }},
      {"binary_cross_entropy_with_logits",
       [](const Tensor& x, const Tensor& t) {
         return nn::binary_cross_entropy_with_logits(x, t, {.weight = ones({7}), .pos_weight = ones({9})});
       }},
      {"cross_entropy", [](const Tensor& x, const Tensor& t) { return nn::cross_entropy(x, t); }},
      {"nll_loss", [](const Tensor& x, const Tensor& t) { return nn::nll_loss(x, t); }},
  };
  const Tensor bad[] = {Tensor(),          ones({2, 3}, i64), ones({2, 3}) > 0, zeros({0, 3}),
                        ones({}),          ones({2, 3}),      ones({4, 3, 2}),  ones({2}, i64),
                        ones({2, 3}, f64), ones({3}) > 0,     zeros({0}, i64)};
  int refused = 0;
  const auto check = [&](const char* name, const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& e) {
      ++refused;
      const std::string what = e.what();
      BOOST_CHECK_MESSAGE(what.find(fmt::format(": [{}] ", name)) != std::string::npos, name << ": " << what);
      BOOST_CHECK_MESSAGE(what.find("nn_edges_test.cpp:") == 0, what);
    }
  };
  for (const auto& [name, f] : activations)
    for (const Tensor& x : bad) check(name, [&, &f = f] { evaluate(f(x)); });
  for (const auto& [name, f] : losses)
    for (const Tensor& x : bad)
      for (const Tensor& t : bad) check(name, [&, &f = f] { evaluate(f(x, t)); });
  BOOST_TEST(refused > 500);
}
