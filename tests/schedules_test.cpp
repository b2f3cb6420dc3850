// Schedules come, go, move and outlive their optimizer: each factor multiplies while its schedule lives, and no longer.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <type_traits>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

// Every schedule: as it is made, and moved into another of its type. A new one is a row here.
struct Row {
  const char* name;
  std::function<std::unique_ptr<optim::Scheduler>(const optim::Optimizer&)> make;
  std::function<std::unique_ptr<optim::Scheduler>(optim::Scheduler&)> move;
  std::function<void(optim::Scheduler& to, optim::Scheduler& from)> move_assign;
};
template <class S, class Options>
Row row(const char* name, Options options) {
  static_assert(!std::is_copy_constructible_v<S> && !std::is_copy_assignable_v<S>,
                "a copy would multiply a second time");
  return {name, [=](const optim::Optimizer& o) { return std::make_unique<S>(o, options); },
          [](optim::Scheduler& s) { return std::make_unique<S>(std::move(static_cast<S&>(s))); },
          [](optim::Scheduler& to, optim::Scheduler& from) { static_cast<S&>(to) = std::move(static_cast<S&>(from)); }};
}
const Row rows[] = {
    row<optim::StepLR>("StepLR", optim::StepOptions{.every = 2, .gamma = 0.5}),
    row<optim::StepLR>("StepLR to 0", optim::StepOptions{.every = 1, .gamma = 0}),
    row<optim::CosineAnnealing>("CosineAnnealing", optim::CosineOptions{.steps = 4, .min_lr = 0.01}),
    row<optim::CosineAnnealing>("CosineAnnealing to 0", optim::CosineOptions{.steps = 4}),
    row<optim::LinearWarmup>("LinearWarmup", optim::WarmupOptions{.steps = 8}),
    row<optim::LinearWarmup>("LinearWarmup from 0", optim::WarmupOptions{.steps = 100, .start = 0}),
    row<optim::LinearWarmup>("LinearWarmup to 0", optim::WarmupOptions{.steps = 4, .end = 0}),
};

// The rates of the groups after so many steps of this schedule alone.
std::vector<double> alone(const Row& r, double lr, int steps) {
  Parameter a = parameter(0.0), b = parameter(0.0);
  optim::SGD optimizer({a}, {.lr = lr});
  optimizer.add_group({b}, {.lr = lr / 2});
  const auto schedule = r.make(optimizer);
  schedule->resume(steps);
  return {optimizer.lr(0), optimizer.lr(1)};
}

struct Fixture {
  Parameter a = parameter(0.0), b = parameter(0.0);
  optim::SGD optimizer = optim::SGD({a}, {.lr = 0.8});
  Fixture() { optimizer.add_group({b}, {.lr = 0.4}); }
  std::vector<double> rates() const { return {optimizer.lr(0), optimizer.lr(1)}; }
};
const std::vector<double> base{0.8, 0.4};

#define CHECK_RATES(what, got, wanted)                                                                       \
  do {                                                                                                       \
    const std::vector<double> g_ = got, w_ = wanted;                                                         \
    for (std::size_t i_ = 0; i_ < w_.size(); ++i_)                                                           \
      BOOST_TEST(std::abs(g_[i_] - w_[i_]) <= 1e-12 * w_[i_], what << ": " << g_[i_] << ", not " << w_[i_]); \
  } while (false)

}  // namespace

BOOST_AUTO_TEST_CASE(a_schedule_that_is_gone_multiplies_no_more) {
  for (const Row& r : rows)
    for (const int steps : {0, 3, 4}) {
      Fixture f;
      { r.make(f.optimizer)->resume(steps); }
      CHECK_RATES(r.name, f.rates(), base);
      { r.make(f.optimizer)->resume(steps); }
      f.optimizer.set_lr(0.1);
      BOOST_TEST(f.optimizer.lr() == 0.1, r.name);
      const auto next = r.make(f.optimizer);
      next->resume(2);
      BOOST_TEST(std::abs(f.optimizer.lr() - alone(r, 0.1, 2)[0]) <= 1e-15, r.name);
    }
}

