// Walking models: XGRAD_FIELDS, names, Sequential, copies and assignments, modes, initialisers, the summary.
#include <xgrad/nn.hpp>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include <xgrad/autodiff.hpp>
#include "references/references.hpp"

using namespace xgrad;

struct Cat {  // global, with a name of three letters
  Parameter w = parameter(1.0);
  XGRAD_FIELDS(w)
};

namespace {

struct Block {
  nn::Linear inner{2, 2};
  Tensor running = zeros({2});
  Tensor operator()(In x) const { return inner(x) + running; }
  XGRAD_FIELDS(inner, running)
};

struct Everything {
  Parameter scale = parameter(1.0);
  Parameter nothing;
  std::vector<nn::Linear> layers{nn::Linear(2, 3), nn::Linear(3, 2)};
  std::array<Block, 2> blocks;
  std::optional<nn::Linear> absent, present = nn::Linear(2, 1, {.bias = false});
  nn::Sequential chain{nn::Linear(2, 2), nn::Tanh{}, [](const Tensor& x) { return 2 * x; }, Block{}};
  nn::Dropout dropout{0.5};
  int steps = 3;  // no field of the model's state
  XGRAD_FIELDS(scale, nothing, layers, blocks, absent, present, chain, dropout)
};

struct Aggregate {
  Parameter a, b;
  double rate = 0.5;
  XGRAD_FIELDS(a, b)
};
static_assert(std::is_aggregate_v<Aggregate>);

struct Same : nn::Linear {  // adds no data: the inherited line will do
  using nn::Linear::Linear;
};
struct More : nn::Linear {
  More() : Linear(2, 2) {}
  Parameter extra = parameter(1.0);
  XGRAD_FIELDS(weight, bias, extra)
};
struct Forgetful : nn::Linear {
  Forgetful() : Linear(2, 2) {}
  Parameter extra = parameter(1.0);
};
static_assert(nn::fields::has_own_line<nn::Linear>() && nn::fields::has_own_line<Same>());
static_assert(nn::fields::has_own_line<More>() && !nn::fields::has_own_line<Forgetful>());

std::vector<std::string> names(const Parameters& list) {
  std::vector<std::string> made;
  for (const auto& entry : list) made.push_back(entry.name);
  return made;
}
std::vector<std::string> names(const NamedTensors& list) {
  std::vector<std::string> made;
  for (const auto& entry : list) made.push_back(entry.name);
  return made;
}
using Names = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(names_are_pytorchs) {
  Everything model;
  const Names expected{"scale",
                       "layers.0.weight",
                       "layers.0.bias",
                       "layers.1.weight",
                       "layers.1.bias",
                       "blocks.0.inner.weight",
                       "blocks.0.inner.bias",
                       "blocks.1.inner.weight",
                       "blocks.1.inner.bias",
                       "present.weight",
                       "chain.0.weight",
                       "chain.0.bias",
                       "chain.3.inner.weight",
                       "chain.3.inner.bias"};
  BOOST_TEST(names(nn::parameters(model)) == expected, boost::test_tools::per_element());
  const Names buffers{"blocks.0.running", "blocks.1.running", "chain.3.running"};
  BOOST_TEST(names(nn::buffers(model)) == buffers, boost::test_tools::per_element());
  BOOST_TEST(nn::state_dict(model).size() == expected.size() + buffers.size());
  BOOST_TEST(nn::parameter_count(model) == 1 + 9 + 8 + 6 + 6 + 2 + 6 + 6);
}

BOOST_AUTO_TEST_CASE(fields_of_any_struct) {
  struct Local {  // macros expand to no template members, so a local struct will do
    Parameter w = parameter(2.0);
    Tensor operator()(In x) const { return w * x; }
    XGRAD_FIELDS(w)
  };
  Local local;
  BOOST_TEST(names(nn::parameters(local)) == Names{"w"}, boost::test_tools::per_element());
  Aggregate aggregate{.a = parameter(1.0), .b = parameter(2.0)};
  BOOST_TEST(nn::parameter_count(aggregate) == 2);
  Same same(2, 3);
  BOOST_TEST(nn::parameter_count(same) == 9);
  More more;
  BOOST_TEST(names(nn::parameters(more)) == (Names{"weight", "bias", "extra"}), boost::test_tools::per_element());
  std::vector<nn::Linear> list{nn::Linear(1, 1), nn::Linear(1, 1)};
  BOOST_TEST(names(nn::parameters(list)) == (Names{"0.weight", "0.bias", "1.weight", "1.bias"}),
             boost::test_tools::per_element());
  nn::Tanh none;
  BOOST_TEST(nn::parameters(none).empty());
}

BOOST_AUTO_TEST_CASE(many_fields) {
  struct Wide {
    Parameter a = parameter(1.0), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a, m = a;
    XGRAD_FIELDS(a, b, c, d, e, f, g, h, i, j, k, l, m)
  } wide;
  BOOST_TEST(nn::parameters(wide).size() == 13);
  BOOST_TEST(nn::parameters(wide)[12].name == "m");
}

BOOST_AUTO_TEST_CASE(a_copy_is_a_snapshot_and_assigning_restores) {
  Everything model;
  const Parameters known = nn::parameters(model);  // as an optimizer holds them
  const Everything best = model;
  const Everything untouched = model;
  const NamedTensors before = nn::state_dict(model);
  for (const auto& entry : known) entry.assign(entry.value() + 1.0);
  model.chain.at<Block>(3).running = ones({2});

  const auto same = [](const NamedTensors& a, const NamedTensors& b) {
    bool equal = a.size() == b.size();
    for (std::size_t i = 0; equal && i < a.size(); ++i) equal = all(a[i].value == b[i].value).item() == 1;
    return equal;
  };
  BOOST_TEST(same(nn::state_dict(best), before));
  BOOST_TEST(!same(nn::state_dict(model), before));
  model = best;
  BOOST_TEST(same(nn::state_dict(model), before));
  for (const auto& entry : known) entry.assign(entry.value() - 1.0);  // the optimizer still reaches them all
  for (std::size_t i = 0; i < known.size(); ++i)
    BOOST_TEST(nn::parameters(model)[i].variable.get() == known[i].variable.get());
  BOOST_TEST(!same(nn::state_dict(model), before));
  BOOST_TEST(same(nn::state_dict(untouched), before));
}

BOOST_AUTO_TEST_CASE(sequential) {
  nn::Sequential net{nn::Linear(3, 4), xgrad::tanh, [](const Tensor& x) { return x + 1; }, nn::Linear(4, 2)};
  const Tensor x = randn({5, 3});
  const auto &first = net.at<nn::Linear>(0), &last = net.at<nn::Linear>(3);
  BOOST_TEST(amax(abs(net(x) - last(tanh(first(x)) + 1))).item() == 0);
  BOOST_TEST(names(nn::parameters(net)) == (Names{"0.weight", "0.bias", "3.weight", "3.bias"}),
             boost::test_tools::per_element());
  BOOST_TEST(nn::Sequential()(x).node() == x.node());
  net.push_back(nn::Softmax{});
  BOOST_TEST(net.size() == 5);
  nn::Sequential nested(net, nn::ReLU{});
  BOOST_TEST(names(nn::parameters(nested))[3] == "0.3.bias");

  nn::Sequential empty, other{nn::Linear(3, 4)};
  empty = net;
  BOOST_TEST(empty.size() == 5);
  BOOST_TEST(references::error_of([&] { empty = other; }).find("[Sequential] expected 5 layers") != std::string::npos);
  nn::Sequential differing{nn::Linear(3, 4), nn::Tanh{}};
  nn::Sequential unlike{nn::Linear(3, 4), nn::ReLU{}};
  const double before = sum(differing.at<nn::Linear>(0).weight).item();
  BOOST_TEST(references::error_of([&] { differing = unlike; }).find("a layer 1 of the same type") != std::string::npos);
  BOOST_TEST(sum(differing.at<nn::Linear>(0).weight).item() == before);
  CHECK_ERROR(net.at<nn::Tanh>(0), "layer 0 is a Linear, not a Tanh");
  CHECK_ERROR(net.at<nn::Tanh>(9), "-5 ... 4, got 9");
  CHECK_ERROR(net(ones({5, 7})), "[Linear] expected 3 numbers");
  const int line = __LINE__ + 1;
  const std::string message = references::error_of([&] { net(ones({5, 7})); });
  BOOST_TEST(message.find(fmt::format("nn_test.cpp:{}:", line)) != std::string::npos, message);
  // in which layer, of one inside of another, too
  BOOST_TEST(message.ends_with(", in layer 0 (Linear) of a Sequential"), message);
  const nn::Sequential inner{nn::Linear(3, 4), nn::ReLU{}, nn::Linear(5, 2)}, outer{nn::Tanh{}, inner};
  CHECK_ERROR(outer(ones({5, 3})), ", in layer 2 (Linear) of a Sequential, in layer 1 (Sequential) of a Sequential");
  const nn::Sequential own{[](const Tensor& x) { return matmul(x, x); }};
  CHECK_ERROR(own(ones({5, 3})), ", in layer 0 (function) of a Sequential");
}

// docs/layers.md, copies and assignments
BOOST_AUTO_TEST_CASE(assignments_are_of_fields) {
  struct Two {
    nn::Linear body, head;
    explicit Two(Size out) : body(2, 3), head(3, out) {}
    XGRAD_FIELDS(body, head)
  };
  Two net(4), wider(5), kept = net;
  const auto known = nn::parameters(net);
  CHECK_ERROR(net = wider, "the variable holds f32 (4, 3), got f32 (5, 3)");
  BOOST_TEST((allclose(net.body.weight, wider.body.weight, 0, 0) && allclose(net.head.weight, kept.head.weight, 0, 0)));
  net = kept;
  CHECK_ERROR(nn::load_state_dict(net, nn::state_dict(wider)), "[load_state_dict]");
  BOOST_TEST(allclose(net.body.weight, kept.body.weight, 0, 0));
  CHECK_ERROR(net.head = wider.head, "the variable holds f32 (4, 3), got f32 (5, 3)");
  BOOST_TEST(nn::parameters(net)[2].variable.get() == known[2].variable.get());
  net.head = std::move(wider.head);
  BOOST_TEST((net.head.weight.shape() == Shape{5, 3}));
  BOOST_TEST(nn::parameters(net)[2].variable.get() != known[2].variable.get());
  net.head = nn::Linear(3, 6);
  BOOST_TEST((net.head.weight.shape() == Shape{6, 3}));
}

namespace {

template <class L, class... X>
void check_moved_from(L layer, const char* says, const X&... x) {
  const L copy = layer, own = std::move(layer);
  BOOST_CHECK_NO_THROW(own(x...));
  BOOST_CHECK_NO_THROW(copy(x...));
  CHECK_ERROR(layer(x...), says);  // NOLINT(bugprone-use-after-move)
}

}  // namespace

// What a layer has left when it was moved from is nothing to compute with.
BOOST_AUTO_TEST_CASE(moved_from_layers) {
  const Tensor x = ones({2, 4}), line = ones({2, 4, 3}), image = ones({2, 4, 3, 3});
  check_moved_from(nn::BatchNorm1d(4), "[BatchNorm1d] this layer was made without a number of channels, or moved from",
                   x);
  check_moved_from(nn::BatchNorm2d(4, {.affine = false, .track_running_stats = false}), "[BatchNorm2d] this layer",
                   image);
  check_moved_from(nn::InstanceNorm1d(4), "[InstanceNorm1d] this layer was made without a number of channels", line);
  check_moved_from(nn::InstanceNorm2d(4, {.affine = true}), "[InstanceNorm2d] this layer", image);
  check_moved_from(nn::GroupNorm(2, 4), "[GroupNorm] this layer was made without sizes, or moved from", image);
  check_moved_from(nn::LayerNorm(4), "[LayerNorm] this layer was made without sizes, or moved from", x);
  check_moved_from(nn::ZeroPad2d(1), "[ZeroPad2d] this layer was moved from", image);
  check_moved_from(nn::ConstantPad1d(0, 2), "[ConstantPad1d] this layer was moved from", line);
  check_moved_from(nn::TransformerEncoder(nn::TransformerEncoderLayer(4, 2), 2),
                   "[TransformerEncoder] this layer was made without layers, or moved from", x);
  check_moved_from(nn::TransformerDecoder(nn::TransformerDecoderLayer(4, 2), 2, nn::LayerNorm(4)),
                   "[TransformerDecoder] this layer was made without layers, or moved from", x, x);
  CHECK_ERROR(nn::TransformerEncoder()(x), "[TransformerEncoder] this layer was made without layers");
  CHECK_ERROR(nn::TransformerDecoder()(x, x), "[TransformerDecoder] this layer was made without layers");
  BOOST_CHECK_NO_THROW(nn::GroupNorm(2, 4, {.affine = false})(image));
}

BOOST_AUTO_TEST_CASE(moved_from) {
  const Tensor x = ones({5, 3});
  nn::Linear linear(3, 4);
  nn::Layer layer = linear;
  nn::Sequential net{linear, nn::Tanh{}};
  const nn::Linear own_linear = std::move(linear);
  const nn::Layer own_layer = std::move(layer);
  nn::Sequential own = std::move(net), copy = net;
  CHECK_ERROR(linear(x), "nn_test.cpp");
  CHECK_ERROR(linear(x), "[Linear] this layer has no weight: it was made without sizes, or moved from");
  CHECK_ERROR(layer(x), "[Sequential] this layer was moved from");
  CHECK_ERROR(nn::Sequential(std::move(layer), nn::Tanh{})(x), "nn_test.cpp");
  CHECK_ERROR(net(x), "[Sequential] this model was moved from");
  CHECK_ERROR(copy(x), "[Sequential] this model was moved from");
  nn::Sequential& same = own;
  own = std::move(same);
  BOOST_TEST(own.size() == 2);
  net = own;
  BOOST_TEST((net(x).shape() == Shape{5, 4}));
}

BOOST_AUTO_TEST_CASE(modes_and_visits) {
  Everything model;
  model.chain.push_back(nn::Dropout{});
  nn::eval(model);
  BOOST_TEST((!model.dropout.training && !model.chain.at<nn::Dropout>(4).training));
  nn::train(model);
  BOOST_TEST((model.dropout.training && model.chain.at<nn::Dropout>(4).training));

  int seen = 0;
  nn::apply<nn::Linear>(model, [&](nn::Linear& layer) {
    ++seen;
    nn::init::zeros(layer.weight);
  });
  BOOST_TEST(seen == 7);
  BOOST_TEST(sum(abs(model.chain.at<Block>(3).inner.weight)).item() == 0);
  nn::initialise(model, [](const std::string& name, Parameter& p) {
    if (name.ends_with("bias")) nn::init::constant(p, 2);
  });
  BOOST_TEST(sum(model.layers[0].bias).item() == 6);
  BOOST_TEST(sum(abs(model.layers[0].weight)).item() == 0);
}

BOOST_AUTO_TEST_CASE(zero_grad) {
  nn::Sequential net{nn::Linear(2, 2), nn::Linear(2, 1)};
  sum(net(ones({3, 2}))).backward();
  for (const auto& entry : nn::parameters(net)) BOOST_TEST(entry.grad().defined());
  nn::zero_grad(net);
  for (const auto& entry : nn::parameters(net)) BOOST_TEST(!entry.grad().defined());
}

BOOST_AUTO_TEST_CASE(initialisers) {
  namespace init = nn::init;
  manual_seed(4);
  struct Row {
    const char* name;
    std::function<void(Parameter&)> fill;
    double mean, deviation;
    bool bounded;  // uniform: within sqrt(3) deviations
  };
  const double in = 200, out = 300;
  const Row rows[] = {
      {"uniform", [](Parameter& p) { init::uniform(p, -1, 3); }, 1, 4 / std::sqrt(12.0), true},
      {"normal", [](Parameter& p) { init::normal(p, 2, 0.5); }, 2, 0.5, false},
      {"constant", [](Parameter& p) { init::constant(p, 7); }, 7, 0, true},
      {"zeros", [](Parameter& p) { init::zeros(p); }, 0, 0, true},
      {"ones", [](Parameter& p) { init::ones(p); }, 1, 0, true},
      {"xavier_uniform", [](Parameter& p) { init::xavier_uniform(p, 2); }, 0, 2 * std::sqrt(2 / (in + out)), true},
      {"xavier_normal", [](Parameter& p) { init::xavier_normal(p); }, 0, std::sqrt(2 / (in + out)), false},
      {"kaiming_uniform", [](Parameter& p) { init::kaiming_uniform(p, {.a = std::sqrt(5.0)}); }, 0,
       1 / std::sqrt(3 * in), true},
      {"kaiming_normal",
       [](Parameter& p) {
         init::kaiming_normal(p, {.mode = init::FanMode::out, .nonlinearity = init::Nonlinearity::relu});
       },
       0, std::sqrt(2 / out), false},
  };
  for (const Row& row : rows)
    for (const DType dtype : {f32, f64}) {
      Parameter p = parameter(zeros({300, 200}, dtype));
      row.fill(p);
      const Tensor values = cast(p, f64);
      const double mean_off = std::abs(mean(values).item() - row.mean);
      const double deviation = std::sqrt(mean(square(values - row.mean)).item());
      BOOST_TEST(mean_off <= 0.02 * row.deviation, row.name);
      BOOST_TEST(std::abs(deviation - row.deviation) <= 0.02 * row.deviation, row.name);
      const double farthest = amax(abs(values - row.mean)).item();
      if (row.bounded) BOOST_TEST(farthest <= std::sqrt(3.0) * row.deviation * (1 + 1e-6), row.name);
      else BOOST_TEST(farthest > 3 * row.deviation, row.name);
      BOOST_TEST((p.dtype() == dtype));
    }
  nn::Linear layer(50, 400);
  for (const Parameter* p : {&layer.weight, &layer.bias}) {
    BOOST_TEST(amax(abs(*p)).item() <= 1 / std::sqrt(50.0));
    BOOST_TEST(amax(abs(*p)).item() > 0.95 / std::sqrt(50.0));
  }
  BOOST_TEST(init::fans({4, 3, 5, 5}).in == 75);
  BOOST_TEST(init::fans({4, 3, 5, 5}).out == 100);
  const std::pair<init::Nonlinearity, double> gains[] = {{init::Nonlinearity::linear, 1},
                                                         {init::Nonlinearity::tanh, 5.0 / 3},
                                                         {init::Nonlinearity::relu, std::sqrt(2.0)},
                                                         {init::Nonlinearity::leaky_relu, std::sqrt(2 / 1.0001)},
                                                         {init::Nonlinearity::selu, 0.75}};
  for (const auto& [nonlinearity, gain] : gains) BOOST_TEST(init::gain(nonlinearity) == gain);
  CHECK_ERROR(init::xavier_normal(layer.bias), "[init::xavier_normal] expected a weight [out, in, ...]");
  CHECK_ERROR(init::uniform(layer.bias, 2, 1), "low <= high");
  CHECK_ERROR(init::normal(layer.bias, 0, -1), "a deviation of 0 or more");
  Parameter empty;
  CHECK_ERROR(init::zeros(empty), "empty");
}

BOOST_AUTO_TEST_CASE(summary) {
  struct Net {
    nn::Linear hidden{784, 128};
    nn::Sequential head{nn::Tanh{}, nn::Linear(128, 10, {.bias = false})};
    XGRAD_FIELDS(hidden, head)
  };
  const std::string text = nn::summary(Net{});
  for (const char* part : {"hidden", "Linear", "weight (128, 784), bias (128,)", "100,480", "head.0", "Tanh", "head.1",
                           "1,280", "101,760 parameters, 397.5 KiB"})
    BOOST_TEST(text.find(part) != std::string::npos, fmt::format("no '{}' in\n{}", part, text));
  BOOST_TEST(nn::summary(nn::Linear(2, 2)).find("(model)") != std::string::npos);
  const std::string chain = nn::summary(nn::Sequential{xgrad::tanh, [](const Tensor& x) { return x; }});
  BOOST_TEST(chain.find("function") != std::string::npos, chain);
  BOOST_TEST(nn::summary(Cat{}).find("Cat") != std::string::npos, nn::summary(Cat{}));
}
