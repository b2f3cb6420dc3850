// Every schedule against PyTorch's values, or the published formula's (references/make_schedule_table.py), at steps 0 to 60:
// as a value, attached to the option that it is for, and after a file has been loaded in the middle.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <limits>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::says;
using optim::Between;
using optim::Ramp;
using optim::Schedule;

namespace {

constexpr Size steps = 61;

struct Row {
  const char* name;
  Schedule schedule;
  double base = 0.1;
  bool momentum = false;  // of that, not of the lr
};

Schedule after_warmup(Size of, Schedule then) {
  return optim::sequence({{optim::warmup({of, 0, 1}), of}, {std::move(then)}});
}

const std::vector<Row>& rows() {
  using namespace optim;
  using Form = CyclicOptions::Form;
  static const std::vector<Row> all = {
      {"step_decay", step_decay({.every = 7, .gamma = 0.5})},
      {"multistep_decay", multistep_decay({.milestones = {30, 4, 9, 9}, .gamma = 0.5})},
      {"constant", optim::constant({.factor = 0.25, .steps = 6})},
      {"warmup", warmup({.steps = 12, .start = 0.2, .end = 0.9})},
      {"exponential_decay", exponential_decay({.gamma = 0.93})},
      {"exponential_decay by steps", exponential_decay({.gamma = 0.5, .every = 7})},
      {"exponential_decay by stairs", exponential_decay({.gamma = 0.5, .every = 7, .stairs = true})},
      {"polynomial_decay", polynomial_decay({.steps = 40, .power = 1.5})},
      {"polynomial_decay to an end", polynomial_decay({.steps = 40, .power = 2, .min_lr = 0.01})},
      {"polynomial_decay in cycles", polynomial_decay({.steps = 13, .min_lr = 0.01, .cycle = true})},
      {"inverse_time_decay", inverse_time_decay({.rate = 0.4, .every = 6})},
      {"inverse_time_decay by stairs", inverse_time_decay({.rate = 0.4, .every = 6, .stairs = true})},
      {"inverse_sqrt_decay", after_warmup(9, inverse_sqrt_decay({.timescale = 9}))},
      {"inverse_sqrt_decay of a timescale", after_warmup(9, inverse_sqrt_decay({.timescale = 20}))},
      {"power_decay", power_decay({.power = 0.7})},
      {"power_decay of an offset", power_decay({.power = 0.55, .offset = 10})},
      {"rex_decay", rex_decay({.steps = 50, .min_lr = 0.004})},
      {"noam", noam({.width = 64, .warmup = 20}), 1},
      {"demon", demon({.steps = 50}), 0.9, true},
      {"cosine", cosine({.steps = 25, .min_lr = 0.003})},
      {"cosine_restarts", cosine_restarts({.steps = 8, .min_lr = 0.002})},
      {"cosine_restarts of growing length", cosine_restarts({.steps = 3, .factor = 2, .min_lr = 0.002})},
      {"restarts that fall", cosine_restarts({.steps = 9, .min_lr = 0.002, .decay = 0.7})},
      {"restarts that fall and grow", cosine_restarts({.steps = 4, .factor = 3, .min_lr = 0.002, .decay = 0.7})},
      {"cosine_cycles", after_warmup(10, cosine_cycles({.steps = 40, .cycles = 3}))},
      {"warm-up and cosine", after_warmup(10, cosine({.steps = 51}))},
      {"warm-up and cosines", after_warmup(10, cosine_cycles({.steps = 40, .cycles = 1.5, .hard = false}))},
      {"linear warm-up and decay", after_warmup(10, polynomial_decay({.steps = 40}))},
      {"cyclic triangular", cyclic({.peak = 0.7, .up = 6, .down = 4})},
      {"cyclic triangular2", cyclic({.peak = 0.7, .up = 5, .form = Form::triangular2})},
      {"cyclic exp_range", cyclic({.peak = 0.7, .up = 6, .down = 9, .form = Form::exp_range, .gamma = 0.97})},
      {"cyclic momentum", cyclic({.peak = 0.8, .up = 6, .down = 4}), 0.9, true},
      {"one_cycle", one_cycle({.steps = 52})},
      {"one_cycle linear",
       one_cycle({.steps = 45, .pct_start = 0.37, .div_factor = 10, .final_div_factor = 100, .linear = true})},
      {"one_cycle three phases", one_cycle({.steps = 61, .three_phase = true})},
      {"one_cycle_momentum", one_cycle_momentum({.steps = 52}), 0.95, true},
      {"one_cycle_momentum three phases", one_cycle_momentum({.steps = 61, .linear = true, .three_phase = true}), 0.95,
       true},
      {"anneal", anneal({.lr = 0.02, .steps = 15})},
      {"anneal linear", anneal({.lr = 0.3, .steps = 12, .linear = true})},
      {"sequence", sequence({{warmup({.steps = 5, .start = 0.1}), 5}, {cosine({.steps = 20})}})},
      {"product", product({warmup({.steps = 5, .start = 0.1}), exponential_decay({.gamma = 0.9})})},
      {"of one's own", [](Size t) { return 1 / (1 + 0.3 * static_cast<double>(t)); }},
      {"warmup_stable_decay", warmup_stable_decay({.warmup = 8, .stable = 20, .decay = 25})},
      {"warmup_stable_decay by cosines",
       warmup_stable_decay(
           {.warmup = 8, .stable = 20, .decay = 25, .up = Ramp::cosine, .down = Ramp::cosine, .least = 0.1})},
      {"warmup_stable_decay, late and square",
       warmup_stable_decay(
           {.warmup = 8, .stable = 20, .decay = 25, .up = Ramp::late, .down = Ramp::square, .least = 0.05})},
      {"piecewise", piecewise({{0, 1}, {10, 0.4}, {33, 0.05}})},
      {"piecewise linear", piecewise({{0, 1.0 / 25}, {15, 1}, {42, 1.0 / 25}, {50, 1 / 25e4}}, Between::linear)},
      {"piecewise cosine", piecewise({{0, 1.0 / 25}, {15, 1}, {50, 1 / 25e4}}, Between::cosine)},
  };
  return all;
}

const references::File& wanted() {
  static const references::File file("schedule_table");
  return file;
}

// Of values of the size of the base; empty: none differs.
std::string difference(const std::vector<double>& got, const std::vector<double>& expected, double base) {
  for (std::size_t t = 0; t < expected.size(); ++t)
    if (!(std::abs(got.at(t) - expected[t]) <= 2e-15 * base + 1e-13 * std::abs(expected[t])))
      return fmt::format("{} instead of {} at step {}", got[t], expected[t], t);
  return {};
}

std::vector<double> values(const Row& row) {
  std::vector<double> all;
  for (Size t = 0; t < steps; ++t) all.push_back(row.base * row.schedule(t, row.base));
  return all;
}

// What SGD has done with the option: without momentum p <- p - lr; with it b <- momentum b + 1, from b = 1.
struct Run {
  Parameter p = parameter(0.0);
  optim::SGD sgd;
  optim::Scheduler scheduler;
  bool momentum;
  explicit Run(const Row& row)
      : sgd({p}, row.momentum ? optim::SGDRule{.lr = 1, .momentum = row.base} : optim::SGDRule{.lr = row.base}),
        scheduler(row.momentum ? optim::Scheduler(sgd, &optim::SGDRule::momentum, row.schedule)
                               : optim::Scheduler(sgd, row.schedule)),
        momentum(row.momentum) {}
  double next() {
    double used = sgd.lr();
    if (momentum) {  // the buffer is 1: the next is momentum + 0
      NamedTensors state = sgd.state();
      for (NamedTensor& entry : state)
        if (entry.name == "0.step") entry.value = full({}, Size{1});
        else if (entry.name == "0.momentum_buffer") entry.value = tensor(1.0);
      sgd.load_state(state);
      p.set_grad(tensor(0.0));
      const double before = p.item();
      sgd.step();
      used = before - p.item();
      p = 0.0;
    }
    scheduler.step();
    return used;
  }
};

std::vector<double> driven(const Row& row) {
  Run first(row), second(row);
  std::vector<double> seen;
  for (Size t = 0; t < 20; ++t) seen.push_back(first.next());
  first.sgd.save("schedule");
  second.next();
  second.sgd.load("schedule");
  for (Size t = 20; t < steps; ++t) seen.push_back(second.next());
  return seen;
}

}  // namespace

