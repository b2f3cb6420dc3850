// What stands around an optimizer: 100 steps against other programs' numbers (references/make_around.py), alone and nested; files;
// optimizers of whole tensors.
#include <boost/test/unit_test.hpp>
#include <limits>
#include <memory>
#include <optional>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

#include "around_rules.hpp"
#include "helpers.hpp"
#include "references/references.hpp"
#include "states.hpp"

using namespace xgrad;
using around_rules::around;
using around_rules::Elementwise;
using around_rules::Held;
using helpers::same_bits;
using helpers::says;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Size seen[] = {1, 7, 50, 100};

const references::File& wanted() {
  static const references::File file("around");
  return file;
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
  const states::TemporaryFile file;
  for (const Row& row : rows()) {
    Run through(row), again(row);
    const Size middle = 40 * row.calls + row.calls / 2;
    while (through.call < middle) through.once();
    through.optimizer->save(file.path);
    for (int i = 0; i < 3; ++i) again.once();
    again.w.weight = through.w.weight.value();
    again.w.bias = through.w.bias.value();
    again.w.scale = through.w.scale.value();
    again.call = middle;
    again.optimizer->load(file.path);
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
  BOOST_CHECK_EXCEPTION(with.load_state(without.state()), Error, says("around.0(EMA).step is missing"));
  NamedTensors state = with.state();
  for (NamedTensor& entry : state)
    if (entry.name == "around.0(EMA).0.average") entry.value = zeros({3}, f64);
  BOOST_CHECK_EXCEPTION(with.load_state(state), Error, says("for around.0(EMA).0.average, got f64 (3,)"));
  BOOST_TEST(ema.steps() == 1);
  {  // in another order they would be judged by each other's
    Parameter c = parameter(tensor({1.0, 2.0})), d = parameter(tensor({1.0, 2.0}));
    optim::SGD one({c}, {.lr = 0.1}), other({d}, {.lr = 0.1});
    optim::EMA first(one);
    optim::SWA second(one), third(other);
    optim::EMA fourth(other);
    BOOST_CHECK_EXCEPTION(other.load_state(one.state()), Error,
                          says("around.0(EMA) was saved, here it is around.0(SWA)"));
  }
  with.eval();
  BOOST_TEST(same_bits(a, tensor({0.9, 1.8})));
}

namespace {

// As Elementwise, of whole tensors.
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
