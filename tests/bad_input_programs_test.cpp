// Bad input to derivatives, variables, models, optimizers, data and training: one Error each, with the user's line, and
// nothing changes.
#include "bad_input.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <thread>

#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

using namespace xgrad;
using bad_input::Table;

namespace {

const double nan_ = std::nan(""), infinity = std::numeric_limits<double>::infinity();

Tensor cube(const Tensor& x) { return x * x * x; }
Tensor cube_sum(const Tensor& x) { return sum(cube(x)); }

}  // namespace

BOOST_AUTO_TEST_CASE(derivatives) {
  Parameter w = parameter(randn({3})), other = parameter(randn({3})), a = parameter(2.0);
  const Tensor v = evaluate(randn({3})), large = evaluate(randn({3000}));
  const Tensor loss = sum(w * v), vector = w * v, constant = sum(v * v);
  const Tensor done = sum(w * w * w), shared = tanh(w), first = sum(shared), second = sum(shared * v);
  done.backward();
  first.backward();
  const Tensor without = [&] {
    const NoGrad scope;
    return sum(w * v);
  }();
  const auto state = [&] {
    std::string all = bad_input::record();
    for (const Tensor* t : {&loss, &vector, &constant, &done, &second, &without}) all += bad_input::bits(*t);
    for (const Parameter* p : {&w, &other, &a}) all += bad_input::bits(p->value()) + bad_input::bits(p->grad());
    return all;
  };
  const CustomOp blind({.name = "blind", .forward = [](const Tensors& in) { return in[0] * 2; }, .vjp = {}});
  const CustomOp hollow({.name = "hollow", .forward = [](const Tensors&) { return Tensor(); }, .vjp = {}});
  const CustomOp few({.name = "few",
                      .forward = [](const Tensors& in) { return in[0] * 2; },
                      .vjp = [](const Tensor&, const Tensors&, const Tensor&) -> Tensors { return {}; }});
  const CustomOp wrong({.name = "wrong",
                        .forward = [](const Tensors& in) { return in[0] * 2; },
                        .vjp = [](const Tensor& g, const Tensors&, const Tensor&) -> Tensors { return {sum(g)}; }});

  Table t(__FILE__, state);
  t.add([&] { vector.backward(); }, {"[backward]", "one element, got shape (3,)", "sum, mean", "cotangent"});
  t.add([&] { vector.backward(ones({2})); }, {"[backward]", "a cotangent f32 (3,), got f32 (2,)"});
  t.add([&] { vector.backward(ones({3}, f64)); }, {"[backward]", "got f64 (3,)"});
  t.add([&] { constant.backward(); }, {"[backward]", "no parameter leads here", "tensors alone"});
  t.add([&] { without.backward(); }, {"[backward]", "no parameter leads here", "NoGrad"});
  t.add([&] { loss.detach().backward(); }, {"[backward]", "no parameter leads here", "detached"});
  t.add([&] { argmax(w, 0).backward(); }, {"[backward]", "i64", "floats"});
  t.add([&] { (w[0] > 0).backward(); }, {"[backward]", "boolean"});
  t.add([&] { done.backward(); }, {"[backward]", "an earlier backward()", "{.keep_graph = true}"});
  t.add([&] { second.backward(); }, {"[backward]", "an earlier backward()", "{.keep_graph = true}"});
  t.add([&] { sum(few(w)).backward(); }, {"[few]", "0 cotangents for 1 inputs"});
  t.add([&] { sum(wrong(w)).backward(); }, {"[wrong]", "f32 ()", "f32 (3,)"});
  t.add([&] { grad(vector, {w}); }, {"[grad]", "one element, got shape (3,)", "cotangent"});
  t.add([&] { grad(vector, {w}, ones({1, 3})); }, {"[grad]", "a cotangent f32 (3,), got f32 (1, 3)"});
  t.add([&] { grad(loss, {other}); }, {"[grad]", "does not depend on input 0", "allow_unused"});
  t.add([&] { grad(loss, {w, v}); }, {"[grad]", "does not depend on input 1", "watch(x)"});
  t.add([&] { grad(loss, {w, 2.0}); }, {"[grad]", "got a number"});
  t.add([&] { grad(constant, {w}); }, {"[grad]", "does not depend on input 0"});
  t.add([&] { grad(second, {w}); }, {"[grad]", "an earlier backward()", "keep_graph"});
  t.add([&] { grad(argmax(w, 0), {w}); }, {"[grad]", "i64"});
  t.add([&] { watch(tensor({1, 2})); }, {"[watch]", "floats, got i64", "cast"});
  t.add([&] { value_and_grad(cube, v); }, {"[value_and_grad]", "one element, got shape (3,)"});
  t.add([&] { value_and_grad(cube_sum, tensor({1, 2})); }, {"[watch]", "got i64"});
  t.add([&] { value_and_grad(Function(), v); }, {"[value_and_grad]", "a function, got an empty one"});
  t.add([&] { value_and_grad(FunctionOfMany(), Tensors{v}); }, {"[value_and_grad]", "got an empty one"});
  t.add([&] { value_and_grad([](const Tensors& x) { return x[0]; }, Tensors{v}); },
        {"[value_and_grad]", "one element"});
  t.add([&] { jvp(cube, v, ones({2})); }, {"[jvp]", "a tangent f32 (3,), got f32 (2,)"});
  t.add([&] { jvp(cube, v, ones({3}, f64)); }, {"[jvp]", "got f64 (3,)"});
  t.add([&] { vjp(cube, v).pullback(ones({2})); }, {"[grad]", "a cotangent f32 (3,), got f32 (2,)"});
  t.add([&] { vjp(cube_sum, v).pullback(tensor({1.0})); }, {"[grad]", "a cotangent f32 (), got f64 (1,)"});
  t.add([&] { hvp(cube, v, v); }, {"[hvp]", "a function of one element, got shape (3,)"});
  t.add([&] { hvp(cube_sum, v, ones({2})); }, {"[hvp]", "a tangent f32 (3,)"});
  t.add([&] { hessian(cube, v); }, {"[hessian]", "one element, got shape (3,)"});
  t.add([&] { jacobian(Function(), v); }, {"[jacobian]", "empty"});
  t.add([&] { jacobian([](const Tensor& x) { return argmax(x, 0); }, v); }, {"floats"});
  t.add([&] { gradcheck(cube_sum, v); }, {"[gradcheck]", "f64, got f32", "cast"});
  t.add([&] { gradcheck(cube_sum, 1.0, {.order = 3}); }, {"[gradcheck]", "1 or 2, got 3"});
  t.add([&] { blind(w); }, {"[blind]", "no vjp", "detach()"});
  t.add([&] { hollow(v); }, {"[hollow]", "empty"});
  t.add([&] { few(Tensor()); }, {"[few]", "empty"});
  t.add([&] { few(Tensors{v, Tensor()}); }, {"[few]", "empty"});
  t.add([&] { CustomOp({.name = "none", .forward = {}, .vjp = {}}); }, {"[CustomOp]", "none has no forward"});
  t.check();
  BOOST_TEST(sum(w * v).requires_grad());
}

