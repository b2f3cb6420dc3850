// What fit's options do: validation and metrics, early stopping, the best model, callbacks, several inputs and outputs. Of its steps:
// fit_steps_test.cpp.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <memory>

#include <xgrad/xgrad.hpp>
#include "fit_net.hpp"
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::says;
namespace metrics = nn::metrics;

namespace {

std::vector<std::vector<double>> values_of(const Parameters& parameters) {
  std::vector<std::vector<double>> values;
  for (const Parameters::Entry& p : parameters) values.push_back(p.value().to_vector<double>());
  return values;
}

// A metric whose value is what a script says, epoch by epoch.
struct Scripted {
  std::shared_ptr<std::vector<double>> script;
  std::shared_ptr<std::size_t> asked = std::make_shared<std::size_t>(0);
  static constexpr bool greater_is_better = false;
  void update(const Tensor&, const Tensor&) {}
  double value() const { return script->at((*asked)++); }
  void reset() {}
};
Scripted script(std::vector<double> values) { return {std::make_shared<std::vector<double>>(std::move(values))}; }
struct ScriptedUp : Scripted {
  static constexpr bool greater_is_better = true;
};
struct Undecided {  // does not say which way is better
  void update(const Tensor&, const Tensor&) {}
  double value() const { return 1; }
  void reset() {}
};

}  // namespace

BOOST_AUTO_TEST_CASE(validation_is_that_of_evaluate) {
  manual_seed(1);
  Net net;
  const Tensor x = randn({40, 3}), t = randint(0, 2, {40}), vx = randn({17, 3}), vt = randint(0, 2, {17});
  optim::Adam optimizer(nn::parameters(net), {.lr = 0.01});
  const data::DataLoader train({x, t}, {.batch_size = 8}), other({vx, vt}, {.batch_size = 5});
  std::vector<double> losses;
  const training::History history =
      training::fit(net, optimizer, train,
                    {.epochs = 3,
                     .progress = false,
                     .after_epoch =
                         [&](const training::Epoch& e) {
                           nn::Mode eval(net, false);
                           const NoGrad constant;
                           const Tensor y = net(vx);
                           BOOST_TEST(std::abs(e.validation_loss - nn::cross_entropy(y, vt).item()) < 1e-6);
                           metrics::F1 f1;
                           f1.update(y, vt);
                           BOOST_TEST(e.metric("f1") == f1.value());
                           BOOST_TEST(e.metrics[0].name == "f1");
                           BOOST_TEST(e.validation_accuracy == training::accuracy(net, {vx, vt}));
                           losses.push_back(e.validation_loss);
                           return true;
                         },
                     .validation = other,
                     .metrics = {{"f1", metrics::F1{}}, {"top", metrics::Accuracy{.top_k = 2}}}});
  BOOST_TEST(losses.size() == 3u);
  BOOST_TEST(net.dropout.training);
  const training::Evaluation seen = training::evaluate(net, other, {.metrics = {{"f1", metrics::F1{}}}});
  BOOST_TEST(seen.loss == losses.back());
  BOOST_TEST(seen.metrics[0].value == history.epochs.back().metric("f1"));
  BOOST_TEST(history.epochs[0].metric("top") == 1);
  BOOST_TEST(history.best_epoch > 0);
  CHECK_ERROR(history.epochs[0].metric("nobody"), "[metric] there is no metric nobody");
}

