#include <xgrad/training/range_test.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/training/plot_lines.hpp>

namespace xgrad::training {
namespace {

// Parameters and an optimizer, as they were.
class AsBefore {
 public:
  AsBefore(optim::Optimizer& optimizer, Source source)
      : optimizer_(optimizer),
        parameters_(optimizer.parameters(source)),
        state_(optimizer.state(source)),
        held_best_(optimizer.holds_best()),
        source_(source) {
    for (const Parameters::Entry& p : parameters_) values_.push_back(p.value().detach(source));
  }
  void again() {
    assign_all(parameters_, values_, source_);
    optimizer_.load_state(state_, source_);
    optimizer_.zero_grad();
    if (held_best_) optimizer_.best_is_back();
  }

 private:
  optim::Optimizer& optimizer_;
  Parameters parameters_;
  NamedTensors state_;
  bool held_best_;
  std::vector<Tensor> values_;
  Source source_;
};

void check(const RangeOptions& o, Source source) {
  const optim::Require require{"lr_range_test", source};
  require(o.min_lr > 0 && std::isfinite(o.min_lr), "a min_lr above 0", o.min_lr);
  require(o.max_lr > o.min_lr && std::isfinite(o.max_lr), "a max_lr above min_lr", o.max_lr);
  require(o.steps > 12, "13 steps or more", static_cast<double>(o.steps));
  require(o.smoothing >= 0 && o.smoothing < 1, "a smoothing in [0, 1)", o.smoothing);
  require(o.stop_factor > 1, "a stop_factor above 1", o.stop_factor);
}

void run(optim::Optimizer& optimizer, const Callable<Tensor()>& loss, const RangeOptions& o, RangeTest& seen,
         Source source) {
  std::vector<double> proportion;
  for (Size g = 0; g < optimizer.groups(); ++g)
    proportion.push_back(optimizer.lr(0) > 0 ? optimizer.lr(g) / optimizer.lr(0) : 1);
  double average = 0, least = std::numeric_limits<double>::infinity();
  for (Size i = 0; i < o.steps; ++i) {
    const double lr =
        o.min_lr * std::pow(o.max_lr / o.min_lr, static_cast<double>(i) / static_cast<double>(o.steps - 1));
    for (Size g = 0; g < optimizer.groups(); ++g)
      optimizer.set_lr(lr * proportion[static_cast<std::size_t>(g)], g, source);
    optimizer.zero_grad();
    const Tensor now = loss();
    if (!now.defined()) fail(source.named("lr_range_test"), "the loss gave an empty tensor; return a number");
    optimizer.look_at(now, source);
    now.backward({}, source);
    const double value = now.item(source);
    average = o.smoothing * average + (1 - o.smoothing) * value;
    const double smoothed = average / (1 - std::pow(o.smoothing, static_cast<double>(i + 1)));
    seen.diverged = !std::isfinite(value) || (i > 0 && smoothed - least > (o.stop_factor - 1) * std::abs(least));
    if (seen.diverged) return;
    seen.lr.push_back(lr);
    seen.loss.push_back(value);
    seen.smoothed.push_back(smoothed);
    least = std::min(least, smoothed);
    optimizer.step(source);
  }
}

}  // namespace

RangeTest lr_range_test(optim::Optimizer& optimizer, const Callable<Tensor()>& loss, const RangeOptions& options,
                        Source source) {
  check(options, source);
  optimizer.require_descent("lr_range_test", source);
  AsBefore before(optimizer, source);
  RangeTest seen;
  try {
    run(optimizer, loss, options, seen, source);
  } catch (...) {
    before.again();
    throw;
  }
  before.again();
  double steepest = 0;
  for (std::size_t i = 10; i + 2 < seen.smoothed.size(); ++i)
    if (const double slope = (seen.smoothed[i + 1] - seen.smoothed[i - 1]) / 2; slope < steepest) {
      steepest = slope;
      seen.suggestion = seen.lr[i];
    }
  return seen;
}

void plot_range_test(const RangeTest& test, const std::string& path, const std::string& title, Source source) {
  std::vector<Line> lines{{"smoothed loss", test.lr, test.smoothed}};
  for (std::size_t i = 0; i < test.lr.size(); ++i)
    if (test.lr[i] == test.suggestion)
      lines.push_back({fmt::format("suggestion {:.2g}", test.suggestion), {test.lr[i]}, {test.smoothed[i]}});
  plot_lines(lines, path, {.title = title, .x_label = "learning rate", .y_label = "loss", .log_x = true}, source);
}

}  // namespace xgrad::training