BOOST_AUTO_TEST_CASE(pending_tensors_of_another_thread) {
  const Tensor x = evaluate(randn({3000})), pending = tanh(x), here = exp(x);
  Parameter w = parameter(x);
  const Tensor loss = sum(w * w), recorded = evaluate(w * 2);
  std::thread([&] {
    Table t(__FILE__, [&] { return fmt::format("{} {}", pending.pending(), bad_input::bits(x)); });
    t.add([&] { pending + x; }, {"[add]", "pending tensor of another thread, f32 (3000,)", "evaluate"});
    t.add([&] { sum(pending); }, {"[sum]", "another thread", "evaluate"});
    t.add([&] { pending.item(); }, {"[item]"});
    t.add([&] { pending.to_vector<float>(); }, {"[to_vector]", "another thread", "evaluate"});
    t.add([&] { loss.item(); }, {"[item]", "another thread", "evaluate"});
    t.add([&] { evaluate(pending); }, {"[evaluate]", "another thread"});
    t.add([&] { evaluate(x, pending); }, {"[evaluate]", "another thread"});
    t.add([&] { parameter(pending); }, {"another thread"});
    t.add([&] { concat({x, pending}); }, {"[concat]", "another thread"});
    t.add([&] { loss.backward(); }, {"[backward]", "another thread"});
    t.add([&] { sum(recorded * x).backward(); }, {"[backward]", "another thread", "detach()"});
    t.add([&] { grad(loss, {w}); }, {"[grad]", "another thread"});
    t.add([&] { pending.detach(); }, {"[detach]", "another thread"});
    t.check();
  }).join();
  BOOST_TEST(amax(abs(pending - tanh(x))).item() == 0);
  BOOST_TEST(here.pending());
  loss.backward();
  BOOST_TEST(w.grad().defined());
}

