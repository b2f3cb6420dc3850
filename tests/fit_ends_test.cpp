// What fit leaves behind where training goes wrong, and what it leaves out.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <xgrad/xgrad.hpp>
#include "fit_net.hpp"
#include "helpers.hpp"

using namespace xgrad;
using helpers::says;

#define CHECK_ERROR(statement, part) BOOST_CHECK_EXCEPTION(statement, Error, says(part))

namespace {

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();

struct Line {
  nn::Linear line{2, 1, {.dtype = f64}};
  Tensor operator()(const Tensor& x) const { return line(x); }
  XGRAD_FIELDS(line)
};

data::DataLoader classes(Size rows = 12) {
  return data::DataLoader({randn({rows, 3}), remainder(arange(rows), 2)}, {.batch_size = 4});
}

}  // namespace

// The best epoch's weights come back after an Error, and after what a callback throws; then the optimizer knows.
BOOST_AUTO_TEST_CASE(the_best_is_kept_whatever_ends_it) {
  for (const bool diverges : {false, true}) {
    manual_seed(4);
    Net net;
    optim::SGD optimizer(nn::parameters(net), {.lr = 0.05});
    double best = 1e300;
    Net then = net;
    const auto fit = [&] {
      training::fit(net, optimizer, classes(),
                    {.epochs = 30,
                     .progress = false,
                     .after_epoch =
                         [&](const training::Epoch& e) {
                           if (e.loss < best) best = e.loss, then = net;
                           if (e.epoch == 6 && diverges) net.hidden.weight = full({8, 3}, no_number, f32);
                           if (e.epoch == 6 && !diverges) throw std::runtime_error("enough");
                         },
                     .keep_best = true});
    };
    if (diverges) CHECK_ERROR(fit(), "[fit] the loss is nan in epoch 7; lower the learning rate");
    else BOOST_CHECK_THROW(fit(), std::runtime_error);
    BOOST_TEST(helpers::same_bits(net.hidden.weight, then.hidden.weight));
  }
  Net net;
  optim::ScheduleFreeSGD averages(nn::parameters(net), {.lr = 0.05});
  const training::FitOptions thrown{.epochs = 3,
                                    .progress = false,
                                    .after_epoch = [](const training::Epoch&) { throw std::runtime_error("enough"); },
                                    .keep_best = true};
  BOOST_CHECK_THROW(training::fit(net, averages, classes(), thrown), std::runtime_error);
  averages.zero_grad();
  nn::cross_entropy(net(ones({1, 3})), tensor({0})).backward();
  BOOST_CHECK_THROW(averages.step(), Error);  // its state belongs to other weights
  // where there is no place for the best any more, what went wrong is told, and nothing is half put back
  Net other;
  optim::SGD optimizer(nn::parameters(other), {.lr = 0.05});
  Net as_left = other;
  BOOST_CHECK_THROW(training::fit(other, optimizer, classes(),
                                  {.epochs = 3,
                                   .progress = false,
                                   .after_epoch =
                                       [&](const training::Epoch& e) {
                                         if (e.epoch == 1) return;
                                         other.output = nn::Linear(3, 5);
                                         as_left = other;
                                         throw std::runtime_error("enough");
                                       },
                                   .keep_best = true}),
                    std::runtime_error);
  BOOST_TEST(helpers::same_bits(other.hidden.weight, as_left.hidden.weight));
}

