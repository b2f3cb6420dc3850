// The range test of the learning rate against plain loops of doubles, and pictures of lines and paths.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

#include "helpers.hpp"

using namespace xgrad;
using helpers::same_bits;
using helpers::says;

namespace {

const double noise[] = {0.3, -0.2, 0.1, 0.4, -0.5, 0.0, 0.2};

// (p - 3)^2 + noise p in batches, by SGD, in loops: as the header says.
training::RangeTest by_hand(double p, const training::RangeOptions& o) {
  training::RangeTest seen;
  double average = 0, least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < o.steps; ++i) {
    const double lr = o.min_lr * std::pow(o.max_lr / o.min_lr, i / (static_cast<double>(o.steps) - 1));
    const double loss = (p - 3) * (p - 3) + noise[i % 7] * p, g = 2 * (p - 3) + noise[i % 7];
    average = o.smoothing * average + (1 - o.smoothing) * loss;
    const double smoothed = average / (1 - std::pow(o.smoothing, i + 1));
    if (i > 0 && smoothed > o.stop_factor * least) {
      seen.diverged = true;
      break;
    }
    seen.lr.push_back(lr), seen.loss.push_back(loss), seen.smoothed.push_back(smoothed);
    least = std::min(least, smoothed);
    p -= lr * g;
  }
  double steepest = 0;
  for (std::size_t i = 10; i + 2 < seen.lr.size(); ++i)
    if (const double slope = seen.smoothed[i + 1] - seen.smoothed[i - 1]; slope < steepest)
      steepest = slope, seen.suggestion = seen.lr[i];
  return seen;
}

struct Problem {
  Parameter p = parameter(-2.0);
  int call = 0;
  Tensor loss() { return square(p - 3) + noise[call++ % 7] * p; }
};

void check_near(const std::vector<double>& got, const std::vector<double>& wanted) {
  BOOST_REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    BOOST_REQUIRE(std::abs(got[i] - wanted[i]) <= 1e-10 * (1 + std::abs(wanted[i])));
}

}  // namespace

BOOST_AUTO_TEST_CASE(as_by_hand) {
  for (const training::RangeOptions& o : {training::RangeOptions{},
                                          {.min_lr = 1e-4, .max_lr = 1e2, .steps = 60, .smoothing = 0.9},
                                          {.min_lr = 1e-6, .max_lr = 1e-3, .steps = 30, .smoothing = 0}}) {
    Problem problem;
    optim::SGD sgd({problem.p}, {.lr = 0.5});
    const training::RangeTest got = training::lr_range_test(
                                  sgd, [&] { return problem.loss(); }, o),
                              wanted = by_hand(-2, o);
    check_near(got.lr, wanted.lr);
    check_near(got.loss, wanted.loss);
    check_near(got.smoothed, wanted.smoothed);
    BOOST_TEST(got.diverged == wanted.diverged);
    BOOST_TEST(std::abs(got.suggestion - wanted.suggestion) <= 1e-12 * wanted.suggestion);
    BOOST_TEST(got.suggestion > 0);
  }
  BOOST_TEST(by_hand(-2, {.max_lr = 1e3}).diverged);
  BOOST_TEST(!by_hand(-2, {.max_lr = 1e-3}).diverged);
}

// Weights, state, rates and averages around it are as they were: what follows is what would have followed.
BOOST_AUTO_TEST_CASE(everything_is_as_before) {
  struct Run {
    Problem problem;
    Parameter other = parameter(1.0);
    optim::Adam adam = optim::Adam({problem.p}, {.lr = 0.1});
    Run() { adam.add_group({other}, {.lr = 0.02}); }
    void steps(int n) {
      for (int i = 0; i < n; ++i) {
        adam.zero_grad();
        (problem.loss() + square(other)).backward();
        adam.step();
      }
    }
  } a, b;
  optim::EMA ea(a.adam), eb(b.adam);
  a.steps(5), b.steps(5);
  std::vector<double> ratio;
  const training::RangeTest seen = training::lr_range_test(b.adam, [&] {
    ratio.push_back(b.adam.lr(1) / b.adam.lr(0));
    return b.problem.loss() + square(b.other);
  });
  for (const double r : ratio) BOOST_TEST(std::abs(r - 0.2) < 1e-12);
  BOOST_TEST((b.adam.lr(0) == 0.1 && b.adam.lr(1) == 0.02));
  b.problem.call = a.problem.call;
  a.steps(5), b.steps(5);
  a.adam.eval(), b.adam.eval();
  BOOST_TEST((same_bits(a.problem.p, b.problem.p) && same_bits(a.other, b.other)));
  a.adam.train(), b.adam.train();

  int calls = 0;
  const Tensor before = b.problem.p;
  BOOST_CHECK_EXCEPTION(
      training::lr_range_test(b.adam, [&] { return ++calls < 20 ? b.problem.loss() + square(b.other) : Tensor(); }),
      Error, says("[lr_range_test] the loss gave an empty tensor"));
  BOOST_TEST(same_bits(b.problem.p, before));
  BOOST_TEST(b.adam.lr() == 0.1);
  // a loss that is never a number
  const training::RangeTest none =
      training::lr_range_test(b.adam, [&] { return b.problem.loss() + square(b.other) + std::nan(""); });
  BOOST_TEST((none.diverged && none.lr.empty() && std::isnan(none.suggestion)));
  using Options = training::RangeOptions;
  const auto loss = [&] { return b.problem.loss() + square(b.other); };
  for (const Options& bad :
       {Options{.min_lr = 0}, {.min_lr = 1, .max_lr = 1}, {.steps = 12}, {.smoothing = 1}, {.stop_factor = 1}})
    BOOST_CHECK_THROW(training::lr_range_test(b.adam, loss, bad), Error);
}