BOOST_AUTO_TEST_CASE(variables) {
  Parameter w = parameter(randn({2, 3})), number = parameter(1.0), unset;
  const Tensor v = evaluate(randn({3}));
  const auto state = [&] {
    return bad_input::record() + bad_input::bits(w.value()) + bad_input::bits(w.grad()) +
           bad_input::bits(number.value()) + fmt::format("{}", unset.defined());
  };
  Table t(__FILE__, state);
  t.add([&] { w = v; }, {"[assign]", "the variable holds f32 (2, 3), got f32 (3,)", "keeps its shape and dtype"});
  t.add([&] { w = cast(w, f64); }, {"[assign]", "got f64 (2, 3)"});
  t.add([&] { w = 1.0; }, {"[assign]", "got f32 ()"});
  t.add([&] { w = Tensor(); }, {"[assign]", "empty"});
  t.add([&] { w.assign(ones({6})); }, {"[assign]", "got f32 (6,)"});
  t.add([&] { w += ones({2}); }, {"[add]", "(2, 3) and (2,)"});
  t.add([&] { w -= ones({4, 2, 3}); }, {"[assign]", "got f32 (4, 2, 3)"});
  t.add([&] { number *= v; }, {"[assign]", "holds f64 (), got f32 (3,)"});
  t.add([&] { number /= tensor({1.0, 2.0}); }, {"[assign]", "f64 (), got f64 (2,)"});
  t.add([&] { w.set_grad(v); }, {"[set_grad]", "f32 (2, 3), got f32 (3,)"});
  t.add([&] { w.size(2); }, {"[size]", "axis 2"});
  t.add([&] { w[2]; }, {"[x[i]]", "index 2"});
  t.add([&] { Parameters().add("w", unset); }, {"[Parameters]", "w is empty"});
  t.check();
}

