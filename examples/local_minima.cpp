// A cost with many minima, x^2 / 20 + sin^2(2 x): descent ends in the one nearest to where it began. Momentum carries it
// over the hills, noise that dies away kicks it out, and of many starts the best one is kept.
// Prints:
//   from 5.4         x    cost
//   descent      4.654   1.097
//   momentum     0.000   0.000
//   noise       -0.008   0.000
//   restarts     0.000   0.000
#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

Tensor cost(const Tensor& x) { return square(x) / 20 + square(sin(2 * x)); }

double minimise(optim::Optimizer& optimizer, const Parameter& x, int steps) {
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    cost(x).backward();
    optimizer.step();
  }
  return cost(x).item();
}

int main() {
  double least_plain, least_momentum, least_noise, least_of_many = 1e9;
  const auto say = [](const char* name, const Parameter& x, double value) {
    fmt::print("{:10} {:7.3f} {:7.3f}\n", name, std::abs(x.item()) < 5e-4 ? 0.0 : x.item(), value);  // no -0.000
  };
  fmt::print("from 5.4         x    cost\n");
  {
    Parameter x = parameter(5.4);
    optim::SGD descent({x}, {.lr = 0.01});
    say("descent", x, least_plain = minimise(descent, x, 2000));
  }
  {
    Parameter x = parameter(5.4);
    optim::SGD heavy({x}, {.lr = 0.01, .momentum = 0.98});
    say("momentum", x, least_momentum = minimise(heavy, x, 2000));
  }
  {
    Parameter x = parameter(5.4);
    optim::SGD descent({x}, {.lr = 0.01});
    optim::GradientNoise noise(descent, {.eta = 2000, .gamma = 0.3, .seed = 2});
    optim::Scheduler cooler(descent, optim::cosine({.steps = 10000}));
    for (int i = 0; i < 10000; ++i) {
      minimise(descent, x, 1);
      cooler.step();
    }
    say("noise", x, least_noise = cost(x).item());
  }
  {
    Parameter x = parameter(0.0), best = parameter(0.0);
    manual_seed(1);
    for (int start = 0; start < 20; ++start) {
      x = 16 * rand({}, f64) - 8;
      optim::SGD descent({x}, {.lr = 0.01});
      if (const double value = minimise(descent, x, 300); value < least_of_many) {
        least_of_many = value;
        best = x;
      }
    }
    say("restarts", best, least_of_many);
  }
  return least_plain > 0.5 && std::max({least_momentum, least_noise, least_of_many}) < 1e-3 ? 0 : 1;
}
