// Schedules as values: PyTorch's numbers, composed ones, any option, saved and loaded; reduce on plateau.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

bool close(double a, double b) { return std::abs(a - b) <= 1e-9 * std::abs(b) + 1e-15; }

struct Row {
  const char* name;
  optim::Schedule schedule;
  std::vector<double> rates;  // of lr 0.1, at the steps below
};
constexpr Size at[] = {0, 1, 2, 5, 9, 10, 11, 19, 25};

// PyTorch 1.13.1's.
std::vector<Row> rows() {
  return {
      {"step",
       optim::step_decay({.every = 5, .gamma = 0.5}),
       {0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.003125}},
      {"linear", optim::warmup({.steps = 5}), {0.03333333333, 0.04666666667, 0.06, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}},
      {"cosine",
       optim::cosine({.steps = 20, .min_lr = 0.001}),
       {0.1, 0.09939057286, 0.09757729756, 0.08550178567, 0.05824350602, 0.0505, 0.04275649398, 0.001609427141,
        0.01549821433}},
      {"one after the other",
       optim::sequence({{optim::warmup({.steps = 5, .start = 0.1}), 5}, {optim::cosine({.steps = 20})}}),
       {0.01, 0.028, 0.046, 0.1, 0.09045084972, 0.08535533906, 0.07938926261, 0.02061073739, 0}},
      {"chained",
       optim::product({optim::warmup({.steps = 5, .start = 0.1}), [](Size t) { return std::pow(0.9, t); }}),
       {0.01, 0.0252, 0.03726, 0.059049, 0.0387420489, 0.03486784401, 0.03138105961, 0.01350851718, 0.007178979877}},
      {"exponential, of one's own",
       [](Size t) { return std::pow(0.9, t); },
       {0.1, 0.09, 0.081, 0.059049, 0.0387420489, 0.03486784401, 0.03138105961, 0.01350851718, 0.007178979877}},
  };
}

// What is wrong with a schedule; nothing: it gives these rates, as a value and attached.
std::string complaint(const Row& row) {
  Parameter a = parameter(0.0);
  optim::SGD optimizer({a}, {.lr = 0.1});
  optim::Scheduler scheduler(optimizer, row.schedule);
  std::size_t next = 0;
  for (Size t = 0; t <= at[std::size(at) - 1]; ++t) {
    if (t == at[next]) {
      const double wanted = row.rates[next++], value = 0.1 * row.schedule(t, 0.1);
      if (std::abs(value - wanted) > 6e-12) return fmt::format("{} at {}: {}, not {}", row.name, t, value, wanted);
      if (!close(optimizer.lr(), value))
        return fmt::format("{} at {}: lr {}, not {}", row.name, t, optimizer.lr(), value);
    }
    scheduler.step();
  }
  return {};
}

}  // namespace

BOOST_AUTO_TEST_CASE(rates_are_pytorchs) {
  for (const Row& row : rows()) BOOST_TEST(complaint(row) == "");
  Row wrong = rows()[3];  // a second part that does not begin at 0 again
  const optim::Schedule first = optim::warmup({.steps = 5, .start = 0.1}), second = optim::cosine({.steps = 20});
  wrong.schedule = [=](Size t) { return t < 5 ? first(t) : second(t); };
  BOOST_TEST(complaint(wrong) != "");
}