BOOST_AUTO_TEST_CASE(pictures) {
  using training::Line;
  const std::vector<Line> bad{{"a", {1, 2}, {1}}}, empty{{"a", {}, {}}}, negative{{"a", {}, {-1, -2}}};
  BOOST_CHECK_EXCEPTION(training::plot_lines(bad, "bad.png"), Error, says("[plot_lines] the line a has 2 x and 1 y"));
  BOOST_CHECK_EXCEPTION(training::plot_lines(empty, "bad.png"), Error,
                        says("[plot_lines] expected at least one point"));
  BOOST_CHECK_EXCEPTION(training::plot_lines(negative, "bad.png", {.log_y = true}), Error,
                        says("expected at least one point"));
  const auto bowl = [](double x, double y) { return x * x + 3 * y * y; };
  BOOST_CHECK_EXCEPTION(training::plot_paths(bowl, {1, -1, 0, 1}, {{"a", {0}, {0}}}, "bad.png"), Error,
                        says("[plot_paths] expected a box"));
  BOOST_TEST(!std::filesystem::exists("bad.png"));
  if (!training::can_plot()) {
    BOOST_CHECK_EXCEPTION(training::plot_lines({{"a", {}, {1, 2}}}, "lines.png"), Error, says("gnuplot is not there"));
    return;
  }
  BOOST_CHECK_EXCEPTION(
      training::plot_paths([](double, double) { return std::nan(""); }, {-1, 1, -1, 1}, {{"a", {0}, {0}}}, "bad.png"),
      Error, says("nowhere finite"));
  training::plot_lines(
      {{"falls", {}, {1, 0.1, 0.01, std::nan("")}}, {"a point", {1.5}, {0.5}}, {"", {0, 2}, {0.2, 0.2}}}, "lines.png",
      {.title = "It's", .x_label = "step", .y_label = "loss", .log_y = true});
  training::plot_paths(bowl, {-2, 2, -1, 1}, {{"a", {-1.5, -0.5, 0}, {0.8, 0.1, 0}}}, "paths.png", {.title = "A bowl"});
  Problem problem;
  optim::SGD sgd({problem.p}, {.lr = 0.5});
  training::plot_range_test(training::lr_range_test(sgd, [&] { return problem.loss(); }), "range.png");
  for (const char* name : {"lines.png", "paths.png", "range.png"}) {
    std::ifstream file(name, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), {});
    BOOST_TEST(bytes.substr(1, 3) == "PNG", name);
    BOOST_TEST(bytes.size() > 5000u, name);
  }
}

// Best weights that were put back before are still such afterwards, after an Error, too.
BOOST_AUTO_TEST_CASE(best_weights) {
  Parameter a = parameter(5.0);
  optim::ScheduleFreeSGD free({a}, {.lr = 0.9});
  for (int i = 0; i < 5; ++i) free.step(square(a - 1.0));
  free.best_is_back();
  BOOST_TEST(free.holds_best());
  BOOST_CHECK_EXCEPTION(training::lr_range_test(free, [&] { return square(a - 1.0); }), Error,
                        says("[ScheduleFreeSGD] the best"));
  BOOST_TEST(free.holds_best());
  optim::SGD sgd({a}, {.lr = 0.9});
  sgd.best_is_back();
  training::lr_range_test(sgd, [&] { return square(a - 1.0); });
  BOOST_TEST(sgd.holds_best());
}
