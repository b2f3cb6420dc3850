// What stands around an optimizer: Errors in mid-step, verdicts, coming and going, weights to be judged by.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <optional>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "around_rules.hpp"
#include "helpers.hpp"

using namespace xgrad;
using around_rules::around;
using around_rules::Elementwise;
using around_rules::Held;
using helpers::same_bits;
using helpers::says;

namespace {

// Errors of a rule of one's own, before a step and after it.
struct FailsBefore {
  Size at = 3;
  static constexpr const char* name = "FailsBefore";
  static constexpr const char* slots[] = {"sum"};
  static constexpr const char* shared[] = {"count"};
  void before(std::vector<optim::Gradient>& all, Tensors& shared, Size t) const {
    shared[0] = shared[0] + 1;
    for (optim::Gradient& x : all) {
      x.slots[0] = x.slots[0] + x.g;
      x.g = t == at ? reshape(x.g, {-1, 1}) : 2 * x.g;
    }
  }
};
struct FailsAfter {
  static constexpr const char* name = "FailsAfter";
  static constexpr const char* slots[] = {"sum"};
  void after(Tensor& p, Tensor& total, Size t) const {
    total = total + p;
    p = t == 3 ? p - sum(p) : 0.5 * p;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(errors_change_nothing) {
  const auto look = [](const char* part, const auto& attach, auto rule) {
    Parameter a = parameter(tensor({1.0, -2.0, 3.0})), b = parameter(0.5);
    optim::Descent<decltype(rule)> optimizer({a, b}, rule);
    const Held held = attach(optimizer);
    const auto gradients = [&] {
      a.set_grad(a.value());
      b.set_grad(b.value());
    };
    for (int t = 0; t < 2; ++t) gradients(), optimizer.step();
    gradients();
    const Tensor before[] = {a, b, a.grad(), b.grad()};
    const NamedTensors state = optimizer.state();
    BOOST_CHECK_EXCEPTION(optimizer.step(), Error, says(part));
    const Tensor now[] = {a, b, a.grad(), b.grad()};
    for (int i = 0; i < 4; ++i) BOOST_TEST(same_bits(before[i], now[i]));
    const NamedTensors left = optimizer.state();
    for (std::size_t i = 0; i < state.size(); ++i) BOOST_TEST(same_bits(state[i].value, left[i].value), state[i].name);
  };
  const auto ema = optim::EMARule{};
  const char* shape = "[FailsBefore] its update gave f64 (3, 1) for the gradient of 0";
  look(shape, around(optim::ClipNormRule{.max_norm = 1}, FailsBefore{}, ema), optim::AdamRule{});
  look(shape, around(FailsBefore{}), optim::LAMBRule{});
  look("[FailsAfter] says that it is elementwise, but sum is not", around(ema, FailsBefore{.at = 9}, FailsAfter{}),
       Elementwise{});
  Parameter a = parameter(1.0);
  optim::SGD sgd({a}, {.lr = 0.1});
  optim::EMA own(sgd);
  BOOST_CHECK_EXCEPTION(sgd.step(), Error, says("[SGD] expected a gradient"));
  BOOST_CHECK_EXCEPTION(sgd.add_group({a}), Error, says("[SGD] add_group() while EMA stands around it"));
  sgd.eval();
  BOOST_CHECK_EXCEPTION(optim::SWA(sgd, {}), Error,
                        says("[SWA] around an optimizer whose parameters are those to be evaluated"));
  sgd.train();
  const struct {
    const char* part;
    std::function<void()> make;
  } all[] = {
      {"[EMA] expected a decay in [0, 1), got 1", [&] { optim::EMA(sgd, {.decay = 1}); }},
      {"[EMA] expected no power where debias", [&] { optim::EMA(sgd, {.power = 0.5, .debias = true}); }},
      {"[SWA] expected every of 1", [&] { optim::SWA(sgd, {.every = 0}); }},
      {"[Lookahead] expected alpha in (0, 1], got 0", [&] { optim::Lookahead(sgd, {.alpha = 0}); }},
      {"[Lookahead] expected 1 step or more", [&] { optim::Lookahead(sgd, {.steps = 0}); }},
      {"[ClipNorm] expected a norm_type of 1 or more", [&] { optim::ClipNorm(sgd, {.norm_type = 0.5}); }},
      {"[ClipValue] expected a clip_value above 0, got nan",
       [&] { optim::ClipValue(sgd, {.clip_value = std::nan("")}); }},
      {"[ClipAdaptive] expected clipping above 0", [&] { optim::ClipAdaptive(sgd, {.clipping = 0}); }},
      {"[GradientNoise] expected a finite eta", [&] { optim::GradientNoise(sgd, {.eta = -1}); }},
      {"[Accumulate] expected steps to be given", [&] { optim::Accumulate{sgd}; }},
      {"[RequireFinite] expected most of 0 or more", [&] { optim::RequireFinite(sgd, {.most = -1}); }},
      {"[SAM] expected a finite rho", [&] { optim::SAM{.rho = -1}.step(sgd, [&] { return square(a); }); }},
      {"[SAM] expected eta only where it is adaptive",
       [&] { optim::SAM{.eta = 1}.step(sgd, [&] { return square(a); }); }},
  };
  for (const auto& row : all) BOOST_CHECK_EXCEPTION(row.make(), Error, says(row.part));
  BOOST_TEST(helpers::line_of_error([&] { optim::EMA(sgd, {.decay = 1}); }) == __LINE__);
  BOOST_TEST(sgd.state().size() == 5U);  // lr, base_lr, two counts, the average
}

namespace {
struct Counts {
  static constexpr const char* shared[] = {"calls"};
  void before(std::vector<optim::Gradient>&, Tensors& shared, Size) const { shared[0] = shared[0] + 1; }
};
struct Says {
  optim::Verdict verdict = optim::Verdict::step;
  optim::Verdict before(std::vector<optim::Gradient>&, Tensors&, Size) const { return verdict; }
};
}  // namespace
// What waits for more gradients would leave such a rule with the last part's loss.
BOOST_AUTO_TEST_CASE(no_loss_of_parts) {
  Parameter a = parameter(1.0);
  optim::Polyak polyak({a});
  {
    optim::Accumulate parts(polyak, {.steps = 2});
    BOOST_CHECK_EXCEPTION(polyak.step(square(a)), Error, says("[Polyak] looks at the loss, of which"));
    BOOST_TEST(parts.shared()[0].item() == 0);
  }
  BOOST_TEST(a.item() == 1);
  polyak.step(square(a));
  BOOST_TEST(a.item() != 1);
}

BOOST_AUTO_TEST_CASE(verdicts) {
  Parameter a = parameter(1.0);
  optim::SGD sgd({a}, {.lr = 0.5});
  optim::Around<Counts> first(sgd);
  optim::Around<Says> says(sgd);
  optim::Around<Counts> last(sgd);
  const struct {
    optim::Verdict verdict;
    double value, first, last;
  } all[] = {{optim::Verdict::wait, 1, 1, 0}, {optim::Verdict::skip, 1, 1, 0}, {optim::Verdict::step, 0.5, 2, 1}};
  a.set_grad(tensor(1.0));
  for (const auto& row : all) {
    says.rule().verdict = row.verdict;
    sgd.step();
    BOOST_TEST(a.item() == row.value);
    BOOST_TEST(first.shared()[0].item() == row.first);
    BOOST_TEST(last.shared()[0].item() == row.last);
  }
  BOOST_TEST(first.steps() == 1);
}

// Wherever SAM's second loss fails, the weights are back where they were.
BOOST_AUTO_TEST_CASE(sam_that_fails) {
  Parameter a = parameter(tensor({1.0, -2.0}));
  optim::Adam adam({a});
  const optim::SAM sam{.rho = 0.5};
  const Tensor before = a;
  int calls = 0;
  BOOST_CHECK_EXCEPTION(sam.step(adam, [&] { return ++calls == 2 ? Tensor() : sum(square(a)); }), Error,
                        says("[SAM] the loss gave an empty tensor"));
  BOOST_TEST(same_bits(a, before));
  BOOST_CHECK_EXCEPTION(sam.step(adam, [&] { return sum(sqrt(a)); }), Error,
                        says("[SAM] the norm of the gradients is"));
  BOOST_TEST(same_bits(a, before));
  BOOST_TEST(adam.state()[2].value.item() == 0);
  calls = 0;
  const auto not_finite_there = [&] { return sum(square(a)) * (++calls % 2 == 0 ? std::nan("") : 1.0); };
  BOOST_CHECK_EXCEPTION(sam.step(adam, not_finite_there), Error,
                        says("[SAM] the gradient of 0 is not finite at the point it has climbed to"));
  BOOST_TEST(same_bits(a, before));
  {
    optim::RequireFinite finite(adam, {.skip = true});
    sam.step(adam, not_finite_there);
    BOOST_TEST(same_bits(a, before));
  }
  // at a stationary point there is nowhere to climb: one loss
  a = zeros({2}, f64);
  calls = 0;
  sam.step(adam, [&] { return ++calls, sum(square(a)); });
  BOOST_TEST(calls == 1);
  // both losses have the same mask
  std::vector<Tensor> masks;
  a = ones({2}, f64);
  manual_seed(5);
  sam.step(adam, [&] {
    masks.push_back(randn({3}));
    return sum(square(a));
  });
  BOOST_TEST(masks.size() == 2U);
  BOOST_TEST(same_bits(masks[0], masks[1]));
  BOOST_TEST(!same_bits(randn({3}), masks[0]));
}

// It leaves when it is destroyed, and follows an optimizer that moves.
BOOST_AUTO_TEST_CASE(coming_and_going) {
  Parameter a = parameter(tensor({3.0, 4.0}));
  std::optional<optim::SGD> sgd;
  sgd.emplace(Parameters{a}, optim::SGDRule{.lr = 1});
  std::optional<optim::ClipNorm> clip;
  clip.emplace(*sgd, optim::ClipNormRule{.max_norm = 1});
  optim::EMA ema(*sgd, {.decay = 0.5});
  optim::SGD moved = std::move(*sgd);
  sgd.reset();
  a.set_grad(tensor({3.0, 4.0}));
  moved.step();
  BOOST_TEST(allclose(a, tensor({2.4, 3.2}), 1e-6));
  optim::ClipNorm other = std::move(*clip);
  BOOST_CHECK_EXCEPTION(clip->steps(), Error, says("[Around] this was moved from"));
  clip.reset();
  BOOST_TEST(other.steps() == 1);
  { const optim::ClipNorm gone = std::move(other); }
  a.set_grad(tensor({1.0, 2.0}));
  moved.step();
  BOOST_TEST(allclose(a, tensor({1.4, 1.2}), 1e-6));
  moved.eval();
  BOOST_TEST(allclose(a, tensor({1.9, 2.2}), 1e-6));
  BOOST_CHECK_EXCEPTION(moved.step(), Error, says("call train() first"));
  moved.train();
  BOOST_TEST(allclose(a, tensor({1.4, 1.2}), 1e-6));
  moved = optim::SGD({a}, {.lr = 1});
  BOOST_CHECK_EXCEPTION(ema.steps(), Error, says("[Around] its optimizer is gone"));
  ema = optim::EMA(moved, {.decay = 0.9});
  moved.step();
  BOOST_TEST(ema.steps() == 1);
  static_assert(!std::is_copy_constructible_v<optim::EMA> && !std::is_copy_assignable_v<optim::EMA>);
}

// The last one that has weights to be judged by decides; it may be made of those of others.
namespace {
struct Twice {
  void after(Tensor&, Size) const {}
  Tensor evaluated(const Tensor& p, const Tensors&, Size) const { return 2 * p; }
};
}  // namespace
BOOST_AUTO_TEST_CASE(weights_to_be_judged_by) {
  Parameter a = parameter(1.0), b = parameter(1.0), untouched = parameter(2.0);
  optim::SGD first({a, untouched}, {.lr = 1}), second({b}, {.lr = 1});
  optim::EMA ema(first, {.decay = 0.5});
  optim::Around<Twice> twice(first), alone(second);
  for (const double g : {1.0, 2.0}) {
    a.set_grad(tensor(g));
    first.step();
    b.set_grad(tensor(g));
    second.step();
  }
  first.eval(), second.eval();
  BOOST_TEST(a.item() == 2 * (0.5 * 0 + 0.5 * -2));
  BOOST_TEST(b.item() == -4);
  BOOST_TEST(untouched.item() == 4);
  first.train(), second.train();
  BOOST_TEST((a.item() == -2 && b.item() == -2 && untouched.item() == 2));
}

// Optimizers that have such weights themselves: what stands around them is asked after them.
BOOST_AUTO_TEST_CASE(optimizers_that_average) {
  const auto look = [](auto rule) {
    using Optimizer = optim::Descent<decltype(rule)>;
    std::vector<Tensor> judged;
    for (const auto& attach : {around(), around(optim::ClipValueRule{.clip_value = 1e6}), around(Twice{}),
                               around(optim::EMARule{.decay = 0})}) {
      Parameter a = parameter(tensor({3.0, -4.0}));
      Optimizer optimizer({a}, rule);
      const Held held = attach(optimizer);
      for (int t = 0; t < 8; ++t) {
        a.set_grad(2 * a.value());
        optimizer.step();
      }
      const Tensor trained = a;
      optimizer.eval();
      judged.push_back(a);
      optimizer.train();
      BOOST_TEST(same_bits(a, trained));
      judged.push_back(trained);
    }
    BOOST_TEST(!same_bits(judged[0], judged[1]));
    BOOST_TEST(same_bits(judged[2], judged[0]));
    BOOST_TEST(same_bits(judged[4], 2 * judged[0]));
    BOOST_TEST(same_bits(judged[6], judged[1]));  // the last average is of what is trained, and decides
  };
  look(optim::ScheduleFreeAdamWRule{.lr = 0.1});
  look(optim::ASGDRule{.lr = 0.1, .t0 = 2});
}

// What leaves while the weights are those to be judged by gives back those that are trained.
BOOST_AUTO_TEST_CASE(an_average_that_leaves_in_evaluation) {
  Parameter a = parameter(1.0);
  optim::SGD sgd({a}, {.lr = 0.1});
  double trained = 0;
  {
    optim::EMA ema(sgd, {.decay = 0.5});
    for (int i = 0; i < 3; ++i) sgd.step(square(a));
    trained = a.item();
    sgd.eval();
    BOOST_TEST(a.item() != trained);
  }
  sgd.train();
  BOOST_TEST(a.item() == trained);
  sgd.step(square(a));
  (void)sgd.state();
  const optim::EMA again(sgd);
}

// Gradients that are no good are left out, of rules that look at the loss, too; steps are counted where they were taken.
BOOST_AUTO_TEST_CASE(steps_that_were_taken) {
  const auto run = [](auto optimizer, const Parameter& a) {
    optim::RequireFinite finite(optimizer, {.skip = true});
    const double bad = std::numeric_limits<double>::quiet_NaN();
    for (const double factor : {1.0, bad, bad, 1.0}) {
      const Tensor before = a;
      optimizer.step(sum(square(a)) * factor);
      BOOST_TEST(same_bits(a, before) == std::isnan(factor));
    }
    BOOST_TEST(finite.shared()[1].item() == 2);
    BOOST_TEST(optimizer.steps() == 2);
    finite.rule().most = 1;
    BOOST_CHECK_NO_THROW(optimizer.step(sum(square(a)) * bad));
    BOOST_CHECK_EXCEPTION(optimizer.step(sum(square(a)) * bad), Error, says("have been left out"));
  };
  Parameter a = parameter(tensor({1.0, 2.0}));
  run(optim::Adam({a}), a);
  run(optim::Polyak({a}), a);
  run(optim::MoMo({a}), a);
  run(optim::SophiaH({a}), a);

  optim::SGD sgd({a}, {.lr = 0.1});
  optim::Accumulate parts(sgd, {.steps = 8});
  a = tensor({1.0, 2.0});
  for (int i = 0; i < 6; ++i) sgd.step(sum(square(a)));
  BOOST_TEST(sgd.steps() == 0);
  parts.rule().steps = 2;  // the mean is that of the seven calls
  sgd.step(sum(square(a)));
  BOOST_TEST(sgd.steps() == 1);
  BOOST_TEST(allclose(a, tensor({0.8, 1.6}), 1e-12));
}

namespace {
template <int which>
struct Named {
  double lr = 0.1;
  static constexpr const char* slots[] = {which == 0 ? "step" : "of", "other"};
  static constexpr const char* numbers[] = {which == 1 ? "of" : "number"};
  void advance(double*, const optim::Step&) const {}
  void update(Tensor&, const Tensor&, Tensor&, Tensor&, const optim::Step&) const {}
};
struct NamedAround {
  static constexpr const char* shared[] = {"sum", "sum"};
  void before(std::vector<optim::Gradient>&, Tensors&, Size) const {}
};
}  // namespace
BOOST_AUTO_TEST_CASE(names_of_what_a_rule_keeps) {
  Parameter a = parameter(1.0);
  BOOST_CHECK_EXCEPTION(optim::Descent<Named<0>>({a}), Error, says("other than \"step\", which is the count of steps"));
  BOOST_CHECK_EXCEPTION(optim::Descent<Named<1>>({a}), Error, says("got \"of\" twice"));
  optim::Descent<Named<2>> good({a});
  BOOST_CHECK_EXCEPTION(optim::Around<NamedAround>{good}, Error, says("got \"sum\" twice"));
}