BOOST_AUTO_TEST_CASE(stops_without_a_new_best_and_keeps_the_best) {
  for (const bool lambda : {false, true}) {
    manual_seed(2);
    Net net;
    const auto call = [&](const Tensor& x) { return net(x); };
    optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
    const data::DataLoader batches({randn({16, 3}), randint(0, 2, {16})}, {.batch_size = 4});
    std::vector<std::vector<std::vector<double>>> after;
    training::FitOptions options{.epochs = 20, .progress = false, .after_epoch = [&](const training::Epoch&) {
                                   after.push_back(values_of(nn::parameters(net)));
                                   return true;
                                 }};
    options.monitor = "score";
    options.patience = 3;
    options.min_delta = 0.1;
    options.keep_best = true;
    options.metrics = {{"score", script({5, 4, 3.95, std::nan(""), 4.5, 1, 1})}};
    const training::History history =
        lambda ? training::fit(call, optimizer, batches, options) : training::fit(net, optimizer, batches, options);
    BOOST_TEST(history.epochs.size() == 5u);  // 3.95 is better by too little
    BOOST_TEST((history.stopped && history.best_epoch == 2 && history.best == 4));
    BOOST_TEST((values_of(nn::parameters(net)) == after[1]));
    BOOST_TEST((after[1] != after[4]));
  }
  // what is greater is better, where the metric says so
  Net net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
  const data::DataLoader batches({randn({16, 3}), randint(0, 2, {16})}, {.batch_size = 4});
  training::FitOptions options{
      .epochs = 4, .progress = false, .metrics = {{"up", ScriptedUp{script({1, 3, 2, 0})}}}, .monitor = "up"};
  BOOST_TEST(training::fit(net, optimizer, batches, options).best_epoch == 2);
  options.metrics = {{"mine", Undecided{}}};  // which need not say it where it is not monitored
  options.monitor = "accuracy";
  BOOST_TEST(training::fit(net, optimizer, batches, options).best >= 0.5);
  // what never was a number has no best
  const auto never = [] { return script(std::vector<double>(4, std::nan(""))); };
  for (const Size patience : {0, 2}) {
    options.metrics = {{"never", never()}};
    options.patience = patience;
    options.monitor = "never";
    CHECK_ERROR(training::fit(net, optimizer, batches, options),
                fmt::format("[fit] expected numbers of what is monitored, never, got NaN in each of {} epochs",
                            patience == 0 ? 4 : 2));
  }
  options.monitor = "";
  options.metrics = {{"never", never()}};
  BOOST_TEST(training::fit(net, optimizer, batches, options).best_epoch > 0);
  options.monitor = "accuracy";
  options.metrics = {};
  options.loss = [](const Tensor& y, const Tensor& t) { return nn::mse_loss(y, one_hot(t, 2)); };
  BOOST_TEST(training::fit(net, optimizer, batches, options).best_epoch > 0);
}

BOOST_AUTO_TEST_CASE(callbacks_stop_it) {
  manual_seed(5);
  Net net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.5});
  const data::DataLoader batches({randn({12, 3}), randint(0, 2, {12})}, {.batch_size = 4});
  std::vector<std::pair<Size, Size>> seen;
  const training::History history = training::fit(
      net, optimizer, batches, {.epochs = 5, .progress = false, .after_batch = [&](const training::Batch& b) {
                                  seen.push_back({b.epoch, b.batch});
                                  BOOST_TEST(std::isfinite(b.loss));
                                  return seen.size() < 5;
                                }});
  BOOST_TEST((seen == std::vector<std::pair<Size, Size>>{{1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2}}));
  BOOST_TEST((history.stopped && history.epochs.size() == 2));
}

BOOST_AUTO_TEST_CASE(several_inputs_and_outputs) {
  struct Heads {
    nn::Linear body{2, 8}, number{8, 1}, kind{8, 3};
    Tensors operator()(const Tensor& x) const {
      const Tensor h = tanh(body(x));
      return {kind(h), number(h)};
    }
    XGRAD_FIELDS(body, number, kind)
  };
  manual_seed(6);
  const Tensor x = randn({90, 2}), y = sum(x, 1, true), k = cast(x[0][0] > 100, i64) + cast(slice(x, 1, 0, 1) > 0, i64);
  const Tensor kind = reshape(k, {90});
  Heads model;
  optim::Adam optimizer(nn::parameters(model), {.lr = 0.02});
  const auto loss = [](const Tensors& out, const Tensors& batch) {
    return nn::cross_entropy(out[0], batch[1]) + nn::mse_loss(out[1], batch[2]);
  };
  const data::DataLoader batches({x, kind, y}, {.batch_size = 15, .shuffle = true, .seed = 1});
  struct NumberError {  // a metric of all outputs and targets
    metrics::MeanSquaredError error;
    void update(const Tensors& outputs, const Tensors& batch) { error.update(outputs[1], batch[2]); }
    double value() const { return error.value(); }
    void reset() { error.reset(); }
  };
  const training::History history =
      training::fit(model, optimizer, batches,
                    {.epochs = 60,
                     .progress = false,
                     .loss = loss,
                     .validation = batches,
                     .metrics = {{"number", NumberError{}}, {"kind", metrics::Accuracy{}}}});
  BOOST_TEST(history.epochs.back().validation_loss < 0.15);
  BOOST_TEST(history.epochs.back().metric("number") < 0.05);
  BOOST_TEST(history.epochs.back().metric("kind") > 0.95);
  BOOST_TEST(history.epochs.back().accuracy > 0.9);
  CHECK_ERROR(training::fit(model, optimizer, batches, {.epochs = 1, .progress = false}),
              "[fit] the model gives 2 tensors");
  CHECK_ERROR(training::fit(model, optimizer, batches, {.epochs = 1, .progress = false, .loss = nn::mse_loss}),
              "write a loss of all");

  struct Many {  // all but the last of a batch
    nn::Linear line{4, 1};
    Tensor operator()(const Tensors& in) const { return line(concat(in, 1)); }
    XGRAD_FIELDS(line)
  };
  Many many;
  optim::SGD descent(nn::parameters(many), {.lr = 0.1});
  const Tensor column = slice(x, 1, 0, 1);
  const data::DataLoader wide({column, column, column, slice(x, 1, 1, 2), y}, {.batch_size = 15});
  BOOST_TEST(
      training::fit(many, descent, wide, {.epochs = 40, .progress = false, .loss = nn::mse_loss}).epochs.back().loss <
      1e-3);
}

