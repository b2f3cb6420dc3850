// What stands around an optimizer: 100 steps against other programs' numbers (references/make_around.py), alone and nested; files;
// optimizers of whole tensors; Errors in mid-step; coming and going.
#define BOOST_TEST_MODULE around
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

#include "autodiff/engine/variable.hpp"
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::same_bits;
using helpers::says;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Size seen[] = {1, 7, 50, 100};

const references::File& wanted() {
  static const references::File file("around");
  return file;
}

using Held = std::vector<std::shared_ptr<void>>;
template <class... Rule>
std::function<Held(optim::Optimizer&)> around(Rule... rules) {
  return [=](optim::Optimizer& o) { return Held{std::make_shared<optim::Around<Rule>>(o, rules)...}; };
}

struct Row {
  const char* name;
  bool adam;  // or SGD
  std::function<Held(optim::Optimizer&)> attach;
  Size calls = 1;  // of step() for a step
  std::optional<optim::SAM> sam = {};
};

const std::vector<Row>& rows() {
  using namespace optim;
  static const std::vector<Row> all = {
      {"ClipNorm", false, around(ClipNormRule{.max_norm = 2})},
      {"ClipNorm of the greatest", true, around(ClipNormRule{.max_norm = 0.5, .norm_type = infinity})},
      {"ClipNorm of the 3-norm", false, around(ClipNormRule{.max_norm = 2, .norm_type = 3})},
      {"ClipNorm of each", false, around(ClipNormRule{.max_norm = 1, .each = true})},
      {"ClipValue", false, around(ClipValueRule{.clip_value = 0.5})},
      {"ClipAdaptive", false, around(ClipAdaptiveRule{.clipping = 0.1})},
      {"ClipAdaptive of small weights", true, around(ClipAdaptiveRule{.clipping = 0.1, .eps = 1.5})},
      {"Centralize", true, around(CentralizeRule{})},
      {"Accumulate", true, around(AccumulateRule{.steps = 3}), 3},
      {"Accumulate sums", false, around(AccumulateRule{.steps = 2, .mean = false}), 2},
      {"Accumulate and ClipNorm", false,
       around(RequireFiniteRule{}, AccumulateRule{.steps = 2}, ClipNormRule{.max_norm = 2}), 2},
      {"Lookahead", false, around(LookaheadRule{})},
      {"Lookahead of Adam", true, around(LookaheadRule{.steps = 6, .alpha = 0.8})},
      {"EMA", true, around(EMARule{.decay = 0.95})},
      {"EMA that grows", false, around(EMARule{.decay = 0.95, .power = 2.0 / 3})},
      {"EMA without bias", true, around(EMARule{.decay = 0.97, .debias = true})},
      {"SWA", false, around(SWARule{.start = 20, .every = 3})},
      {"average of all", true, around(SWARule{})},
      {"average that forgets", true, around(SWARule{.gamma = 8})},
      {"SAM", false, around(), 1, SAM{}},
      {"SAM of Adam", true, around(), 1, SAM{.rho = 0.2}},
      {"ASAM", false, around(), 1, SAM{.rho = 0.5, .adaptive = true}},
      {"ASAM with eta", true, around(), 1, SAM{.rho = 1, .adaptive = true, .eta = 0.01}},
      {"Lookahead of Adam, clipped, with EMA", true,
       around(RequireFiniteRule{.skip = true}, ClipNormRule{.max_norm = 1}, LookaheadRule{}, EMARule{.decay = 0.9})},
      {"SAM of SGD, clipped, with SWA", false, around(ClipNormRule{.max_norm = 1.5}, SWARule{}), 1, SAM{}},
  };
  return all;
}

struct Weights {
  Parameter weight = parameter(wanted()["start.weight"]), bias = parameter(wanted()["start.bias"]),
            scale = parameter(wanted()["start.scale"]);
  Parameters all() {
    Parameters list;
    list.add("weight", weight);
    list.add("bias", bias);
    list.add("scale", scale);
    return list;
  }
  Tensor loss(Size t) const {
    const Tensor x = slice(wanted()["x"], 0, 5 * (t % 4), 5 * (t % 4) + 5),
                 y = slice(wanted()["y"], 0, 5 * (t % 4), 5 * (t % 4) + 5);
    return 3 * sum(square(tanh(matmul(x, transpose(weight)) + bias) * scale - y));
  }
  Tensor values() const { return concat({reshape(weight, {-1}), bias.value(), reshape(scale, {-1})}).detach(); }
};