// An epoch whose last step made NaN is no best, however good it was before that step.
BOOST_AUTO_TEST_CASE(the_best_holds_numbers) {
  manual_seed(3);
  const Tensor x = randn({16, 2}, f64), y = sum(x, 1, true);
  for (const Size epochs : {4, 6}) {
    Line net;
    optim::SGD optimizer(nn::parameters(net), {.lr = 0.05});
    int calls = 0;
    const auto fit = [&] {
      training::fit(net, optimizer, data::DataLoader({x, y}, {.batch_size = 16}),
                    {.epochs = epochs,
                     .progress = false,
                     .loss =
                         [&](const Tensor& p, const Tensor& t) {
                           const Tensor l = nn::mse_loss(p, t);
                           return ++calls == 4 ? l + sqrt(sum(p) * 0.0) : l;
                         },
                     .keep_best = true});
    };
    if (epochs == 6) CHECK_ERROR(fit(), "[fit] the loss is nan in epoch 5");
    else fit();
    BOOST_TEST(all(isfinite(net.line.weight)).item() == 1);
  }
}

// A buffer that a layer makes late, or whose shape follows the batch, is put back as it was.
BOOST_AUTO_TEST_CASE(the_best_has_its_buffers) {
  struct Late {
    nn::Linear line{3, 2};
    mutable Tensor state = zeros({0}), late;
    bool training = true;
    Tensor operator()(const Tensor& x) const {
      if (training) {
        state = concat({state, ones({1})});
        if (state.numel() > 7) late = ones({2});
      }
      return line(x);
    }
    XGRAD_FIELDS(line, state, late)
  };
  Late net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.0});
  training::fit(net, optimizer, classes(), {.epochs = 5, .progress = false, .keep_best = true});
  BOOST_TEST(net.state.numel() == 3);  // as after the first epoch: no other is better
  BOOST_TEST(!net.late.defined());
}

// RequireFinite leaves out steps here as in a loop by hand, and under SAM; without it a loss that is not finite is an Error.
BOOST_AUTO_TEST_CASE(batches_that_are_not_finite) {
  const Tensor x = concat({randn({4, 2}, f64), full({2, 2}, no_number, f64), randn({4, 2}, f64)}),
               y = ones({10, 1}, f64);
  const data::DataLoader batches({x, y}, {.batch_size = 2});
  for (const bool sam : {false, true}) {
    Line net, other = net;
    optim::SGD optimizer(nn::parameters(net), {.lr = 0.1}), by_hand(nn::parameters(other), {.lr = 0.1});
    training::FitOptions options{.epochs = 1, .progress = false, .loss = nn::mse_loss};
    if (sam) options.sam = optim::SAM{.rho = 0.05};
    Line third = net;
    optim::SGD alone(nn::parameters(third), {.lr = 0.1});
    CHECK_ERROR(training::fit(third, alone, batches, options),
                sam ? "[SAM] the norm of the gradients is nan" : "optim::RequireFinite({.skip = true})");
    const optim::RequireFinite required(optimizer, {.skip = true});
    const training::History history = training::fit(net, optimizer, batches, options);
    double total = 0;
    for (const Size from : {0, 2, 6, 8}) {
      const Tensor some = slice(x, 0, from, from + 2), wanted = slice(y, 0, from, from + 2);
      const auto loss = [&] { return nn::mse_loss(other(some), wanted); };
      by_hand.zero_grad();
      const Tensor value = sam ? options.sam->step(by_hand, loss) : loss();
      total += value.item() / 4;
      if (sam) continue;
      value.backward();
      by_hand.step();
    }
    BOOST_TEST(helpers::same_bits(net.line.weight, other.line.weight));
    BOOST_TEST(optimizer.steps() == 4);
    BOOST_TEST(std::abs(history.epochs[0].loss - total) < 1e-12);
  }
  // what has no finite loss at all is an Error
  Line net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
  const optim::RequireFinite required(optimizer, {.skip = true});
  CHECK_ERROR(training::fit(net, optimizer, data::DataLoader({x * no_number, y}),
                            {.epochs = 2, .progress = false, .loss = nn::mse_loss}),
              "[fit] no batch of epoch 1 has a finite loss");
  // running statistics have not seen the batch
  struct Normed {
    nn::BatchNorm1d norm{2, {.dtype = f64}};
    nn::Linear line{2, 1, {.dtype = f64}};
    Tensor operator()(const Tensor& in) const { return line(norm(in)); }
    XGRAD_FIELDS(norm, line)
  };
  Normed normed;
  optim::SGD descent(nn::parameters(normed), {.lr = 0.1});
  const optim::RequireFinite finite(descent, {.skip = true});
  training::fit(normed, descent, batches, {.epochs = 1, .progress = false, .loss = nn::mse_loss});
  BOOST_TEST(normed.norm.num_batches_tracked.item() == 4);
  BOOST_TEST(all(isfinite(normed.norm.running_mean)).item() == 1);
}

