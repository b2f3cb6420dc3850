#include "optimizers/rows.hpp"

#include <cmath>
#include <limits>

// Rules made of another, by a word.
namespace xgrad::optim {
using CautiousOfQHMRule = CautiousRule<QHMRule>;
using CautiousOfLaPropRule = CautiousRule<LaPropRule>;
using CautiousOfLAMBRule = CautiousRule<LAMBRule>;
using ScheduleFreeOfYogiRule = ScheduleFreeRule<YogiRule>;
using ScheduleFreeOfLaPropRule = ScheduleFreeRule<LaPropRule>;
using ScheduleFreeOfLAMBRule = ScheduleFreeRule<LAMBRule>;
}  // namespace xgrad::optim

namespace rows {

std::vector<Row> all() {
  using optim::Graft;
  using optim::ScionNorm;
  std::vector<Row> table;
#define OPTIMIZER(Name, ...) table.push_back(row(#__VA_ARGS__, optim::Name##Rule{__VA_ARGS__}));
#include "optimizers/table.def"
#undef OPTIMIZER
  return table;
}

std::vector<Row> of_loss() {
  std::vector<Row> table;
#define OF_LOSS(Name, ...) table.push_back(row(#__VA_ARGS__, optim::Name##Rule{__VA_ARGS__}));
#include "optimizers/of_loss.def"
#undef OF_LOSS
  return table;
}

#define OPTIONS(...) __VA_ARGS__
#define MAKES(Name, options) \
  [](const Parameters& p) { return std::make_unique<optim::Name>(p, optim::Name##Rule{OPTIONS options}); }

std::vector<Published> published() {
  using optim::Graft;
  using optim::ScionNorm;
  std::vector<Published> list;
#define OF(problem, Name, whose, tolerance, options, ...) \
  list.push_back({#problem, #Name, whose, tolerance, MAKES(Name, options), {__VA_ARGS__}});
#include "optimizers/published.def"
#undef OF
  return list;
}

namespace {

template <class Rule>
Goal goal(const char* problem, int steps, double below, const Rule& rule) {
  return {problem, Rule::name, steps, below,
          [=](const Parameters& p) { return std::make_unique<optim::Descent<Rule>>(p, rule); }};
}

}  // namespace

std::vector<Goal> goals() {
  using optim::Graft;
  using optim::ScionNorm;
  std::vector<Goal> list;
#define COMES_TO(problem, Name, steps, below, options) \
  list.push_back(goal(#problem, steps, below, optim::Name##Rule{OPTIONS options}));
#define REACHES(problem, Name, steps, options) COMES_TO(problem, Name, steps, 0, options)
#include "optimizers/problems.def"
#undef REACHES
#undef COMES_TO
  return list;
}

namespace {

template <class Rule>
void refuse(std::vector<Refusal>& list, const char* option, double Rule::*member, std::vector<double> bad,
            const std::string& expected) {
  bad.insert(bad.end(), {std::numeric_limits<double>::infinity(), std::nan("")});
  for (const double value : bad)
    list.push_back({Rule::name, option, value, expected,
                    [=](Parameter& w) {
                      Rule rule;
                      rule.*member = value;
                      optim::Descent<Rule>({w}, rule);
                    },
                    [=](Parameter& w) {
                      optim::Descent<Rule> optimizer({w});
                      optimizer.rule().*member = value;
                      optimizer.step();
                    }});
}

}  // namespace

std::vector<Refusal> refusals() {
  std::vector<Refusal> list;
#define OTHERS(Name, option, expected, ...) refuse(list, #option, &optim::Name##Rule::option, {__VA_ARGS__}, expected);
#define FRACTION(Name, option) OTHERS(Name, option, #option " in [0, 1)", -0.1, 1)
#define NOT_NEGATIVE(Name, option) OTHERS(Name, option, "a finite " #option " of 0 or more", -1)
#define POSITIVE(Name, option) OTHERS(Name, option, "a finite " #option " above 0", -1, 0)
#include "optimizers/bad_options.def"
  return list;
}

}  // namespace rows
