// Every optimizer, and what stands around one, where programs go off the usual way: weights that are stored after it was made,
// parameters that are frozen or have no gradient, gradients whose squares leave the range, loops that are not the user's own.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <optional>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

#include "around_rules.hpp"
#include "helpers.hpp"
#include "optimizers/rows.hpp"
#include "references/references.hpp"

using namespace xgrad;
using around_rules::around;
using around_rules::Held;
using helpers::same_bits;

namespace {

std::vector<rows::Row> each_optimizer() {
  std::vector<rows::Row> all = rows::all();
  for (const rows::Row& row : rows::of_loss()) all.push_back(row);
  return all;
}

struct Surrounding {
  const char* name;
  std::function<Held(optim::Optimizer&)> attach;
};
const std::vector<Surrounding>& each_surrounding() {
  using namespace optim;
  static const std::vector<Surrounding> all = {
      {"EMA", around(EMARule{.decay = 0.5})},
      {"EMA, power", around(EMARule{.decay = 0.9, .power = 0.7})},
      {"EMA, debias", around(EMARule{.decay = 0.5, .debias = true})},
      {"SWA", around(SWARule{})},
      {"SWA, start", around(SWARule{.start = 2, .every = 2})},
      {"Lookahead", around(LookaheadRule{.steps = 2})},
      {"Lookahead, 3", around(LookaheadRule{.steps = 3, .alpha = 0.8})},
      {"ClipNorm", around(ClipNormRule{.max_norm = 1})},
      {"ClipValue", around(ClipValueRule{.clip_value = 0.1})},
      {"ClipAdaptive", around(ClipAdaptiveRule{.clipping = 0.1})},
      {"Centralize", around(CentralizeRule{})},
      {"GradientNoise", around(GradientNoiseRule{})},
      {"Accumulate", around(AccumulateRule{.steps = 2})},
      {"RequireFinite", around(RequireFiniteRule{})},
      {"Accumulate, Lookahead and EMA",
       around(AccumulateRule{.steps = 2}, LookaheadRule{.steps = 2}, EMARule{.decay = 0.5})},
  };
  return all;
}

const Tensor& start_of_a() {
  static const Tensor x = 1.5 * reshape(sin(cast(1 + arange(6), f64)), {3, 2});
  return x;
}
const Tensor& start_of_b() {
  static const Tensor x = 2 - reshape(cos(cast(arange(4), f64)), {2, 2});
  return x;
}
Tensor bowl(const Tensor& a, const Tensor& b) { return sum(square(a - 0.3)) + sum(pow(b, 4)) + sum(square(b)); }

// When the weights are stored: before the optimizer is made, after it, or after it was made and loaded its own state. Those of b, that
// has no gradient in the first two steps, are stored after these where they are `late`.
enum class Stored { before, after, after_loading };
Tensors trained(const std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)>& make,
                const std::function<Held(optim::Optimizer&)>& attach, Stored stored, bool late) {
  manual_seed(3);
  Parameter a = parameter(zeros({3, 2}, f64)), b = parameter(ones({2, 2}, f64));
  const auto store = [&] {
    a = start_of_a();
    if (!late) b = start_of_b();
  };
  if (stored == Stored::before) store(), b = start_of_b();
  const auto optimizer = make({a, b});
  const Held held = attach(*optimizer);
  if (stored == Stored::after_loading) optimizer->load_state(optimizer->state());
  if (stored != Stored::before) store();
  for (int t = 0; t < 9; ++t) {
    if (t == 3 && stored != Stored::before && late) b = start_of_b();
    optimizer->step(t < 3 ? sum(square(a - 0.3)) : bowl(a, b));
  }
  const Tensors weights{a, b};
  optimizer->eval();
  return {weights[0], weights[1], a, b};
}

void stored_at_any_time(const std::string& name,
                        const std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)>& make,
                        const std::function<Held(optim::Optimizer&)>& attach) {
  const Tensors wanted = trained(make, attach, Stored::before, false);
  for (const Stored stored : {Stored::after, Stored::after_loading})
    for (const bool late : {false, true}) {
      const Tensors got = trained(make, attach, stored, late);
      // averages are of all steps, of those before a parameter's first gradient, too
      const bool averages = late && (name.find("EMA") != name.npos || name.find("SWA") != name.npos);
      for (std::size_t i = 0; i < (averages ? 3 : 4); ++i)
        BOOST_TEST(same_bits(got.begin()[i], wanted.begin()[i]),
                   name << ", stored " << static_cast<int>(stored) << ", late " << late << ", " << i);
    }
}

}  // namespace