BOOST_AUTO_TEST_CASE(a_regression_is_as_simple) {
  const data::Split split =
      data::split_random(data::friedman({.rows = 600, .features = 5, .noise = 0.1, .seed = 1}), {.seed = 2});
  manual_seed(7);
  nn::Sequential net{nn::Linear(5, 32), nn::Tanh{}, nn::Linear(32, 1)};
  optim::Adam optimizer(nn::parameters(net), {.lr = 0.03});
  const training::History history =
      training::fit(net, optimizer, data::DataLoader(split.train, {.batch_size = 32, .shuffle = true, .seed = 3}),
                    {.epochs = 100,
                     .progress = false,
                     .loss = nn::mse_loss,
                     .validation = data::DataLoader(split.test, {.batch_size = 64}),
                     .metrics = {{"R2", metrics::R2{}}},
                     .monitor = "R2",
                     .keep_best = true});
  BOOST_TEST(history.best > 0.9);
  BOOST_TEST(
      training::evaluate(net, data::DataLoader(split.test), {.loss = nn::mse_loss, .metrics = {{"R2", metrics::R2{}}}})
              .metrics[0]
              .value == history.best,
      boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  Net net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.5});
  const data::DataLoader batches({randn({12, 3}), randint(0, 2, {12})}, {.batch_size = 4});
  const auto refused = [&](training::FitOptions options, const char* what) {
    options.progress = false;
    const auto before = values_of(nn::parameters(net));
    CHECK_ERROR(training::fit(net, optimizer, batches, options), what);
    BOOST_TEST((values_of(nn::parameters(net)) == before));
  };
  refused({.loss = [](const Tensor& outputs, const Tensor&) { return sum(outputs) * std::nan(""); }},
          "[fit] the loss is nan in epoch 1");
  refused({.loss = [](const Tensor& outputs, const Tensor&) { return sum(outputs) * -std::nan(""); }},
          "[fit] the loss is nan in epoch 1");
  refused({.accumulate = 0}, "[fit] expected to accumulate 1 batch or more, got 0");
  refused({.accumulate = 2, .sam = optim::SAM{}}, "[fit] expected to accumulate 1 batch with sam");
  refused({.clip_norm = -1}, "[fit] expected a clip_norm of 0 or more");
  refused({.clip_value = std::nan("")}, "[fit] expected a clip_value of 0 or more");
  refused({.patience = -1}, "[fit] expected a patience of 0 or more");
  refused({.monitor = "f1"}, "[fit] expected a monitor that is a loss, an accuracy or a metric's name, got f1");
  refused({.metrics = {{"mine", Undecided{}}}, .monitor = "mine"},
          "[fit] expected a monitored metric that says which way is better, got mine; write in its struct `"
          "bool greater_is_better = true;`, or false");
  refused({.monitor = "validation_loss"}, "[fit] expected validation data, for validation_loss is to be monitored");
  const data::DataLoader none({randn({3, 3}), randint(0, 2, {3})}, {.batch_size = 4, .drop_last = true});
  refused({.validation = none},
          "[fit] expected validation batches, got none of 3 rows, with a batch_size of 4 and drop_last");
  CHECK_ERROR(training::fit(net, optimizer, none, {.progress = false}), "[fit] expected training batches, got none");
  optim::SGD up(nn::parameters(net), {.lr = 0.5, .maximize = true});
  CHECK_ERROR(training::fit(net, up, batches, {.progress = false}), "[fit] expected an optimizer that goes down");
  const Net constant = net;
  CHECK_ERROR(training::fit(constant, optimizer, batches, {.progress = false, .keep_best = true}),
              "[fit] expected a model that may be changed");
}