// Any option: what the optimizer does is what it does with that option set to the product, step by step.
BOOST_AUTO_TEST_CASE(any_option_is_driven) {
  const optim::Schedule falling = [](Size t) { return 1.0 / (1.0 + static_cast<double>(t)); };
  struct Option {
    const char* name;
    double optim::AdamRule::*member;
  };
  for (const Option& option : {Option{"lr", &optim::AdamRule::lr},
                               {"beta1", &optim::AdamRule::beta1},
                               {"beta2", &optim::AdamRule::beta2},
                               {"eps", &optim::AdamRule::eps},
                               {"weight_decay", &optim::AdamRule::weight_decay}}) {
    const optim::AdamRule options{.lr = 0.1, .beta1 = 0.5, .beta2 = 0.6, .eps = 0.01, .weight_decay = 0.3};
    Parameter a = parameter(tensor({1.0, -2.0})), b = parameter(tensor({1.0, -2.0}));
    optim::Adam driven({a}, options);
    optim::Scheduler scheduler(driven, option.member, falling);
    NamedTensors state = optim::Adam({b}, options).state();
    for (int t = 0; t < 5; ++t) {
      optim::AdamRule now = options;
      now.*option.member *= falling(t);
      optim::Adam by_hand({b}, now);  // anew for each step, with the state of the one before
      for (NamedTensor& entry : state)
        if (entry.name == "lr" || entry.name == "base_lr") entry.value = tensor(std::vector<double>{now.lr});
      by_hand.load_state(state);
      for (auto [p, optimizer] : {std::pair<Parameter*, optim::Optimizer*>{&a, &driven}, {&b, &by_hand}}) {
        p->set_grad(*p * (1.0 + t));
        optimizer->step();
      }
      state = by_hand.state();
      BOOST_TEST(allclose(a, b, 1e-14), option.name << " at " << t);
      scheduler.step();
    }
    // it leaves, and the option is as it was
    { const optim::Scheduler gone = std::move(scheduler); }
    optim::Adam plain({b}, options);
    for (NamedTensor& entry : state)
      if (entry.name == "lr" || entry.name == "base_lr") entry.value = tensor(std::vector<double>{options.lr});
    plain.load_state(state);
    for (auto [p, optimizer] : {std::pair<Parameter*, optim::Optimizer*>{&a, &driven}, {&b, &plain}}) {
      p->set_grad(*p);
      optimizer->step();
    }
    BOOST_TEST(allclose(a, b, 1e-14), option.name);
  }
}

// An option that a schedule has led out of its range is an Error of the step, and nothing has changed.
BOOST_AUTO_TEST_CASE(options_that_leave_their_range) {
  Parameter a = parameter(1.0);
  optim::SGD sgd({a}, {.lr = 0.1, .momentum = 0.5, .nesterov = true});
  optim::Scheduler scheduler(sgd, &optim::SGDRule::momentum, [](Size t) { return t < 1 ? 1.0 : 0.0; });
  a.set_grad(tensor(1.0));
  sgd.step();
  scheduler.step();
  const double before = a.item();
  BOOST_CHECK_EXCEPTION(sgd.step(), Error, says("[SGD] expected momentum above 0 for nesterov, got 0"));
  BOOST_TEST(a.item() == before);
  BOOST_TEST(line_of_error([&] { sgd.step(); }) == __LINE__);
  scheduler.resume(0);
  sgd.step();
  BOOST_TEST(a.item() < before);
}

// Schedulers of options come and go in any order, and may outlive the optimizer, as those of the lr do.
BOOST_AUTO_TEST_CASE(schedulers_of_options_outlive_optimizers) {
  Parameter a = parameter(1.0);
  std::optional<optim::SGD> sgd;
  sgd.emplace(Parameters{a}, optim::SGDRule{.lr = 0.1, .momentum = 0.5});
  optim::Scheduler momentum(*sgd, &optim::SGDRule::momentum, optim::warmup()), lr(*sgd, optim::warmup());
  optim::SGD moved = std::move(*sgd);
  sgd.reset();
  momentum.step();
  lr.step();
  BOOST_TEST(momentum.steps() == 1);
  a.set_grad(tensor(1.0));
  moved.step();
  optim::Scheduler last = std::move(momentum);
  BOOST_CHECK_EXCEPTION(momentum.step(), Error, says("this schedule was moved from"));
  moved = optim::SGD({a}, {.lr = 1});
  BOOST_CHECK_EXCEPTION(last.step(), Error, says("[warmup] its optimizer is gone"));
}