// "Make, store, step" is "store, make, step", for each parameter by itself: its first step is where state begins.
BOOST_AUTO_TEST_CASE(weights_stored_before_the_first_step) {
  for (const rows::Row& row : each_optimizer()) stored_at_any_time(row.key, row.make, around());
  for (const Surrounding& row : each_surrounding()) {
    const auto made = [&](auto rule) {
      return [=](const Parameters& p) { return std::make_unique<optim::Descent<decltype(rule)>>(p, rule); };
    };
    stored_at_any_time(row.name, made(optim::SGDRule{.lr = 0.01}), row.attach);
    stored_at_any_time(row.name, made(optim::LAMBRule{.lr = 0.01}), row.attach);
  }
}

// What is saved before the first step holds first values of the weights as they are then.
BOOST_AUTO_TEST_CASE(state_before_the_first_step) {
  Parameter a = parameter(zeros({3, 2}, f64));
  optim::DoG dog({a});
  optim::Lookahead lookahead(dog);
  a = start_of_a();
  int found = 0;
  for (const NamedTensor& entry : dog.state())
    if (entry.name == "0.x0" || entry.name == "around.0(Lookahead).0.slow") {
      ++found;
      BOOST_TEST(same_bits(entry.value, start_of_a()), entry.name);
    }
  BOOST_TEST(found == 2);
}

// A parameter that is frozen, or has no gradient in this step, stays where it is; what was stored there, too.
BOOST_AUTO_TEST_CASE(parameters_without_a_gradient) {
  const auto look = [](const std::string& name, const auto& make, const auto& attach, bool frozen, int from) {
    Parameter a = parameter(start_of_a()), b = parameter(start_of_b());
    const auto optimizer = make({a, b});
    const Held held = attach(*optimizer);
    for (int t = 0; t < from; ++t) optimizer->step(bowl(a, b));
    optimizer->zero_grad();
    if (frozen) a.requires_grad(false);
    a = start_of_a() + 1;
    for (int t = 0; t < 7; ++t) {
      optimizer->step(frozen ? bowl(a, b) : sum(square(b)));
      BOOST_TEST(same_bits(a, start_of_a() + 1), name << (frozen ? ", frozen" : ", without") << " from " << from);
    }
    optimizer->eval();
    if (from == 0) BOOST_TEST(allclose(a, start_of_a() + 1, 1e-14, 1e-14), name << ": judged by other weights");
    optimizer->train();
    BOOST_TEST(same_bits(a, start_of_a() + 1), name);
  };
  const auto made = [&](auto rule) {
    return [=](const Parameters& p) -> std::unique_ptr<optim::Optimizer> {
      return std::make_unique<optim::Descent<decltype(rule)>>(p, rule);
    };
  };
  for (const bool frozen : {false, true})
    for (const int from : {0, 1, 2, 3}) {
      for (const rows::Row& row : each_optimizer()) look(row.key, row.make, around(), frozen, from);
      for (const Surrounding& row : each_surrounding()) {
        if (std::string(row.name).find("Accumulate") == 0 && from % 2 == 1)
          continue;  // half of a step is still to come
        look(row.name, made(optim::SGDRule{.lr = 0.01}), row.attach, frozen, from);
        look(row.name, made(optim::LAMBRule{.lr = 0.01}), row.attach, frozen, from);
      }
    }
}

namespace {
struct Greedy {
  static constexpr const char* name = "Greedy";
  static constexpr bool sees_all = true;
  void after(Tensor& p, Size) const { p = 0.5 * p; }
};
}  // namespace
BOOST_AUTO_TEST_CASE(what_sees_all_may_not_change_them) {
  Parameter a = parameter(1.0);
  const auto refused = [&](auto&& optimizer) {
    optim::Around<Greedy> greedy(optimizer);
    CHECK_ERROR(optimizer.step(square(a)), "[Greedy] says sees_all");
    BOOST_TEST(a.item() == 1);
  };
  refused(optim::SGD({a}, {.lr = 0.1}));
  refused(optim::LAMB({a}));
}