BOOST_AUTO_TEST_CASE(as_values) {
  for (const Row& row : rows())
    BOOST_TEST(difference(values(row), wanted()[row.name].to_vector<double>(), row.base) == "", row.name);
  Row other = rows()[0];
  other.schedule = optim::step_decay({.every = 8, .gamma = 0.5});
  BOOST_TEST(difference(values(other), wanted()["step_decay"].to_vector<double>(), 0.1) != "");
}

BOOST_AUTO_TEST_CASE(attached_and_loaded) {
  for (const Row& row : rows()) {
    const std::string off = difference(driven(row), wanted()[row.name].to_vector<double>(), row.base);
    BOOST_TEST(off == "", std::string(row.name) + ": " + off);
  }
  std::filesystem::remove("schedule");
}

// The same from any count: a value has no memory.
BOOST_AUTO_TEST_CASE(in_any_order) {
  for (const Row& row : rows()) {
    const std::vector<double> forward = values(row);
    for (Size t = steps - 1; t >= 0; t -= 7) {
      const Schedule copy = row.schedule;
      BOOST_TEST(row.base * copy(t, row.base) == forward[static_cast<std::size_t>(t)], row.name);
    }
    for (const Size t : {Size{1} << 40, (Size{1} << 62) + 1})
      BOOST_TEST(std::isfinite(row.schedule(t, row.base)), row.name);
  }
}