struct Run {
  const Row& row;
  Weights w;
  std::unique_ptr<optim::Optimizer> optimizer;
  Held held;
  Size call = 0;
  explicit Run(const Row& r) : row(r) {
    if (r.adam) optimizer = std::make_unique<optim::Adam>(w.all(), optim::AdamRule{.lr = 0.02});
    else optimizer = std::make_unique<optim::SGD>(w.all(), optim::SGDRule{.lr = 0.004, .momentum = 0.8});
    held = r.attach(*optimizer);
  }
  void once() {
    const Size t = call++;
    if (row.sam) {
      row.sam->step(*optimizer, [&] { return w.loss(t); });
      return;
    }
    optimizer->zero_grad();
    w.loss(t).backward();
    optimizer->step();
  }
  Tensor judged() {
    optimizer->eval();
    const Tensor values = evaluate(w.values());
    optimizer->train();
    return values;
  }
};

std::string difference(const Tensor& got, const Tensor& expected) {
  return references::difference(got, expected, 1000);
}  // 1e-9

}  // namespace

BOOST_AUTO_TEST_CASE(as_other_programs) {
  for (const Row& row : rows()) {
    Run run(row);
    for (const Size until : seen) {
      while (run.call < until * row.calls) run.once();
      BOOST_TEST(difference(run.w.values(), wanted()[fmt::format("{}.{}", row.name, until)]) == "",
                 row.name << " at " << until);
      const std::string judged = fmt::format("{}.judged.{}", row.name, until);
      const Tensor trained = evaluate(run.w.values());
      BOOST_TEST(difference(run.judged(), wanted().has(judged) ? wanted()[judged] : trained) == "", judged);
      BOOST_TEST(same_bits(run.w.values(), trained), row.name);
    }
  }
  // without what stands around it, it goes elsewhere
  Row bare = rows()[0];
  bare.attach = around();
  Run run(bare);
  while (run.call < 7) run.once();
  BOOST_TEST(difference(run.w.values(), wanted()["ClipNorm.7"]) != "");
}

BOOST_AUTO_TEST_CASE(saved_and_loaded) {
  for (const Row& row : rows()) {
    Run through(row), again(row);
    const Size middle = 40 * row.calls + row.calls / 2;
    while (through.call < middle) through.once();
    through.optimizer->save("middle");
    for (int i = 0; i < 3; ++i) again.once();
    again.w.weight = through.w.weight.value();
    again.w.bias = through.w.bias.value();
    again.w.scale = through.w.scale.value();
    again.call = middle;
    again.optimizer->load("middle");
    while (again.call < 50 * row.calls) through.once(), again.once();
    BOOST_TEST(same_bits(through.w.values(), again.w.values()), row.name);
    helpers::elsewhere([&] {  // and on, on another thread
      while (again.call < 60 * row.calls) again.once();
      return 0;
    });
    while (through.call < 60 * row.calls) through.once();
    BOOST_TEST(same_bits(through.w.values(), again.w.values()), row.name);
    BOOST_TEST(same_bits(through.judged(), again.judged()), row.name);
  }
  std::filesystem::remove("middle");
}

// A state that does not fit is an Error, and nothing has changed.
BOOST_AUTO_TEST_CASE(states_that_do_not_fit) {
  Parameter a = parameter(tensor({1.0, 2.0})), b = parameter(tensor({1.0, 2.0}));
  optim::SGD with({a}, {.lr = 0.1}), without({b}, {.lr = 0.1});
  optim::EMA ema(with);
  optim::ClipNorm clip(without);  // keeps nothing in files
  a.set_grad(a.value());
  with.step();
  b.set_grad(b.value());
  without.step();
  BOOST_CHECK_EXCEPTION(without.load_state(with.state()), Error,
                        says("more stood around it than the 0 with a state here"));
  BOOST_CHECK_EXCEPTION(with.load_state(without.state()), Error, says("around.0.step is missing"));
  NamedTensors state = with.state();
  for (NamedTensor& entry : state)
    if (entry.name == "around.0.0.average") entry.value = zeros({3}, f64);
  BOOST_CHECK_EXCEPTION(with.load_state(state), Error, says("for around.0.0.average, got f64 (3,)"));
  BOOST_TEST(ema.steps() == 1);
  with.eval();
  BOOST_TEST(same_bits(a, tensor({0.9, 1.8})));
}