// A run that is saved in the middle, and loaded into a new optimizer with new schedulers, goes on bit for bit.
BOOST_AUTO_TEST_CASE(saved_and_loaded) {
  struct Run {
    Parameter a = parameter(tensor({1.0, -2.0, 3.0})), b = parameter(4.0);
    optim::Adam adam = optim::Adam({a}, {.lr = 0.1, .beta1 = 0.8});
    std::optional<optim::Scheduler> warm, beta;
    std::optional<optim::ReduceOnPlateau> plateau;
    Run() {
      adam.add_group({b}, {.lr = 0.05});
      warm.emplace(
          adam, optim::sequence({{optim::warmup({.steps = 4}), 4}, {optim::cosine({.steps = 20, .min_lr = 0.001})}}));
      beta.emplace(adam, &optim::AdamRule::beta1, [](Size t) { return 1.0 - 0.01 * static_cast<double>(t); });
      plateau.emplace(adam, optim::PlateauOptions{.factor = 0.5, .patience = 1, .cooldown = 1});
    }
    void steps(int n) {
      for (int i = 0; i < n; ++i) {
        adam.zero_grad();
        const Tensor loss = sum(square(a)) + square(b);
        loss.backward();
        adam.step();
        warm->step();
        beta->step();
        plateau->step(1.0);  // it never becomes better
      }
    }
  };
  Run through;
  through.steps(9);
  through.adam.save("middle");
  const Tensor a = through.a.value(), b = through.b.value();
  Run again;
  again.steps(2);
  again.a.assign(a);
  again.b.assign(b);
  again.adam.load("middle");
  BOOST_TEST((again.warm->steps() == 9 && again.beta->steps() == 9 && again.plateau->steps() == 9));
  for (const Size group : {0, 1}) BOOST_TEST(again.adam.lr(group) == through.adam.lr(group));
  through.steps(7);
  again.steps(7);
  for (const Size group : {0, 1}) BOOST_TEST(again.adam.lr(group) == through.adam.lr(group));
  BOOST_TEST((same_bits(again.a, through.a) && same_bits(again.b, through.b)));
  BOOST_TEST(through.adam.lr() < 0.05);

  Run fewer;
  fewer.plateau.reset();
  BOOST_CHECK_EXCEPTION(fewer.adam.load("middle"), Error, says("it has more schedules than the 2 here"));
  Run other;
  other.warm.reset();
  other.warm.emplace(other.adam, optim::warmup());  // now the last
  BOOST_CHECK_EXCEPTION(other.adam.load("middle"), Error,
                        says("schedule.0(sequence) was saved, here it is schedule.0("));
  NamedTensors state = through.adam.state();
  for (NamedTensor& entry : state)
    if (entry.name == "schedule.0(sequence)") entry.value = tensor(std::vector<double>{2.5});
  BOOST_CHECK_EXCEPTION(again.adam.load_state(state), Error, says("sequence has taken 2.5 steps"));
  // a state without schedules leaves them
  Run plain;
  plain.warm.reset(), plain.beta.reset(), plain.plateau.reset();
  again.adam.load_state(plain.adam.state());
  BOOST_TEST(again.warm->steps() == 16);
  std::filesystem::remove("middle");
}

// PyTorch's ReduceLROnPlateau: rates after each value.
BOOST_AUTO_TEST_CASE(plateau) {
  Parameter a = parameter(0.0);
  const auto rates = [&](const optim::PlateauOptions& options, const std::vector<double>& values) {
    optim::SGD sgd({a}, {.lr = 0.1});
    optim::ReduceOnPlateau schedule(sgd, options);
    BOOST_TEST(sgd.lr() == 0.1);
    std::vector<double> seen;
    for (const double v : values) {
      schedule.step(v);
      seen.push_back(sgd.lr());
    }
    return seen;
  };
  const std::vector<double> stays(9, 0.9);
  std::vector<double> falls = stays;
  falls[0] = 1;
  const std::vector<double> wanted{0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025};
  BOOST_TEST(rates({.factor = 0.5, .patience = 2, .cooldown = 1}, falls) == wanted);
  // the same upwards, for differences, for values below 0
  for (double& v : falls) v = -v;
  BOOST_TEST(rates({.factor = 0.5, .patience = 2, .threshold = 1e-4, .maximize = true, .absolute = true, .cooldown = 1},
                   falls) == wanted);
  BOOST_TEST(rates({.factor = 0.1, .patience = 0, .min_lr = 0.02}, {1, 1, 1}) ==
             (std::vector<double>{0.1, 0.02, 0.02}));
  BOOST_TEST(rates({.factor = 0.5, .patience = 0}, {1, std::nan(""), 0.5, 0.49999}) ==
             (std::vector<double>{0.1, 0.05, 0.05, 0.025}));
}