// The last step's gradient is NaN where its loss is not: nobody would see it.
BOOST_AUTO_TEST_CASE(weights_that_end_as_nan) {
  Line net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
  CHECK_ERROR(training::fit(net, optimizer, data::DataLoader({ones({2, 2}, f64), ones({2, 1}, f64)}),
                            {.epochs = 1,
                             .progress = false,
                             .loss = [](const Tensor& y, const Tensor& t) { return mean(sqrt(square(y - t) * 0.0)); }}),
              "[fit] line.weight holds NaN after the last step");
}

// Batches whose classes are all left out are left out themselves, wherever they stand.
BOOST_AUTO_TEST_CASE(batches_without_classes) {
  manual_seed(8);
  const Tensor x = randn({12, 3}), t = tensor({-100, -100, 0, 1, 1, -100, -100, -100, 0, 1, -100, -100});
  const data::DataLoader batches({x, t}, {.batch_size = 2});
  for (const Size accumulate : {1, 3, 6}) {
    nn::Linear net(3, 2), other = net;
    optim::SGD a(nn::parameters(net), {.lr = 0.1}), b(nn::parameters(other), {.lr = 0.1});
    const training::History history = training::fit(
        net, a, batches, {.epochs = 1, .progress = false, .validation = batches, .accumulate = accumulate});
    for (Size from = 0; from < 12; from += 2 * accumulate) {
      const Tensor some = slice(t, 0, from, from + 2 * accumulate);
      if (all(some == -100).item() != 0) continue;
      b.zero_grad();
      nn::cross_entropy(other(slice(x, 0, from, from + 2 * accumulate)), some).backward();
      b.step();
    }
    BOOST_TEST(amax(abs(net.weight - other.weight)).item() < 1e-6);
    BOOST_TEST(std::abs(history.epochs[0].validation_loss - nn::cross_entropy(net(x), t).item()) < 1e-6);
  }
  nn::Linear net(3, 2);
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
  training::fit(net, optimizer, batches, {.epochs = 1, .progress = false, .after_batch = nullptr, .sam = optim::SAM{}});
  BOOST_TEST(optimizer.steps() == 3);  // of six batches
}

// -100 is a number as others where targets are none of classes.
BOOST_AUTO_TEST_CASE(numbers_of_minus_100) {
  Line net;
  net.line.weight = zeros({1, 2}, f64), net.line.bias = zeros({1}, f64);
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.0});
  const data::DataLoader batches({zeros({4, 2}, f64), tensor({{-100}, {-100}, {0}, {0}})}, {.batch_size = 2});
  for (const Size accumulate : {1, 2}) {
    const training::History history =
        training::fit(net, optimizer, batches,
                      {.epochs = 1,
                       .progress = false,
                       .loss = [](const Tensor& y, const Tensor& t) { return nn::mse_loss(y, cast(t, f64)); },
                       .accumulate = accumulate});
    BOOST_TEST(history.epochs[0].loss == 5000);
  }
}

