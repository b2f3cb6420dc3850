// Minima do not depend on the units that the loss is in: c (x^2 + 3 (y - 1/2)^2), by every method that takes a loss.
#include <boost/test/unit_test.hpp>
#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "minimize_problems.hpp"

using namespace xgrad;
using problems::method;

namespace {

std::vector<problems::Row> methods() {
  std::vector<problems::Row> all(std::begin(problems::rows), std::end(problems::rows));
  std::erase_if(all, [](const problems::Row& row) { return row.of_residuals; });
  const auto add = [&](const char* name, problems::Make make) { all.push_back({name, std::move(make), false, 500}); };
  const optim::Bounds box(-10, 10);
  add("GradientDescent", method<optim::GradientDescent>());
  add("OWLQN", method<optim::OWLQN>());
  add("FISTA", method<optim::FISTA>());
  add("ProximalGradient", method<optim::ProximalGradient>());
  add("LBFGSB, bounds", method<optim::LBFGSB>(optim::LBFGSBRule{.bounds = box}));
  add("ProjectedNewton, bounds", method<optim::ProjectedNewton>(optim::ProjectedNewtonRule{.bounds = box}));
  add("FISTA, bounds", method<optim::FISTA>(optim::FISTARule{.bounds = box}));
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(units_of_the_loss) {
  for (const problems::Row& row : methods())
    for (const Tensor& start : {tensor({1.0, -2.0}), tensor({0.0, 0.0})})
      for (const double c : {1e-30, 1e-20, 1e-15, 1e-12, 1e-6, 1.0, 1e6, 1e12, 1e20, 1e30, 1e100}) {
        Parameter x = parameter(start);
        const auto made = row.make(x);
        // There the norm is of x less what is within the bounds: it is no longer than they are wide.
        const bool within_bounds = std::string(row.name).find("bounds") != std::string::npos;
        const optim::Result fit = optim::minimize(
            *made, [&] { return c * (square(x[0]) + 3 * square(x[1] - 0.5)); },
            {.max_iterations = 500, .gradient_tolerance = 1e-7 * (within_bounds ? std::min(c, 1.0) : c)});
        BOOST_TEST(
            (fit.converged && fit.value <= 1e-14 * c),
            fmt::format("{} at c = {:.0e} from {}: value {:.2g} c, gradient {:.2g} c, {} iterations, {} calls, {}",
                        row.name, c, start, fit.value / c, fit.gradient_norm / c, fit.iterations, fit.evaluations.value,
                        fit.reason));
      }
}

// A loss that falls for ever does so in all units.
BOOST_AUTO_TEST_CASE(units_of_a_loss_without_a_minimum) {
  for (const double c : {1e-30, 1e-12, 1.0, 1e12, 1e30}) {
    const auto look = [&](const char* name, const problems::Make& make) {
      Parameter x = parameter(1.0);
      const auto made = make(x);
      const optim::Result fit = optim::minimize(*made, [&] { return -c * x; }, {.gradient_tolerance = 1e-7 * c});
      BOOST_TEST((fit.reason == optim::Reason::unbounded), name << " at " << c << ": " << to_string(fit.reason));
    };
    look("LBFGS", method<optim::LBFGS>());
    look("BFGS", method<optim::BFGS>());
    look("NonlinearCG", method<optim::NonlinearCG>());
    look("LBFGSB", method<optim::LBFGSB>());
  }
}

// Far from the infinite, though steps are a long way of directions that have become short.
BOOST_AUTO_TEST_CASE(units_of_the_parameters) {
  const std::pair<const char*, problems::Make> quasi_newton[] = {
      {"LBFGS", method<optim::LBFGS>()},
      {"BFGS", method<optim::BFGS>()},
      {"NonlinearCG", method<optim::NonlinearCG>()},
      {"LBFGSB", method<optim::LBFGSB>()},
      {"LBFGSB, bounds", method<optim::LBFGSB>(optim::LBFGSBRule{.bounds = optim::Bounds(-10, 10)})}};
  for (const auto& [name, make] : quasi_newton) {
    for (const double unit : {1e-5, 1.0, 1e4, 1e5, 5e5, 1e6})
      for (const double begin : {0.0, 1.0}) {
        const Tensor x = unit * linspace(1.0, 2.0, 50, f64), y = 3.0 + 2.0 * x / unit + 0.1 * sin(x / unit * 40);
        Parameter line = parameter(tensor({begin, begin}));
        const auto made = make(line);
        const optim::Result fit =
            optim::minimize(*made, [&] { return mean(square(line[0] + line[1] * x - y)); }, {.max_iterations = 500});
        BOOST_TEST((fit.reason != optim::Reason::unbounded),
                   fmt::format("{} at {:.0e} from {}: {} at {}", name, unit, begin, fit.reason, fit.value));
      }
    for (const double c : {1e8, 1e10, 1e11, 1e12, 1e13, 1e14}) {
      Parameter x = parameter(tensor({1.0, 1.0}));
      const auto made = make(x);
      const optim::Result fit = optim::minimize(*made, [&] { return square(x[0]) + c * square(x[1]); });
      BOOST_TEST((fit.reason != optim::Reason::unbounded), fmt::format("{} at {:.0e}: {}", name, c, fit.value));
    }
  }
}
