// Optimizers against numbers that other programs gave, and what they say of themselves: optimizers/published.def.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>

#include "optimizers/rows.hpp"

using namespace xgrad;
using rows::Published;

namespace {

struct Problem {
  Tensor start;
  std::vector<Size> seen;  // steps
  std::function<Tensor(const Tensor&)> gradient;
  std::function<std::vector<double>(const Tensor&)> numbers;  // of the point
};

const std::map<std::string, Problem>& problems() {
  static const Tensor d = reshape(tensor({1.0, 2.0, 3.0}), {3, 1}), e = tensor({0.5, 1.0, 1.5}),
                      c = tensor({{1.0, 0.0, 0.0}, {0.0, 2.0, 0.0}, {1.0, 1.0, 1.0}});
  static const std::map<std::string, Problem> all{
      {"rosenbrock",
       {tensor({-1.2, 1.0}),
        {1, 2, 10},
        [](const Tensor& p) {
          const double x = p[0].item(), y = p[1].item();
          return tensor({-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)});
        },
        [](const Tensor& p) { return p.to_vector<double>(); }}},
      {"quadratic",
       {tensor({{1.0, -2.0, 0.5}, {0.3, 1.5, -1.0}, {-0.7, 0.2, 2.0}}),
        {1, 2, 10, 50},
        [](const Tensor& x) { return d * x + x * e - c; },
        [](const Tensor& x) {
          return std::vector<double>{x[0][0].item(), x[1][1].item(), x[2][1].item()};
        }}},
      {"squares",
       {tensor({1.0, 2.0, 3.0}),
        {1, 2, 3, 4, 5},
        [](const Tensor& x) { return 2 * x; },
        [](const Tensor& x) { return std::vector<double>{sum(square(x)).item()}; }}}};
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(as_others_have_it) {
  std::map<std::string, int> count;
  for (const Published& row : rows::published()) {
    const Problem& problem = problems().at(row.problem);
    ++count[row.problem];
    Parameter p = parameter(problem.start);
    const auto optimizer = row.make({p});
    std::size_t at = 0;
    for (Size step = 1; step <= problem.seen.back(); ++step) {
      p.set_grad(problem.gradient(p));
      optimizer->step();
      if (std::find(problem.seen.begin(), problem.seen.end(), step) == problem.seen.end()) continue;
      const bool averages = row.problem == "squares";
      if (averages) optimizer->eval();
      for (const double got : problem.numbers(p)) {
        const double wanted = row.numbers.at(at++);
        BOOST_TEST(std::abs(got - wanted) <= row.tolerance * std::max(std::abs(wanted), 0.1),
                   fmt::format("{}, {} of {}, step {}: {} instead of {}", row.rule, row.problem, row.whose, step, got,
                               wanted));
      }
      if (averages) optimizer->train();
    }
    BOOST_TEST(at == row.numbers.size(), row.rule);
  }
  BOOST_TEST((count["rosenbrock"] >= 35 && count["quadratic"] >= 14 && count["squares"] >= 12));
}