BOOST_AUTO_TEST_CASE(the_others_stay) {
  for (const Row& r : rows) {
    Fixture f;
    optim::StepLR before(f.optimizer, {.every = 1, .gamma = 0.5});
    auto schedule = r.make(f.optimizer);
    optim::StepLR after(f.optimizer, {.every = 1, .gamma = 0.25});
    before.step();
    schedule->resume(4);
    after.step();
    schedule.reset();
    CHECK_RATES(r.name, f.rates(), (std::vector<double>{0.1, 0.05}));
    before.step();
    CHECK_RATES(r.name, f.rates(), (std::vector<double>{0.05, 0.025}));
  }
}

BOOST_AUTO_TEST_CASE(set_lr_while_it_lives_and_after) {
  for (const Row& r : rows) {
    Fixture f;
    auto schedule = r.make(f.optimizer);
    schedule->resume(3);
    f.optimizer.set_lr(0.3);
    BOOST_TEST(f.optimizer.lr() == 0.3, r.name);
    schedule.reset();
    f.optimizer.set_lr(0.6);
    BOOST_TEST(f.optimizer.lr() == 0.6, r.name);
    const auto next = r.make(f.optimizer);
    next->resume(3);
    CHECK_RATES(r.name, f.rates(), (std::vector<double>{alone(r, 0.6, 3)[0], alone(r, 0.6, 3)[0]}));
  }
}

BOOST_AUTO_TEST_CASE(a_schedule_moves) {
  for (const Row& r : rows) {
    Fixture f;
    auto first = r.make(f.optimizer);
    first->resume(2);
    auto second = r.move(*first);
    CHECK_RATES(r.name, f.rates(), alone(r, 0.8, 2));
    BOOST_CHECK_EXCEPTION(first->step(), Error, says("this schedule was moved from"));
    first.reset();
    CHECK_RATES(r.name, f.rates(), alone(r, 0.8, 2));
    second->step();
    CHECK_RATES(r.name, f.rates(), alone(r, 0.8, 3));
    BOOST_TEST(second->steps() == 3, r.name);

    Fixture g;  // what stood there before leaves its own optimizer
    auto other = r.make(g.optimizer);
    other->resume(4);
    r.move_assign(*other, *second);
    CHECK_RATES(r.name, g.rates(), base);
    CHECK_RATES(r.name, f.rates(), alone(r, 0.8, 3));
    r.move_assign(*other, *other);
    other->step();
    CHECK_RATES(r.name, f.rates(), alone(r, 0.8, 4));
    other.reset();
    CHECK_RATES(r.name, f.rates(), base);
  }
}

BOOST_AUTO_TEST_CASE(optimizers_that_move_or_go) {
  for (const Row& r : rows) {
    Parameter a = parameter(0.0);
    auto first = std::make_unique<optim::SGD>(Parameters{a}, optim::SGDRule{.lr = 0.8});
    auto schedule = r.make(*first);
    optim::SGD moved = std::move(*first);
    first.reset();
    auto moved_schedule = r.move(*schedule);
    moved_schedule->resume(3);
    BOOST_TEST(std::abs(moved.lr() - alone(r, 0.8, 3)[0]) <= 1e-15, r.name);
    moved_schedule.reset();
    schedule.reset();
    BOOST_TEST(std::abs(moved.lr() - 0.8) <= 1e-15, r.name);

    auto last = r.make(moved);
    moved = optim::SGD({a}, {.lr = 0.5});
    BOOST_CHECK_EXCEPTION(last->step(), Error, says("its optimizer is gone"));
    last.reset();  // after its optimizer
    BOOST_TEST(moved.lr() == 0.5, r.name);
  }
}

// A constructor that fails leaves nothing behind.
BOOST_AUTO_TEST_CASE(a_schedule_that_could_not_be_made) {
  Fixture f;
  BOOST_CHECK_THROW(optim::StepLR(f.optimizer, {}), Error);
  BOOST_CHECK_THROW(optim::CosineAnnealing(f.optimizer, {}), Error);
  BOOST_CHECK_THROW(optim::LinearWarmup(f.optimizer, {.steps = 0}), Error);
  f.optimizer.set_lr(0, 1);
  BOOST_CHECK_THROW(optim::CosineAnnealing(f.optimizer, {.steps = 2, .min_lr = 0.1}), Error);
  BOOST_TEST(f.optimizer.lr(0) == 0.8);
  BOOST_TEST(f.optimizer.lr(1) == 0.0);
}