BOOST_AUTO_TEST_CASE(models_and_optimizers) {
  nn::Sequential net{nn::Linear(3, 4), nn::Tanh{}, nn::Linear(4, 2)};
  nn::Linear layer(3, 4);
  const Tensor x = evaluate(randn({5, 3})), scores = evaluate(randn({5, 3})), rows = tensor({0, 1, 2, 0, 1});
  Parameter unset, vector = parameter(ones({3}));
  optim::Adam adam(nn::parameters(net));
  optim::SGD sgd(nn::parameters(layer), {.momentum = 0.9});
  nn::mse_loss(net(x), 0.0).backward();
  adam.step();
  const NamedTensors adams = adam.state();
  const auto state = [&] {
    std::string all = bad_input::record();
    for (const auto& entry : nn::state_dict(net)) all += entry.name + bad_input::bits(entry.value);
    for (const auto& entry : nn::state_dict(layer)) all += entry.name + bad_input::bits(entry.value);
    for (const auto& entry : adam.state()) all += entry.name + bad_input::bits(entry.value);
    for (const auto& entry : sgd.state()) all += entry.name + bad_input::bits(entry.value);
    for (const auto& p : nn::parameters(net)) all += bad_input::bits(p.grad());
    return all + bad_input::bits(vector.value());
  };
  namespace init = nn::init;
  Table t(__FILE__, state);
  t.add([&] { net(ones({5, 4})); }, {"[Linear]", "3 numbers along the last axis, got the shape (5, 4)", "3 -> 4"});
  t.add([&] { net(ones({})); }, {"[Linear]", "the shape ()"});
  t.add([&] { net(ones({5, 3}, i64)); }, {"[Linear]", "expected floats, got i64", "cast(x, f32)"});
  t.add([&] { nn::Linear(Size{1} << 40, Size{1} << 40); }, {"[Linear]", "more elements than memory"});
  t.add([&] { net(Tensor()); }, {"empty"});
  t.add([&] { nn::Linear(0, 3); }, {"[Linear]", "sizes of at least 1, got 0 and 3"});
  t.add([&] { nn::Linear(std::uint64_t{1} << 63, 3); }, {"9223372036854775808 does not fit"});
  t.add([&] { nn::Linear(Size{1} << 40, Size{1} << 40); }, {"more elements than memory"});
  t.add([&] { nn::Linear(3, 4, {.dtype = i64}); }, {"[Linear]", "f32 or f64, got i64"});
  t.add([&] { nn::dropout(x, 1.5); }, {"[dropout]", "[0, 1], got 1.5"});
  t.add([&] { nn::dropout(x, nan_); }, {"[dropout]", "got nan"});
  t.add([&] { nn::elu(Tensor()); }, {"empty"});
  t.add([&] { nn::softplus(x, 0); }, {"[softplus]", "beta"});
  t.add(
      [&] {
        nn::cross_entropy(scores, tensor({0, 1, 3, 0, 1}));
      },
      {"[cross_entropy]", "0 ... 2, got 3 at position 2"});
  t.add([&] { nn::cross_entropy(scores, tensor({0, 1})); }, {"[cross_entropy]", "shape (5,), got (2,)"});
  t.add([&] { nn::cross_entropy(scores, 1); }, {"[cross_entropy]", "shape (5,), got ()"});
  t.add([&] { nn::cross_entropy(scores, Tensor()); }, {"empty"});
  t.add([&] { nn::cross_entropy(rows, rows); }, {"[cross_entropy]", "floats", "i64 (5,)"});
  t.add([&] { nn::cross_entropy(ones({}), 0); }, {"[cross_entropy]", "f32 ()"});
  t.add([&] { nn::cross_entropy(zeros({5, 0}), rows); }, {"[cross_entropy]", "no classes"});
  t.add([&] { nn::cross_entropy(scores, rows, {.label_smoothing = nan_}); }, {"[cross_entropy]", "label_smoothing"});
  t.add([&] { nn::nll_loss(scores, tensor({0, 1, -7, 0, 1})); }, {"[nll_loss]", "got -7 at position 2"});
  t.add([&] { nn::mse_loss(ones({4, 1}), ones({4})); }, {"[mse_loss]", "(4, 1) and (4,)", "reshape"});
  t.add([&] { nn::mse_loss(x, Tensor()); }, {"empty"});
  t.add([&] { nn::l1_loss(x, ones({3, 5})); }, {"[l1_loss]", "(5, 3) and (3, 5)"});
  t.add([&] { nn::huber_loss(x, x, {.delta = 0}); }, {"[huber_loss]", "delta above 0, got 0"});
  t.add([&] { nn::smooth_l1_loss(x, x, {.beta = -1}); }, {"[smooth_l1_loss]", "got -1"});
  t.add([&] { nn::binary_cross_entropy_with_logits(x, ones({3})); }, {"[binary_cross_entropy_with_logits]", "(3,)"});
  t.add([&] { net.at<nn::Linear>(3); }, {"[Sequential]", "-3 ... 2, got 3"});
  t.add([&] { net.at<nn::Linear>(-4); }, {"[Sequential]", "got -4"});
  t.add([&] { net.at<nn::Linear>(-2); }, {"[Sequential]", "layer -2 is a Tanh, not a Linear"});
  t.add([&] { net.at<nn::Linear>(1); }, {"[Sequential]", "layer 1 is a Tanh, not a Linear"});
  t.add([&] { nn::load_state_dict(net, {}); }, {"[load_state_dict]", "missing 0.weight"});
  t.add([&] { init::uniform(vector, 2, 1); }, {"[init::uniform]", "low <= high, got 2 and 1"});
  t.add([&] { init::uniform(vector, 0, infinity); }, {"[init::uniform]", "inf"});
  t.add([&] { init::normal(vector, 0, nan_); }, {"[init::normal]", "got nan"});
  t.add([&] { init::xavier_uniform(vector); }, {"[init::xavier_uniform]", "[out, in, ...]", "(3,)"});
  t.add([&] { init::kaiming_normal(unset); }, {"[init::kaiming_normal]", "empty"});
  t.add([&] { optim::Adam({unset}); }, {"[Parameters]", "0 is empty"});
  t.add([&] { optim::Adam(Parameters{}); }, {"[Adam]", "at least one parameter, got none"});
  t.add([&] { optim::Adam({vector}, {.lr = nan_}); }, {"[Adam]", "finite lr of 0 or more, got nan"});
  t.add([&] { optim::Adam({vector}, {.beta1 = nan_}); }, {"[Adam]", "beta1 in [0, 1), got nan"});
  t.add([&] { optim::AdamW({vector}, {.weight_decay = -1}); }, {"[AdamW]", "weight_decay"});
  t.add([&] { optim::SGD({vector, vector}); }, {"[SGD]", "there twice"});
  t.add([&] { optim::SGD({vector}, {.momentum = nan_}); }, {"[SGD]", "momentum of 0 or more, got nan"});
  t.add([&] { adam.add_group({net.at<nn::Linear>(0).weight}); }, {"[Adam]", "there twice"});
  t.add([&] { adam.set_lr(-1); }, {"[Adam]", "lr of 0 or more, got -1"});
  t.add([&] { adam.set_lr(1, 1); }, {"[Adam]", "0 ... 0, got 1"});
  t.add([&] { adam.lr(-1); }, {"[Adam]", "got -1"});
  t.add([&] { sgd.load_state(adams); }, {"[SGD]", "cannot load"});
  t.add([&] { optim::CosineAnnealing(adam, {.steps = -1}); }, {"[CosineAnnealing]", "got -1"});
  t.add([&] { optim::StepLR(adam, {.every = 2, .gamma = nan_}); }, {"[StepLR]", "gamma", "nan"});
  t.add([&] { optim::LinearWarmup(adam, {.steps = 0}); }, {"[LinearWarmup]", "1 step or more"});
  t.add([&] { optim::StepLR(adam, {.every = 2}).resume(-1); }, {"[StepLR]", "0 or more, got -1"});
  t.check();
}