namespace {

// The same formula, elementwise and of whole tensors.
struct Elementwise {
  double lr = 0.1;
  static constexpr bool elementwise = true;
  void update(Tensor& p, const Tensor& g, const optim::Step& step) const { p = p - step.lr * g; }
};
struct Whole {
  double lr = 0.1;
  void update(Tensor& p, const Tensor& g, const optim::Step& step) const { p = p - step.lr * g; }
};

// Weights between -1 and 1.
struct Box {
  static constexpr const char* name = "Box";
  void after(Tensor& p, Size) const { p = clamp(p, -1, 1); }
};

template <class Rule>
std::pair<std::vector<Tensor>, std::vector<Tensor>> trained(const std::function<Held(optim::Optimizer&)>& attach) {
  manual_seed(3);
  std::vector<Parameter> list;
  for (const Shape& shape : {Shape{5, 3}, Shape{}, Shape{0, 2}, Shape{700}, Shape{7}})
    list.emplace_back(parameter(randn(shape)));
  list.emplace_back(parameter(randn({4}, f64)));
  optim::Descent<Rule> optimizer{Parameters(list)};
  const Held held = attach(optimizer);
  for (Size t = 0; t < 12; ++t) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i].zero_grad();
      if (t % 3 != static_cast<Size>(i))
        list[i].set_grad(randn(list[i].shape(), list[i].dtype()));  // one of them has none
    }
    optimizer.step();
  }
  std::pair<std::vector<Tensor>, std::vector<Tensor>> all;
  for (const Parameter& p : list) all.first.push_back(p);
  optimizer.eval();
  for (const Parameter& p : list) all.second.push_back(p);
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(elementwise_or_whole) {
  using namespace optim;
  for (const auto& attach :
       {around(EMARule{.decay = 0.8}), around(LookaheadRule{.steps = 2}), around(SWARule{.start = 3, .every = 2}),
        around(Box{}), around(Box{}, LookaheadRule{.steps = 3}, EMARule{.decay = 0.8, .debias = true}),
        around(GradientNoiseRule{.eta = 1})}) {
    const auto a = trained<Elementwise>(attach), b = trained<Whole>(attach);
    for (std::size_t i = 0; i < a.first.size(); ++i) {
      BOOST_TEST(same_bits(a.first[i], b.first[i]));
      BOOST_TEST(same_bits(a.second[i], b.second[i]));
    }
  }
  const auto boxed = trained<Elementwise>(around(Box{})), free = trained<Elementwise>(around());
  for (std::size_t i : {0, 3}) {
    BOOST_TEST(amax(abs(boxed.first[i])).item() <= 1);
    BOOST_TEST(amax(abs(free.first[i])).item() > 1);
  }
}

// Noise: of the variance that is told, each number its own, the same again with the same seed.
BOOST_AUTO_TEST_CASE(noise) {
  const auto noise_of = [](std::uint64_t seed, Size steps) {
    Parameter a = parameter(zeros({20000}, f64)), b = parameter(zeros({20000})), c = a;
    optim::Descent<Elementwise> plain({a, b, c}, {.lr = 1});
    optim::GradientNoise noise(plain, {.eta = 0.3, .gamma = 0.55, .seed = seed});
    for (Size t = 0; t < steps; ++t) {
      for (Parameter* p : {&a, &b, &c}) {
        *p = zeros_like(*p);
        p->set_grad(zeros_like(*p));
      }
      plain.step();
    }
    return Tensors{a, cast(b, f64), c};
  };
  for (const Size t : {1, 9}) {
    const Tensors n = noise_of(1, t);
    const double variance = 0.3 / std::pow(static_cast<double>(t), 0.55);
    for (const Tensor& x : n) {
      BOOST_TEST(std::abs(mean(x).item()) < 5 * std::sqrt(variance / 20000));
      BOOST_TEST(std::abs(mean(square(x)).item() / variance - 1) < 5 * std::sqrt(2.0 / 20000));
      BOOST_TEST(std::abs(mean(pow(x, 4)).item() / (variance * variance) - 3) < 5 * std::sqrt(96.0 / 20000));  // normal
    }
    for (const Tensor& other : {n[1], n[2]})
      BOOST_TEST(std::abs(mean(n[0] * other).item()) < 5 * variance / std::sqrt(20000));
    BOOST_TEST(same_bits(noise_of(1, t)[0], n[0]));
    BOOST_TEST(std::abs(mean(noise_of(2, t)[0] * n[0]).item()) < 5 * variance / std::sqrt(20000));
  }
  BOOST_TEST(!same_bits(noise_of(1, 1)[0], noise_of(1, 2)[0]));
}