namespace {
struct Net {
  Parameter w;
  Tensor operator()(const Tensor& rows) const { return linear(rows, w); }
  XGRAD_FIELDS(w)
};
}  // namespace
// Loops of ours tell a rule that looks at the loss what step(loss) tells it.
BOOST_AUTO_TEST_CASE(every_optimizer_in_every_loop) {
  const Tensor x = reshape(sin(cast(arange(24), f64)), {8, 3}), y = reshape(cos(cast(arange(16), f64)), {8, 2});
  for (const rows::Row& row : each_optimizer()) {
    if (row.key.find("maximize") != std::string::npos) continue;
    const auto run = [&](const auto& loop) {
      manual_seed(5);
      Parameter w = parameter(reshape(0.1 * cast(arange(6), f64), {2, 3}));
      const auto optimizer = row.make({w});
      manual_seed(6);
      loop(w, *optimizer);
      return w.value();
    };
    const auto loss_of = [&](const Tensor& w) { return mean(square(linear(x, w) - y)); };
    const Tensor by_hand = run([&](Parameter& w, optim::Optimizer& optimizer) {
      for (int t = 0; t < 5; ++t) optimizer.step(loss_of(w));
    });
    const Tensor in_parts = run([&](Parameter& w, optim::Optimizer& optimizer) {
      for (int t = 0; t < 5; ++t) {
        optimizer.zero_grad();
        const Tensor loss = loss_of(w);
        optimizer.look_at(loss);
        loss.backward();
        optimizer.step();
      }
    });
    BOOST_TEST(same_bits(in_parts, by_hand), row.key << ", look_at()");
    const Tensor minimised = run([&](Parameter& w, optim::Optimizer& optimizer) {
      const optim::Result made = optim::minimize(optimizer, [&] { return loss_of(w); },
                                                 {.when = [](const optim::Progress& p) { return p.iteration == 5; }});
      BOOST_TEST(made.iterations == 5, row.key);
    });
    BOOST_TEST(same_bits(minimised, by_hand), row.key << ", minimize");
    const auto fitted = [&](Size batch, Size accumulate) {
      manual_seed(5);
      Net net{parameter(reshape(0.1 * cast(arange(6), f64), {2, 3}))};
      const auto optimizer = row.make(nn::parameters(net));
      manual_seed(6);
      training::fit(net, *optimizer, data::DataLoader({x, y}, {.batch_size = batch}),
                    {.epochs = 5, .progress = false, .loss = nn::mse_loss, .accumulate = accumulate});
      return net.w.value();
    };
    BOOST_TEST(same_bits(fitted(8, 1), by_hand), row.key << ", fit");
    BOOST_TEST(all(isfinite(fitted(4, 2))).item(), row.key << ", fit of two parts");
    Parameter w = parameter(reshape(0.1 * cast(arange(6), f64), {2, 3}));
    const auto optimizer = row.make({w});
    BOOST_TEST(
        training::lr_range_test(*optimizer, [&] { return loss_of(w); }, {.min_lr = 1e-6, .max_lr = 1e-3, .steps = 20})
                .lr.size() > 0U,
        row.key << ", lr_range_test");
    optim::SAM{.rho = 1e-3}.step(*optimizer, [&] { return loss_of(w); });
    BOOST_TEST(all(isfinite(w)).item(), row.key << ", SAM");
  }
}

