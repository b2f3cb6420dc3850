// Every optimizer on every problem: in the steps that it is given it comes to the value of problems.def.
#include <boost/test/unit_test.hpp>
#include <set>

#include "optimizers/problems.hpp"
#include "optimizers/rows.hpp"

using namespace xgrad;
using problems::Problem;
using rows::Goal;

namespace {

const std::map<std::string, Problem>& all_problems() {
  static const auto all = problems::all();
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(comes_below) {
  for (const Goal& goal : rows::goals()) {
    manual_seed(1);
    const Problem& problem = all_problems().at(goal.problem);
    const auto [p, trained] = problems::Begun(problem, goal.rule == "Muon");  // only matrices may be orthogonal
    const double start = problem.value(p), below = goal.below > 0 ? goal.below : problem.reach;
    const auto optimizer = goal.make(trained);
    for (int step = 0; step < goal.steps; ++step) optimizer->step(problem.loss(p));
    optimizer->eval();
    const double got = problem.value(p);
    BOOST_TEST(got <= below,
               goal.rule << ", " << goal.problem << ": " << got << " where " << below << " was to be reached");
    BOOST_TEST(below < start, goal.rule << ", " << goal.problem << " is no goal");
  }
}

BOOST_AUTO_TEST_CASE(each_on_each) {
  std::set<std::pair<std::string, std::string>> met;
  for (const Goal& goal : rows::goals()) {
    BOOST_TEST(met.insert({goal.rule, goal.problem}).second, goal.rule << " meets " << goal.problem << " twice");
    BOOST_TEST((goal.below == 0 || goal.below > all_problems().at(goal.problem).reach),
               goal.rule << " solves " << goal.problem);
  }
  for (const auto& table : {rows::all(), rows::of_loss()})
    for (const rows::Row& row : table) {
      if (row.name.find('<') != std::string::npos) continue;  // made of another rule
      for (const auto& [name, problem] : all_problems()) {
        const bool matrices = problem.start[0].dim() == 2;
        if (!row.of_matrices || matrices)
          BOOST_TEST(met.count({row.name, name}) == 1,
                     row.name << " has no row for " << name << " in optimizers/problems.def; find_problems finds it");
      }
    }
}
