// The steps that fit takes: of several batches, clipped, by SAM, under schedules, and what stands around the optimizer.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <memory>

#include <xgrad/xgrad.hpp>
#include "fit_net.hpp"
#include "helpers.hpp"

using namespace xgrad;
using helpers::says;

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