// Labels of any dtype have an accuracy under the loss that takes logits; a monitor that has no value is told at once.
BOOST_AUTO_TEST_CASE(accuracy_of_binary_labels) {
  manual_seed(1);
  const Tensor x = randn({20, 2}, f64), t = cast(slice(x, 1, 0, 1) > 0, f64);
  Line net;
  optim::Adam optimizer(nn::parameters(net), {.lr = 0.1});
  const data::DataLoader batches({x, t}, {.batch_size = 5});
  const training::History history = training::fit(
      net, optimizer, batches,
      {.epochs = 40, .progress = false, .loss = nn::binary_cross_entropy_with_logits, .monitor = "accuracy"});
  BOOST_TEST(history.best >= 0.9);
  Size epochs = 0;
  CHECK_ERROR(training::fit(net, optimizer, batches,
                            {.epochs = 5,
                             .progress = false,
                             .loss = nn::mse_loss,
                             .after_epoch = [&](const training::Epoch&) { ++epochs; },
                             .monitor = "accuracy"}),
              "[fit] there is no accuracy to monitor: targets are no classes");
  BOOST_TEST(epochs == 0);
  // a metric of whatever name may have no value at first
  struct Later {
    bool greater_is_better = true;
    Size* epoch;
    void update(const Tensor&, const Tensor&) {}
    double value() const { return *epoch > 1 ? static_cast<double>(*epoch) : no_number; }
    void reset() { ++*epoch; }
  };
  Size epoch = 0;
  const training::History later = training::fit(net, optimizer, batches,
                                                {.epochs = 3,
                                                 .progress = false,
                                                 .loss = nn::mse_loss,
                                                 .metrics = {{"balanced_accuracy", Later{.epoch = &epoch}}},
                                                 .monitor = "balanced_accuracy"});
  BOOST_TEST(later.epochs.size() == 3u);
}

// A loss of the whole batch needs no target; callbacks may give nothing, and metrics be structs of a function.
BOOST_AUTO_TEST_CASE(pairs_without_a_target) {
  struct Pair {
    nn::Linear side{2, 3, {.dtype = f64}};
    Tensors operator()(const Tensor& a, const Tensor& b) const { return {side(a), side(b)}; }
    XGRAD_FIELDS(side)
  };
  struct Distance {
    bool greater_is_better = false;
    double last = 0;
    void update(const Tensors& y, const Tensors&) { last = mean(square(y[0] - y[1])).item(); }
    double value() const { return last; }
    void reset() { last = 0; }
  };
  manual_seed(2);
  Pair net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.05});
  const data::DataLoader batches({randn({12, 2}, f64), randn({12, 2}, f64)}, {.batch_size = 4});
  Size steps = 0;
  const training::History history =
      training::fit(net, optimizer, batches,
                    {.epochs = 4,
                     .progress = false,
                     .loss = [](const Tensors& y, const Tensors&) { return mean(square(y[0] - y[1])); },
                     .validation = batches,
                     .metrics = {{"distance", Distance{}}},
                     .after_batch = [&](const training::Batch&) { ++steps; },
                     .monitor = "distance"});
  BOOST_TEST(history.best_epoch == 4);
  BOOST_TEST(steps == 12);
  BOOST_TEST(std::isnan(history.epochs[0].accuracy));
  CHECK_ERROR(training::fit(net, optimizer, batches, {.epochs = 1, .progress = false}),
              "[fit] expected batches of inputs and targets, got 2 tensors, of which the model takes 2");
}

// An optimizer that was made for other variables is told so.
BOOST_AUTO_TEST_CASE(an_optimizer_of_another_model) {
  nn::Linear net(3, 2), other(3, 2);
  optim::SGD optimizer(nn::parameters(other), {.lr = 0.1});
  CHECK_ERROR(training::fit(net, optimizer, classes(), {.epochs = 1, .progress = false}),
              "[fit] the loss depends on weight, bias of the model, and on none of the optimizer's parameters");
}

BOOST_AUTO_TEST_CASE(a_metric_that_was_moved_from) {
  training::Metric m("f1", nn::metrics::F1{});
  const training::Metric n = std::move(m);
  CHECK_ERROR(training::Metric c = m, "[Metric] this metric was moved from");  // NOLINT(bugprone-use-after-move)
  BOOST_TEST(n.name() == "f1");
}