// C++ gives an assignment of one variable to another no line; the Error names the line that made the variable.
BOOST_AUTO_TEST_CASE(assignments_that_do_not_fit) {
  Parameter w = parameter(ones({3})), number = parameter(1.0);
  nn::Linear layer(3, 4);
  nn::Sequential net{nn::Linear(3, 4), nn::Tanh{}, nn::Linear(4, 2)};
  constexpr int made = __LINE__ - 3;
  const nn::Linear wider(4, 4);
  const nn::Sequential shorter{nn::Linear(3, 4)}, unlike{nn::Linear(3, 4), nn::ReLU{}, nn::Linear(4, 2)};
  const auto numbers = [&] {
    std::string all = bad_input::bits(w.value());
    for (const auto& entry : nn::state_dict(net)) all += bad_input::bits(entry.value);
    for (const auto& entry : nn::state_dict(layer)) all += bad_input::bits(entry.value);
    return all;
  };
  const auto check = [&](const std::function<void()>& work, int line, const char* part) {
    const std::string before = numbers(), expected = fmt::format("bad_input_programs_test.cpp:{}: {}", line, part);
    std::string message;
    try {
      work();
    } catch (const Error& error) {
      message = error.what();
    }
    BOOST_TEST(message.compare(0, expected.size(), expected) == 0, message + " instead of " + expected);
    BOOST_TEST((numbers() == before));
  };
  check([&] { w = number; }, made, "[assign] the variable holds f32 (3,), got f64 ()");
  check([&] { layer = wider; }, made + 1, "[assign] the variable holds f32 (4, 3), got f32 (4, 4)");
  check([&] { net = shorter; }, made + 2, "[Sequential] expected 3 layers to assign from, got 1");
  check([&] { net = unlike; }, made + 2, "[Sequential] expected a layer 1 of the same type to assign from, Tanh");
}