// What is made of a rule is the rule of that name, where there is one.
BOOST_AUTO_TEST_CASE(rules_of_rules) {
  const auto trained = [](auto&& make) {
    Parameter w = parameter(start_of_a());
    const auto optimizer = make(w);
    for (int t = 0; t < 50; ++t) optimizer->step(sum(square(square(w) - 0.5)));
    const Tensor last = w;
    optimizer->eval();
    return concat({reshape(last, {-1}), reshape(w, {-1})});
  };
  using namespace optim;
  const Tensor of_sgd = trained([](Parameter& w) {
    return std::make_unique<ScheduleFree<SGDRule>>(Parameters{w}, ScheduleFreeRule<SGDRule>{{.lr = 0.05}});
  });
  const Tensor sgd = trained(
      [](Parameter& w) { return std::make_unique<ScheduleFreeSGD>(Parameters{w}, ScheduleFreeSGDRule{.lr = 0.05}); });
  BOOST_TEST(allclose(of_sgd, sgd, 1e-12, 1e-14));
  const Tensor of_adam = trained([](Parameter& w) {
    return std::make_unique<ScheduleFree<AdamRule>>(Parameters{w},
                                                    ScheduleFreeRule<AdamRule>{{.lr = 0.05, .beta1 = 0}});
  });
  const Tensor adam = trained([](Parameter& w) {
    return std::make_unique<ScheduleFreeAdamW>(Parameters{w}, ScheduleFreeAdamWRule{.lr = 0.05});
  });
  BOOST_TEST(allclose(of_adam, adam, 1e-11, 1e-14));
  const Tensor of_lion = trained([](Parameter& w) {
    return std::make_unique<Cautious<LionRule>>(Parameters{w}, CautiousRule<LionRule>{{.lr = 1e-2, .beta1 = 0}});
  });
  const Tensor lion =
      trained([](Parameter& w) { return std::make_unique<Lion>(Parameters{w}, LionRule{.lr = 1e-2, .beta1 = 0}); });
  BOOST_TEST(allclose(of_lion, lion, 1e-12, 1e-14));  // without a momentum nothing goes uphill
  Parameter w = parameter(1.0);
  CHECK_ERROR(ScheduleFree<YogiRule>({w}, {{}, 1}), "[ScheduleFree<Yogi>] expected average in (0, 1), got 1");
  CHECK_ERROR(ScheduleFree<YogiRule>({w}, {{.beta1 = 2}}), "[ScheduleFree<Yogi>] expected beta1 in [0, 1)");
  CHECK_ERROR(Cautious<SparseAdamRule>({w}), "[Cautious<SparseAdam>] expected a rule that steps all numbers");
  Cautious<AdamRule> driven({w}, {{.lr = 0.1}});
  Scheduler betas(driven, &AdamRule::beta1, constant({.factor = 0.5, .steps = 10})),
      rate(driven, step_decay({.every = 5}));
  Parameter v = parameter(1.0);
  Cautious<AdamRule> given({v}, {{.lr = 0.1, .beta1 = 0.45}});
  driven.step(square(w)), given.step(square(v));
  BOOST_TEST(same_bits(w, v));
}

// Weights of two times are no weights at all: where the best are put back, they are what the model is judged by.
BOOST_AUTO_TEST_CASE(best_weights_are_back) {
  const auto check = [](auto&& optimizer, Parameter& w, const char* name) {
    const auto bumpy = [&] { return sum(square(w)) * (1 + 10 * square(sin(20 * sum(w)))); };
    const optim::Result made = optim::minimize(optimizer, bumpy, {.max_iterations = 23});
    const Tensor best = w;
    optimizer.eval();
    BOOST_TEST(same_bits(w, best), name);
    BOOST_TEST(bumpy().item() == made.value, name);
    optimizer.train();
    CHECK_ERROR(optimizer.step(bumpy()), "the best weights were put back, and its state belongs to others");
    BOOST_TEST(same_bits(w, best), name);
    optimizer.load_state(optimizer.state());
    optimizer.step(bumpy());
  };
  Parameter a = parameter(start_of_a()), b = parameter(start_of_a());
  check(optim::ScheduleFreeSGD({a}, {.lr = 0.05}), a, "ScheduleFreeSGD");
  check(optim::ASGD({b}, {.lr = 0.05, .t0 = 0}), b, "ASGD");
  Net net{parameter(reshape(0.1 * cast(arange(6), f64), {2, 3}))};
  const Tensor x = reshape(sin(cast(arange(24), f64)), {8, 3}), y = reshape(cos(cast(arange(16), f64)), {8, 2});
  optim::ScheduleFreeAdamW free(nn::parameters(net), {.lr = 0.5});
  const data::DataLoader rows({x, y}, {.batch_size = 4, .shuffle = false});
  const training::History seen = training::fit(
      net, free, rows, {.epochs = 4, .progress = false, .loss = nn::mse_loss, .validation = rows, .keep_best = true});
  const Tensor best = net.w;
  free.eval();
  BOOST_TEST(same_bits(net.w, best));
  BOOST_TEST(std::abs(nn::mse_loss(net(x), y).item() - seen.best) < 1e-12);
  CHECK_ERROR(training::fit(net, free, rows, {.epochs = 1, .progress = false, .loss = nn::mse_loss}),
              "build a new optimizer");
}