// Those that remember.
BOOST_AUTO_TEST_CASE(multiplicative) {
  Parameter p = parameter(0.0);
  const auto f = [](Size t) { return 0.9 + 0.05 * static_cast<double>(t % 3); };
  optim::SGD first({p}, {.lr = 0.1}), second({p}, {.lr = 0.1});
  optim::MultiplicativeLR a(first, f), b(second, f);
  std::vector<double> seen;
  const auto go = [&](optim::SGD& sgd, optim::MultiplicativeLR& schedule, Size n) {
    for (Size t = 0; t < n; ++t) {
      seen.push_back(sgd.lr());
      schedule.step();
    }
  };
  go(first, a, 30);
  second.load_state(first.state());
  BOOST_TEST(b.steps() == 30);
  go(second, b, steps - 30);
  BOOST_TEST(difference(seen, wanted()["MultiplicativeLR"].to_vector<double>(), 0.1) == "");
  optim::MultiplicativeLR bad(second, [](Size t) { return t < 2 ? 1.0 : -1.0; });
  bad.step();
  const double before = second.lr();
  BOOST_CHECK_EXCEPTION(bad.step(), Error, says("[MultiplicativeLR] expected a finite product of 0 or more, got -1"));
  BOOST_TEST(bad.steps() == 1);
  BOOST_TEST(second.lr() == before);
}

