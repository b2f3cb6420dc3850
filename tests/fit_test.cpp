// What fit's options do: validation and metrics, early stopping, the best model, accumulation, clipping, schedules, callbacks,
// several inputs and outputs.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <memory>

#include <xgrad/xgrad.hpp>
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::says;
namespace metrics = nn::metrics;

namespace {

struct Net {
  nn::Linear hidden{3, 8}, output{8, 2};
  nn::Dropout dropout{0.3};
  Tensor operator()(const Tensor& x) const { return output(dropout(tanh(hidden(x)))); }
  XGRAD_FIELDS(hidden, output, dropout)
};

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

// A step of several batches is one of all their rows: the weights are those of batches that are so much larger.
BOOST_AUTO_TEST_CASE(accumulated_batches) {
  struct Line {
    nn::Linear line{3, 1, {.dtype = f64}};
    Tensor operator()(const Tensor& x) const { return line(x); }
    XGRAD_FIELDS(line)
  };
  manual_seed(3);
  const Tensor x = randn({24, 3}, f64), y = randn({24, 1}, f64);
  struct Case {
    Size rows, steps;  // of 4 rows a batch, and 4 batches a step
    bool drop_last = false;
  };
  for (const Case& c : {Case{24, 6}, Case{22, 6}, Case{13, 3}, Case{17, 6}, Case{3, 3}, Case{23, 6, true}}) {
    Line one, other = one;
    optim::SGD a(nn::parameters(one), {.lr = 0.1, .momentum = 0.9}),
        b(nn::parameters(other), {.lr = 0.1, .momentum = 0.9});
    Size steps = 0;
    const Tensors some{slice(x, 0, 0, c.rows), slice(y, 0, 0, c.rows)};
    training::fit(one, a, data::DataLoader(some, {.batch_size = 4, .drop_last = c.drop_last}),
                  {.epochs = 3,
                   .progress = false,
                   .loss = nn::mse_loss,
                   .after_batch =
                       [&](const training::Batch& batch) {
                         steps = batch.step;
                         return true;
                       },
                   .accumulate = 4});
    BOOST_TEST(steps == c.steps);
    const Size end = c.drop_last ? c.rows / 4 * 4 : c.rows;
    for (int epoch = 0; epoch < 3; ++epoch)
      for (Size from = 0; from < end; from += 16) {
        const Size to = std::min(end, from + 16);
        b.zero_grad();
        nn::mse_loss(other(slice(x, 0, from, to)), slice(y, 0, from, to)).backward();
        b.step();
      }
    BOOST_TEST(allclose(one.line.weight, other.line.weight, 1e-13, 1e-14), c.rows << " rows");
    BOOST_TEST(allclose(one.line.bias, other.line.bias, 1e-13, 1e-14), c.rows << " rows");
  }
  // classes that are left out count for nothing there, too
  for (const bool steps : {false, true}) {
    nn::Linear one(3, 2, {.dtype = f64}), other = one;
    const Tensor left_out = tensor({0, 1, -100, 0, -100, -100, 1, -100, 1, 0, 1, -100});
    const Tensor in = steps ? randn({6, 2, 3}, f64) : randn({12, 3}, f64),
                 classes = reshape(left_out, steps ? Shape{6, 2} : Shape{12});
    const auto call = [steps](const nn::Linear& net) {
      return [&net, steps](const Tensor& v) { return steps ? transpose(net(v), 1, 2) : net(v); };
    };
    const auto fit = [&](const nn::Linear& net, Size batch_size, Size accumulate) {
      optim::SGD sgd(nn::parameters(const_cast<nn::Linear&>(net)), {.lr = 0.3});
      training::fit(call(net), sgd,
                    data::DataLoader({in, classes}, {.batch_size = batch_size, .shuffle = true, .seed = 5}),
                    {.epochs = 3, .progress = false, .accumulate = accumulate});
    };
    fit(one, steps ? 2 : 4, 2);
    fit(other, steps ? 4 : 8, 1);
    BOOST_TEST(allclose(one.weight, other.weight, 1e-12, 1e-13), (steps ? "of steps" : "of rows"));
  }
  // with sam it is done around the optimizer
  Line one;
  optim::SGD sgd(nn::parameters(one), {.lr = 0.1});
  const optim::Accumulate mean(sgd, {.steps = 3});
  std::vector<Tensor> after;
  training::fit(one, sgd, data::DataLoader({x, y}, {.batch_size = 4}),
                {.epochs = 1,
                 .progress = false,
                 .loss = nn::mse_loss,
                 .after_batch =
                     [&](const training::Batch&) {
                       after.push_back(one.line.weight);
                       return true;
                     },
                 .sam = optim::SAM{}});
  for (const std::size_t i : {1, 2, 3, 4, 5}) BOOST_TEST(helpers::same_bits(after[i], after[i - 1]) == (i % 3 != 2));
}

// torch.nn.utils.clip_grad_norm_ and clip_grad_value_, in one step of gradient descent
BOOST_AUTO_TEST_CASE(clipped_gradients) {
  struct Two {
    Parameter a = parameter({1.0, -2.0}), b = parameter(3.0);
    Tensor operator()(const Tensor& x) const { return sum(a * tensor({3.0, -0.5})) + b * 4.0 + 0 * sum(x); }
    XGRAD_FIELDS(a, b)
  };
  const data::DataLoader batches({ones({1, 1}), ones({1, 1})}, {.batch_size = 1});
  const auto trained = [&](double norm, double value) {
    Two model;
    optim::SGD optimizer(nn::parameters(model), {.lr = 1});
    training::fit(model, optimizer, batches,
                  {.epochs = 1,
                   .progress = false,
                   .loss = [](const Tensor& y, const Tensor&) { return y; },
                   .clip_norm = norm,
                   .clip_value = value});
    return concat({model.a - tensor({1.0, -2.0}), reshape(model.b - 3.0, {1})});
  };
  const Tensor g = tensor({3.0, -0.5, 4.0});  // of length sqrt(25.25)
  const double length = std::sqrt(25.25);
  BOOST_TEST(allclose(trained(0, 0), -g, 0, 1e-15));
  BOOST_TEST(allclose(trained(2, 0), -g * (2 / (length + 1e-6)), 1e-14));
  BOOST_TEST(allclose(trained(6, 0), -g, 0, 1e-15));
  BOOST_TEST(allclose(trained(0, 2), tensor({-2.0, 0.5, -2.0}), 0, 1e-15));
  BOOST_TEST(allclose(trained(1, 2), tensor({-2.0, 0.5, -2.0}) / (std::sqrt(8.25) + 1e-6), 1e-14));
}

// SAM's steps, clipped: those of a loop of one's own.
BOOST_AUTO_TEST_CASE(sharpness_aware) {
  manual_seed(5);
  const Tensor x = randn({24, 3}), y = randint(0, 2, {24});
  Net one, other = one;
  optim::Adam a(nn::parameters(one), {.lr = 0.05}), b(nn::parameters(other), {.lr = 0.05});
  const optim::SAM sam{.rho = 0.3};
  const data::DataLoader batches({x, y}, {.batch_size = 8});
  manual_seed(6);  // of the masks, which are the same in both losses of a step
  const training::History seen =
      training::fit(one, a, batches, {.epochs = 2, .progress = false, .clip_norm = 0.5, .sam = sam});
  manual_seed(6);
  double last = 0;
  {
    optim::ClipNorm clip(b, {.max_norm = 0.5});
    const nn::Mode training(other, true);
    for (int epoch = 0; epoch < 2; ++epoch) {
      last = 0;
      for (int from = 0; from < 24; from += 8)
        last +=
            sam.step(b,
                     [&] { return nn::cross_entropy(other(slice(x, 0, from, from + 8)), slice(y, 0, from, from + 8)); })
                .item() /
            3;
    }
  }
  BOOST_TEST(std::abs(seen.epochs.back().loss - last) < 1e-6);
  const Parameters theirs = nn::parameters(other);
  std::size_t i = 0;
  for (const auto& p : nn::parameters(one)) BOOST_TEST(helpers::same_bits(p.value(), theirs.begin()[i++].value()));
}

BOOST_AUTO_TEST_CASE(schedules_by_epoch_and_by_step) {
  manual_seed(4);
  Net net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.5});
  const data::DataLoader batches({randn({12, 3}), randint(0, 2, {12})}, {.batch_size = 4});
  std::vector<double> by_epoch, by_step;
  const auto halve = [](Size t) { return std::pow(0.5, static_cast<double>(t)); };
  for (const training::Epoch& e :
       training::fit(net, optimizer, batches, {.epochs = 3, .progress = false, .schedule = halve}).epochs)
    by_epoch.push_back(e.lr);
  BOOST_TEST(by_epoch == (std::vector<double>{0.5, 0.25, 0.125}), boost::test_tools::per_element());
  BOOST_TEST(optimizer.lr() == 0.5);  // a schedule is gone with its fit
  training::FitOptions options{.epochs = 2, .progress = false, .step_schedule = halve};
  options.after_batch = [&](const training::Batch&) {
    by_step.push_back(optimizer.lr());
    return true;
  };
  options.accumulate = 2;
  training::fit(net, optimizer, batches, options);
  BOOST_TEST(by_step == (std::vector<double>{0.5, 0.25, 0.125, 0.125, 0.0625, 0.03125}),
             boost::test_tools::per_element());
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
  refused(
      {.metrics = {{"mine", Undecided{}}}, .monitor = "mine"},
      "[fit] expected a monitored metric that says which way is better, got mine; write in its struct `static constexpr "
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

// Steps are those that the optimizer took; a checkpoint that is saved in mid-fit can be loaded.
BOOST_AUTO_TEST_CASE(around_and_schedules) {
  manual_seed(1);
  nn::Linear line(2, 2);
  const Tensor x = randn({8, 2}), y = randint(0, 2, {8});
  const data::DataLoader batches({x, y}, {.batch_size = 1});
  optim::SGD sgd(nn::parameters(line), {.lr = 1.0});
  NamedTensors checkpoint;
  {
    const optim::Accumulate parts(sgd, {.steps = 4});
    std::vector<Size> steps;
    double last = 0;
    training::fit(
        line, sgd, batches,
        {.epochs = 1,
         .progress = false,
         .after_epoch = [&](const training::Epoch&) { return checkpoint = sgd.state(), true; },
         .after_batch = [&](const training::Batch& b) { return steps.push_back(b.step), last = sgd.lr(), true; },
         .schedule = optim::cosine({.steps = 4}),
         .step_schedule = optim::step_decay({.every = 1, .gamma = 0.5})});
    BOOST_TEST(steps == (std::vector<Size>{0, 0, 0, 1, 1, 1, 1, 2}), boost::test_tools::per_element());
    BOOST_TEST(last == 0.25);
  }
  BOOST_TEST(sgd.lr() == 1);
  optim::SGD again(nn::parameters(line), {.lr = 0.3});
  const optim::Accumulate parts(again, {.steps = 4});
  again.load_state(checkpoint);
  BOOST_TEST(again.lr() == 1);

  const std::vector<training::Metric> twice{training::Metric("rate", nn::metrics::Accuracy()),
                                            training::Metric("rate", nn::metrics::Accuracy())},
      loss{training::Metric("loss", nn::metrics::Accuracy())};
  for (const auto& metrics : {twice, loss})
    BOOST_CHECK_EXCEPTION(training::fit(line, sgd, batches, {.epochs = 1, .progress = false, .metrics = metrics}),
                          Error, says("expected metrics of names that differ"));
}