// A gradient that is shorter than is allowed keeps its bits; and .grad() always shows what backward() has left there.
BOOST_AUTO_TEST_CASE(gradients_are_lent) {
  Parameter a = parameter(tensor({1.0, -2.0}));
  optim::SGD sgd({a}, {.lr = 1});
  optim::ClipNorm clip(sgd, {.max_norm = 5});
  const Tensor g = tensor({0.3, 0.4});
  a.set_grad(g);
  sgd.step();
  BOOST_TEST(same_bits(a, tensor({1.0 - 0.3, -2.0 - 0.4})));
  BOOST_TEST(clip.shared()[0].item() == 0.5);
  a.set_grad(100 * g);
  sgd.step();
  BOOST_TEST(same_bits(a.grad(), 100 * g));
  BOOST_TEST(clip.shared()[0].item() == 50);
  clip.rule().max_norm = -1;
  BOOST_CHECK_EXCEPTION(sgd.step(), Error, says("[ClipNorm] expected a max_norm above 0, got -1"));
  BOOST_TEST(same_bits(a.grad(), 100 * g));
}

// Not finite: the parameter is named, or the step left out; nothing has changed.
BOOST_AUTO_TEST_CASE(gradients_that_are_not_finite) {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const double bad : {infinity, -infinity, std::nan("")})
      for (const Size at : {0, 4095, 5000}) {
        Parameters list;
        Parameter a = parameter(ones({3}, dtype)), b = parameter(ones({5001}, dtype));
        list.add("layer.a", a);
        list.add("layer.b", b);
        optim::Adam adam(list, {.lr = 0.1});
        std::vector<double> numbers(5001, 0.5);
        a.set_grad(ones({3}, dtype));
        b.set_grad(cast(tensor(numbers), dtype));
        std::optional<optim::RequireFinite> finite;
        finite.emplace(adam);
        adam.step();
        numbers[static_cast<std::size_t>(at)] = bad;
        b.set_grad(cast(tensor(numbers), dtype));
        const Tensor before[] = {a, b};
        const NamedTensors state = adam.state();
        BOOST_CHECK_EXCEPTION(adam.step(), Error,
                              says("[RequireFinite] the gradient of layer.b has a NaN or an infinity"));
        finite->rule() = {.skip = true, .most = 2};
        adam.step();
        adam.step();
        BOOST_TEST(finite->shared()[1].item() == 2);
        BOOST_CHECK_EXCEPTION(adam.step(), Error, says("and 2 steps before this have been left out"));
        BOOST_TEST((same_bits(a, before[0]) && same_bits(b, before[1])));
        const NamedTensors now = adam.state();
        for (std::size_t i = 0; i < state.size(); ++i)
          BOOST_TEST(same_bits(state[i].value, now[i].value), state[i].name);
        b.set_grad(full({5001}, 3e38, dtype));  // great, and finite
        adam.step();
        BOOST_TEST(finite->shared()[0].item() == 0);
        BOOST_TEST(finite->steps() == 2);
      }
}

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

// Rows of an embedding stay rows where that is possible, with the bits that the dense gradient gives.
BOOST_AUTO_TEST_CASE(gradients_by_rows) {
  using namespace optim;
  struct Way {
    std::function<Held(Optimizer&)> attach;
    bool rows;
  };
  for (const Way& way :
       {Way{around(ClipNormRule{.max_norm = 0.1}), true}, Way{around(ClipValueRule{.clip_value = 0.01}), true},
        Way{around(CentralizeRule{}), true}, Way{around(RequireFiniteRule{}, ClipNormRule{.max_norm = 0.1}), true},
        Way{around(ClipAdaptiveRule{}), false}, Way{around(GradientNoiseRule{}), false},
        Way{around(ClipValueRule{.clip_value = 0.01}, AccumulateRule{.steps = 2}), false}}) {
    manual_seed(2);
    const Tensor start = randn({6, 3}, f64), index = tensor({4, 1, 4});
    Parameter picked = parameter(start), dense = parameter(start);
    SGD by_rows({picked}, {.lr = 0.5}), plain({dense}, {.lr = 0.5});
    const Held a = way.attach(by_rows), b = way.attach(plain);
    for (int t = 0; t < 4; ++t) {
      by_rows.zero_grad(), plain.zero_grad();
      sum(square(index_select(picked, 0, index))).backward();
      dense.set_grad(grad(sum(square(index_select(dense, 0, index))), dense)[0]);
      by_rows.step(), plain.step();
      BOOST_TEST(picked.variable()->grad.defined() == false);  // nobody has made it dense
    }
    BOOST_TEST(same_bits(picked, dense));
    BOOST_TEST(!same_bits(picked, start));
  }
}
