// A range test of the learning rate (Smith 2017): steps at rates that grow, and the rate at which the loss fell the steepest.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include <xgrad/optim/optimizer.hpp>
#include <xgrad/training/plot.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::training {

struct RangeOptions {
  double min_lr = 1e-7, max_lr = 10;
  Size steps = 100;
  double smoothing = 0.98;  // s <- smoothing s + (1 - smoothing) loss, s / (1 - smoothing^t) is looked at
  double stop_factor = 4;   // it ends where that is more than so many times the least
};

struct RangeTest {
  std::vector<double> lr, loss, smoothed;  // of each step; the loss at the weights before it
  bool diverged = false;                   // it ended before all steps were taken
  // Where the smoothed loss falls the steepest from step to step, but for the first ten and the last; NaN: it falls nowhere.
  double suggestion = std::numeric_limits<double>::quiet_NaN();
};

// Steps i = 0 .. steps - 1 at min_lr (max_lr / min_lr)^(i / (steps - 1)); the rates of other groups keep their proportion to the
// first's. `loss` gives the loss of the next batch. Afterwards, after an Error too, the parameters and the optimizer are as they
// were; what layers keep of their own (running statistics) has moved: give it a copy of such a model. A rate is told from the
// optimizer's options alone: without schedules, or with those that are at 1.
RangeTest lr_range_test(optim::Optimizer& optimizer, const Callable<Tensor()>& loss, const RangeOptions& options = {},
                        Source source = Source::here());

// The smoothed loss over the rate (PNG), with the suggestion.
void plot_range_test(const RangeTest& test, const std::string& path, const std::string& title = "Learning rates",
                     Source source = Source::here());

}  // namespace xgrad::training

#pragma GCC visibility pop