// Classes that cross_entropy leaves out count for nothing, in whatever batches they come.
BOOST_AUTO_TEST_CASE(rows_that_are_left_out) {
  manual_seed(3);
  Net net;
  const Tensor x = randn({8, 3}), y = tensor({0, 1, -100, 0, -100, -100, 1, 1});
  const Tensor kept = tensor({0, 1, 3, 6, 7});
  const training::Evaluation want = training::evaluate(
      net, data::DataLoader({index_select(x, 0, kept), index_select(y, 0, kept)}, {.batch_size = 5}));
  for (const Size batch_size : {8, 4, 3}) {
    const training::Evaluation seen = training::evaluate(net, data::DataLoader({x, y}, {.batch_size = batch_size}));
    BOOST_TEST(seen.loss == want.loss, boost::test_tools::tolerance(1e-6));
    BOOST_TEST(seen.accuracy == want.accuracy);
  }
  BOOST_TEST(training::accuracy(net, {x, y}) == want.accuracy);
  CHECK_ERROR(training::accuracy(net, {x, y + 1}), "i64 labels [n] of 0 ... classes - 1 (-100: left out)");
}

// Under a loss of one's own nobody knows which axis holds the classes: [n, steps, classes] of as many steps as classes.
BOOST_AUTO_TEST_CASE(accuracy_under_a_loss_of_ones_own) {
  const Tensor y = tensor({0, 1, 2, 2, 1, 0}), rows = reshape(y, {2, 3});
  const Tensor scores = one_hot(y, 3, f32), steps = reshape(scores, {2, 3, 3});
  const auto same = [](const Tensor& x) { return x; };
  const auto seen = [&](const Tensor& x, const Tensor& t, training::Loss loss) {
    return training::evaluate(same, data::DataLoader({x, t}),
                              {.loss = std::move(loss), .metrics = {{"of axis 1", metrics::Accuracy{}}}});
  };
  const auto own = [](const Tensor& x, const Tensor&) { return mean(x); };
  BOOST_TEST(std::isnan(seen(steps, rows, own).accuracy));
  BOOST_TEST(seen(steps, rows, own).metrics[0].value == seen(steps, rows, {}).accuracy);
  BOOST_TEST(seen(scores, y, own).accuracy == 1);
  BOOST_TEST(seen(slice(scores, 1, 1, 2), cast(y == 1, i64), own).accuracy == 1);
  BOOST_TEST(seen(reshape(slice(scores, 1, 0, 1), {6}), cast(y == 0, i64), own).accuracy == 1);
  BOOST_TEST(seen(transpose(steps, 1, 2), rows, {}).accuracy == 1);
}

// Errors name the function that was called.
BOOST_AUTO_TEST_CASE(batches_of_one_tensor) {
  nn::Linear net(3, 3);
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
  const Tensor x = randn({8, 3});
  for (const training::Loss& loss : {training::Loss(), training::Loss(nn::mse_loss)}) {
    CHECK_ERROR(
        training::fit(net, optimizer, data::DataLoader({x}), {.progress = false, .loss = loss}),
        "[fit] expected batches of inputs and targets, got one tensor; where the input is the target, give it twice: "
        "DataLoader({x, x})");
    CHECK_ERROR(training::evaluate(net, data::DataLoader({x}), {.loss = loss}),
                "[evaluate] expected batches of inputs and targets, got one tensor");
    CHECK_ERROR(training::evaluate(net, data::DataLoader({x, x, x}), {.loss = loss}),
                "[evaluate] a batch has 3 tensors");
  }
  CHECK_ERROR(training::evaluate(net, data::DataLoader({x, x})), "[evaluate] expected i64 classes as targets");
  CHECK_ERROR(training::evaluate(net, data::DataLoader({x, full({8}, 3)})), "[cross_entropy] expected classes 0 ... 2");
  CHECK_ERROR(training::evaluate(net, data::DataLoader({x, full({8}, 3)}),
                                 {.loss = nn::mse_loss, .metrics = {{"a", metrics::Accuracy{}}}}),
              "[mse_loss]");
  BOOST_TEST(training::fit(net, optimizer, data::DataLoader({x, x}), {.progress = false, .loss = nn::mse_loss})
                 .epochs.size() == 10u);
}