BOOST_AUTO_TEST_CASE(data_and_training) {
  const Tensor x = evaluate(randn({6, 2})), y = tensor({0, 1, 0, 1, 0, 1});
  const data::Dataset rows{x, y}, unequal{x, tensor({0, 1})};
  nn::Linear net(2, 2), wrong(3, 2);
  optim::SGD sgd(nn::parameters(net));
  data::DataLoader batches(rows, {.batch_size = 4}), alone({x}, {}), outside({x, tensor({0, 1, 5, 1, 0, 1})}),
      floats({x, ones({6})});
  const training::FitOptions quiet{.epochs = 1, .progress = false};
  const auto state = [&] {
    return bad_input::bits(x) + bad_input::bits(net.weight.value()) + bad_input::bits(net.bias.value());
  };
  const auto loss_of = [&](const std::function<Tensor(const Tensor&)>& loss) {
    return training::FitOptions{
        .epochs = 1, .progress = false, .loss = [loss](const Tensor& z, const Tensor&) { return loss(z); }};
  };
  Table t(__FILE__, state);
  t.add([&] { data::DataLoader(Tensors{}); }, {"[DataLoader]", "one tensor or more"});
  t.add([&] { data::DataLoader({x, Tensor()}); }, {"[DataLoader]", "empty"});
  t.add([&] { data::DataLoader({ones({})}); }, {"[DataLoader]", "0-d"});
  t.add([&] { data::DataLoader({x, tensor({1, 2})}); }, {"[DataLoader]", "6 and 2"});
  t.add([&] { data::DataLoader({x}, {.batch_size = 0}); }, {"[DataLoader]", "1 or more, got 0"});
  t.add(
      [&] {
        data::DataLoader from({x}), to = std::move(from);
        from.begin();
      },
      {"[DataLoader]", "moved from"});
  t.add([&] { data::DataLoader({x}, {.batch_size = -3}); }, {"[DataLoader]", "got -3"});
  t.add([&] { data::split(rows, 7); }, {"[split]", "0 ... 6, got 7"});
  t.add([&] { data::split(rows, -1); }, {"[split]", "got -1"});
  t.add([&] { data::split(unequal, 1); }, {"[split]", "6 inputs and 2 labels"});
  t.add([&] { data::split({}, 0); }, {"[split]", "empty"});
  t.add([&] { data::split({ones({}), ones({})}, 0); }, {"[split]", "0-d"});
  t.add([&] { data::shuffled(unequal); }, {"[shuffled]", "6 inputs and 2 labels"});
  t.add([&] { data::shuffled({}); }, {"[shuffled]", "empty"});
  t.add([&] { data::shuffled({ones({}), ones({})}); }, {"[shuffled]", "0-d"});
  t.add([&] { data::spirals({.classes = 0}); }, {"[spirals]", "got 0"});
  t.add([&] { data::spirals({.points_per_class = -1}); }, {"[spirals]", "-1"});
  t.add([&] { data::spirals({.noise = nan_}); }, {"[spirals]", "noise", "nan"});
  t.add([&] { data::spirals({.classes = Size{1} << 40, .points_per_class = Size{1} << 40}); }, {"[spirals]", "more"});
  t.add([&] { data::spirals({.classes = Size{1} << 30, .points_per_class = Size{1} << 30}); }, {"[spirals]", "more"});
  t.add([&] { data::moons({.noise = -1}); }, {"[moons]", "got -1"});
  t.add([&] { data::circles({.points_per_class = 0}); }, {"[circles]", "0"});
  t.add([&] { data::digits({.side = 3}); }, {"[digits]", "4 ... 256, got 3"});
  t.add([&] { data::digits({.wobble = 2}); }, {"[digits]", "wobble", "got 2"});
  t.add([&] { data::idx_images("/no/such/file"); }, {"[idx]", "/no/such/file", "No such file", "check the path"});
  t.add([&] { data::mnist("/no/such/folder"); }, {"[mnist]", "/no/such/folder", "check the folder"});
  t.add([&] { training::fit(net, sgd, batches, {.epochs = -1}); }, {"[fit]", "0 epochs or more, got -1"});
  t.add([&] { training::fit(net, sgd, alone, quiet); }, {"[fit]", "inputs and targets, got one tensor"});
  t.add([&] { training::fit(wrong, sgd, batches, quiet); }, {"[Linear]", "3 numbers"});
  t.add([&] { training::fit(net, sgd, batches, loss_of([](const Tensor& z) { return z; })); },
        {"[backward]", "(4, 2)"});
  t.add([&] { training::fit(net, sgd, batches, loss_of([](const Tensor&) { return Tensor(); })); },
        {"[fit]", "the loss gave an empty tensor"});
  t.add([&] { training::fit(net, sgd, batches, loss_of([](const Tensor&) { return ones({}); })); },
        {"[fit]", "does not depend on any parameter: weight, bias"});
  t.add([&] { training::fit(net, sgd, batches, loss_of([](const Tensor& z) { return sum(z) / 0; })); },
        {"[fit]", "loss is"});
  t.add([&] { training::fit(net, sgd, outside, quiet); }, {"[cross_entropy]", "0 ... 1, got 5 at position 2"});
  t.add([&] { training::fit(net, sgd, floats, quiet); }, {"[fit]", "i64 classes", "got f32", ".loss = nn::mse_loss"});
  t.add([&] { training::accuracy([](const Tensor&) { return Tensor(); }, rows); }, {"[accuracy]", "an empty tensor"});
  t.add([&] { training::accuracy(net, {x, x}); }, {"[accuracy]", "i64 labels [n]", "f32 (6, 2)"});
  t.add([&] { training::accuracy(net, unequal); }, {"[accuracy]", "inputs (6, 2) and labels (2,)"});
  t.add([&] { training::accuracy(net, {}); }, {"empty"});
  t.add([&] { training::plot_history({}, "x.png"); }, {"[plot_history]", "no epochs"});
  t.add([&] { training::plot_regions(wrong, {ones({6, 3}), y}, "x.png"); }, {"[plot_regions]", "[n, 2], got (6, 3)"});
  t.check();
}
