// Every optimizer on small problems: in the steps that it is given it comes below the value of problems.def.
#define BOOST_TEST_MODULE optimizer_problems
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "optimizers/rows.hpp"

using namespace xgrad;
using rows::Goal;

namespace {

Tensor ordinals(Size n) { return cast(arange(n), f64); }

struct Problem {
  std::vector<Tensor> start;
  std::function<Tensor(const std::vector<Parameter>&)> loss;
};

std::map<std::string, Problem> problems() {
  std::map<std::string, Problem> all;

  // the sum of c x^2 / 2, c from 1 to 100
  const Tensor curvature = pow(10.0, reshape(ordinals(10), {2, 5}) * (2.0 / 9));
  all["quadratic"] = {{ones({2, 5}, f64)}, [=](const auto& p) { return 0.5 * sum(curvature * square(p[0])); }};

  all["rosenbrock"] = {{tensor({-1.2, 1.0})}, [](const auto& p) {
                         return 100 * square(p[0][1] - square(p[0][0])) + square(1 - p[0][0]);
                       }};

  // two classes that overlap
  const Tensor i = ordinals(60), x = stack({sin(1.7 * i), 3 * cos(2.3 * i), ones({60}, f64)}, 1);
  const Tensor y = cast(sin(1.7 * i) + 0.5 * cos(2.3 * i) + 0.8 * sin(5.1 * i) > 0.2, f64);
  all["logistic"] = {{zeros({3}, f64)}, [=](const auto& p) {
                       const Tensor z = matmul(x, p[0]);
                       return mean(softplus(z) - y * z);
                     }};

  // a network of 2, 8 and 1 numbers learns a product
  const Tensor k = ordinals(16), e = slice(k, 0, 0, 8), a = ordinals(49);
  const Tensor grid = stack({floor_divide(a, 7) / 3 - 1, remainder(a, 7) / 3 - 1}, 1);
  const Tensor wanted = slice(grid, 1, 0, 1) * slice(grid, 1, 1, 2);
  all["net"] = {{reshape(sin(1 + 3 * k), {8, 2}), 0.1 * cos(e), reshape(0.5 * cos(2 * e), {1, 8}), zeros({1}, f64)},
                [=](const auto& p) { return mean(square(linear(tanh(linear(grid, p[0], p[1])), p[2], p[3]) - wanted)); }};
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(comes_below) {
  const std::map<std::string, Problem> all = problems();
  std::set<std::string> rules;
  for (const Goal& goal : rows::goals()) {
    manual_seed(1);
    const Problem& problem = all.at(goal.problem);
    std::vector<Parameter> p;
    Parameters trained;
    for (const Tensor& start : problem.start) p.push_back(parameter(start));
    for (Parameter& x : p)
      if (goal.rule != "Muon" || x.value().dim() == 2) trained.add(std::to_string(trained.size()), x);
    const auto optimizer = goal.make(trained);
    for (int step = 0; step < goal.steps; ++step) optimizer->step(problem.loss(p));
    optimizer->eval();
    const double got = problem.loss(p).item(), start = problem.loss({problem.start.begin(), problem.start.end()}).item();
    BOOST_TEST(got <= goal.below, goal.rule << ", " << goal.problem << ": " << got << " where " << goal.below << " was to be reached");
    BOOST_TEST(goal.below < start, goal.rule << ", " << goal.problem << " is no goal");
    rules.insert(goal.rule);
  }
  for (const auto& table : {rows::all(), rows::of_loss()})
    for (const rows::Row& r : table) BOOST_TEST(rules.count(r.name) == 1, r.name << " has no goal");
}