// What one makes of a loss is, in every bit, what the other makes of its negative: with groups of both, and around them too.
BOOST_AUTO_TEST_CASE(every_optimizer_goes_up) {
  const Tensor x = reshape(sin(cast(arange(24), f64)), {8, 3}), y = reshape(cos(cast(arange(16), f64)), {8, 2});
  const auto loss_of = [&](const Tensor& w) { return mean(square(linear(x, w) - y)) + 0.01 * sum(square(square(w))); };
  const auto start = [] { return parameter(reshape(0.1 * cast(arange(6), f64) - 0.2, {2, 3})); };
  for (const rows::Row& row : each_optimizer())
    for (const bool in_sam : {false, true}) {
      const auto run = [&](optim::Optimizer& optimizer, const auto& loss) {
        manual_seed(6);
        for (int t = 0; t < 6; ++t) {
          if (in_sam) optim::SAM{.rho = 1e-2}.step(optimizer, loss);
          else optimizer.step(loss());
        }
      };
      Parameter w = start(), v = start();
      const auto made = row.make({w}), turned = row.turned({v});
      BOOST_TEST(made->maximizes() != turned->maximizes(), row.key);
      run(*made, [&] { return loss_of(w); });
      run(*turned, [&] { return -loss_of(v); });
      BOOST_TEST(same_bits(v, w), row.key << (in_sam ? ", SAM" : ""));
      BOOST_TEST(!same_bits(w, start()), row.key);
    }
  // Of two groups one goes up: a saddle is left for its middle.
  Parameter up = parameter(1.0), down = parameter(1.0);
  optim::Adamax saddle({down}, {.lr = 0.05});
  saddle.add_group({up}, {.lr = 0.05, .maximize = true});
  for (int t = 0; t < 300; ++t) optim::SAM{.rho = 1e-3}.step(saddle, [&] { return square(down) - square(up); });
  BOOST_TEST(std::abs(up.item()) < 0.05);
  BOOST_TEST(std::abs(down.item()) < 0.05);
  CHECK_ERROR(training::lr_range_test(saddle, [&] { return square(down); }), "got one with {.maximize = true}");
}

// Squares of such gradients are lost to 0.
BOOST_AUTO_TEST_CASE(gradients_whose_squares_are_lost) {
  const struct {
    DType dtype;
    double g;
  } all_of[] = {{f32, 1e-42}, {f32, 1e-30}, {f32, 1e-23}, {f64, 1e-200}, {f64, 1e-320}};
  for (const rows::Row& row : each_optimizer())
    for (const auto& [dtype, g] : all_of) {
      Parameter w = parameter(cast(reshape(0.5 + arange(6), {2, 3}), dtype));
      const auto optimizer = row.make({w});
      for (int t = 0; t < 3; ++t) {
        optimizer->zero_grad();
        const Tensor loss = 1.0 + sum(w * full({2, 3}, g, dtype));
        optimizer->step(loss);
        BOOST_TEST(all(isfinite(w)).item(), row.key << " at " << g << " in " << name(dtype) << ", step " << t);
      }
    }
}

// What SWATS has learned at a rate that a schedule has changed is a rate of that time: no change is taken twice.
BOOST_AUTO_TEST_CASE(rates_learned_under_a_schedule) {
  const auto trained = [](double lr, double later) {
    Parameter x = parameter(tensor({2.0, -1.0}));
    optim::SWATS swats({x}, {.lr = lr, .beta2 = 0.9, .tolerance = 0.05});
    swats.set_lr(later);
    for (int i = 0; i < 200; ++i) {
      swats.zero_grad();
      sum(tensor({1.0, 0.5}) * square(x)).backward();
      swats.step();
    }
    double rate = -1;
    for (const auto& entry : swats.state())
      if (entry.name.find("rate") != std::string::npos) rate = entry.value.item();
    BOOST_TEST(rate > 0);
    return Tensor(x);
  };
  BOOST_TEST(allclose(trained(1.0, 0.01), trained(0.01, 0.01), 1e-9, 1e-14));
}