BOOST_AUTO_TEST_CASE(bad_input) {
  Parameter a = parameter(1.0);
  optim::SGD sgd({a}, {.lr = 0.1});
  BOOST_CHECK_EXCEPTION(optim::step_decay({}), Error, says("[step_decay] expected every to be given"));
  BOOST_CHECK_EXCEPTION(optim::cosine({.steps = 3, .min_lr = -1}), Error, says("[cosine] expected a finite min_lr"));
  BOOST_CHECK_EXCEPTION(optim::warmup({.steps = 3, .end = infinity}), Error, says("[warmup] expected a finite end"));
  BOOST_CHECK_EXCEPTION(optim::sequence({}), Error, says("[sequence] expected 1 part or more"));
  BOOST_CHECK_EXCEPTION(optim::sequence({{optim::warmup()}, {optim::warmup()}}), Error,
                        says("the steps of all parts but the last"));
  BOOST_CHECK_EXCEPTION(optim::product({}), Error, says("[product] expected 1 schedule or more"));
  BOOST_CHECK_EXCEPTION(optim::warmup()(-1), Error, says("[warmup] expected a step of 0 or more, got -1"));
  BOOST_CHECK_EXCEPTION(optim::ReduceOnPlateau(sgd, {.factor = 1}), Error, says("a factor in [0, 1)"));
  BOOST_CHECK_EXCEPTION(optim::ReduceOnPlateau(sgd, {.patience = -1}), Error, says("patience"));
  BOOST_CHECK_EXCEPTION(optim::ReduceOnPlateau(sgd, {.threshold = 1}), Error, says("threshold"));
  BOOST_CHECK_EXCEPTION(optim::ReduceOnPlateau(sgd, {.cooldown = -1}), Error, says("cooldown"));
  optim::Scheduler scheduler(sgd, [](Size t) { return t < 2 ? 0.5 : std::nan(""); });
  scheduler.step();
  BOOST_CHECK_EXCEPTION(scheduler.step(), Error,
                        says("[Schedule] expected a finite factor of 0 or more at step 2, got nan"));
  BOOST_TEST(scheduler.steps() == 1);
  BOOST_TEST(sgd.lr() == 0.05);
  BOOST_CHECK_THROW(optim::Scheduler(sgd, [](Size) { return -1.0; }), Error);
  scheduler.resume(0);
  BOOST_TEST(sgd.lr() == 0.05);
  optim::SGD moved = std::move(sgd);
  BOOST_CHECK_EXCEPTION(optim::Scheduler(sgd, optim::warmup()), Error, says("[warmup] this optimizer was moved from"));
}

// Whatever a schedule is at, a group that joins and a state without schedules get the lr that it says.
BOOST_AUTO_TEST_CASE(groups_and_states_that_come_later) {
  Parameter a = parameter(1.0), b = parameter(1.0), c = parameter(1.0);
  optim::SGD sgd({a}, {.lr = 0.1});
  optim::Scheduler rate(sgd, optim::warmup({.steps = 10, .start = 0.01}));
  sgd.add_group({b}, {.lr = 0.2});
  BOOST_TEST(close(sgd.lr(0), 0.001));
  BOOST_TEST(close(sgd.lr(1), 0.002));
  optim::SGD old({c}, {.lr = 0.3});
  old.add_group({b}, {.lr = 0.4});
  sgd.load_state(old.state());
  BOOST_TEST(close(sgd.lr(0), 0.003));
  BOOST_TEST(close(sgd.lr(1), 0.004));
  rate.step();
  BOOST_TEST(close(sgd.lr(0), 0.3 * (0.01 + 0.099)));

  // one that is kept out of the state: not saved, and it goes on after a load
  optim::SGD other({a}, {.lr = 0.1});
  optim::Scheduler kept(other, optim::step_decay({.every = 1, .gamma = 0.5}));
  optim::Scheduler out(other, optim::warmup({.steps = 10, .start = 0.01}));
  out.keep_out_of_state();
  kept.step();
  const NamedTensors saved = other.state();
  optim::SGD without({b}, {.lr = 0.1});
  optim::Scheduler again(without, optim::step_decay({.every = 1, .gamma = 0.5}));
  without.load_state(saved);
  BOOST_TEST(again.steps() == 1);
  BOOST_TEST(close(without.lr(), 0.05));
  other.load_state(saved);
  BOOST_TEST(close(other.lr(), 0.05 * 0.01));
}