BOOST_AUTO_TEST_CASE(plateaus) {
  const std::vector<double> losses = wanted()["plateau.values"].to_vector<double>();
  const struct {
    const char* name;
    optim::PlateauOptions options;
  } all[] = {
      {"plateau.defaults", {}},
      {"plateau.cooldown", {.factor = 0.5, .patience = 2, .threshold = 1e-3, .cooldown = 3}},
      {"plateau.absolute", {.factor = 0.3, .patience = 1, .threshold = 0.01, .absolute = true, .min_lr = 0.004}},
      {"plateau.greater", {.factor = 0.7, .patience = 3, .threshold = 0.05, .maximize = true}},
  };
  Parameter p = parameter(0.0);
  for (const auto& row : all) {
    optim::SGD first({p}, {.lr = 0.1}), second({p}, {.lr = 0.1});
    optim::ReduceOnPlateau a(first, row.options), b(second, row.options);
    std::vector<double> seen;
    for (std::size_t t = 0; t < losses.size(); ++t) {
      if (t == 33) second.load_state(first.state());
      (t < 33 ? a : b).step(losses[t]);
      seen.push_back((t < 33 ? first : second).lr());
    }
    const std::string off = difference(seen, wanted()[row.name].to_vector<double>(), 0.1);
    BOOST_TEST(off == "", std::string(row.name) + ": " + off);
    BOOST_TEST(seen.back() < 0.1, row.name);
  }
}

BOOST_AUTO_TEST_CASE(bad_input) {
  using namespace optim;
  const double infinity = std::numeric_limits<double>::infinity();
  const struct {
    const char* part;
    std::function<void()> make;
  } all[] = {
      {"[multistep_decay] expected 1 milestone or more", [] { multistep_decay({}); }},
      {"[multistep_decay] expected milestones of 0 or more, got -1",
       [] {
         multistep_decay({.milestones = {3, -1}});
       }},
      {"[constant] expected a finite factor of 0 or more, got -1", [] { optim::constant({.factor = -1}); }},
      {"[exponential_decay] expected gamma to be given", [] { exponential_decay({}); }},
      {"[polynomial_decay] expected 1 step or more", [] { polynomial_decay({.steps = 0}); }},
      {"[polynomial_decay] expected an option above 0", [] { polynomial_decay({.min_lr = 0.1})(1, 0); }},
      {"[inverse_time_decay] expected the rate to be given", [] { inverse_time_decay({}); }},
      {"[inverse_sqrt_decay] expected a timescale of 1", [] { inverse_sqrt_decay({.timescale = 0}); }},
      {"[power_decay] expected an offset above 0", [] { power_decay({.offset = 0}); }},
      {"[rex_decay] expected steps to be given", [] { rex_decay({}); }},
      {"[noam] expected the width to be given", [] { noam({}); }},
      {"[demon] expected a momentum in [0, 1), got 1", [] { demon({.steps = 3})(0, 1); }},
      {"[ramp] expected steps to be given", [] { ramp({}); }},
      {"[warmup_stable_decay] expected the steps of the decay", [] { warmup_stable_decay({.warmup = 3}); }},
      {"[anneal] expected the lr to be given", [] { anneal({}); }},
      {"[piecewise] expected 1 corner or more", [] { piecewise({}); }},
      {"[piecewise] expected corners at steps of 0 or more, in order, got 3",
       [] {
         piecewise({{3, 1}, {3, 2}});
       }},
      {"[cosine_restarts] expected steps to be given", [] { cosine_restarts({}); }},
      {"[cosine_restarts] expected a factor of 1 or more", [] { cosine_restarts({.steps = 3, .factor = 0}); }},
      {"[cosine_cycles] expected cycles above 0", [&] { cosine_cycles({.steps = 3, .cycles = -infinity}); }},
      {"[cyclic] expected the peak to be given", [] { cyclic({}); }},
      {"[cyclic] expected an option above 0", [] { cyclic({.peak = 1})(0, 0); }},
      {"[one_cycle] expected steps to be given, 2 or more", [] { one_cycle({}); }},
      {"[one_cycle] expected a pct_start in (0, 1) that is more than one step, got 0.3",
       [] { one_cycle({.steps = 3}); }},
      {"[one_cycle] expected a pct_start below 1/2",
       [] { one_cycle({.steps = 30, .pct_start = 0.6, .three_phase = true}); }},
      {"[one_cycle_momentum] expected steps", [] { one_cycle_momentum({}); }},
  };
  for (const auto& row : all) BOOST_CHECK_EXCEPTION(row.make(), Error, says(row.part));
  BOOST_TEST(helpers::line_of_error([] { noam({}); }) == __LINE__);
}
