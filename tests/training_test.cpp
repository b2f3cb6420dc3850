// fit and accuracy: the modes of layers, batches, losses and targets of every form, and gradients that go nowhere.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <sstream>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

// What the layers of this program saw.
struct Seen {
  int in_training = 0, in_eval = 0;
  Size most_rows = 0;
  int fails_after = -1;  // calls; -1: never
} seen;

// Counts calls by mode; its statistics move in training mode, as batch normalisation's do.
struct Probe {
  mutable Tensor mean = zeros({});
  bool training = true;
  Tensor operator()(const Tensor& x) const {
    (training ? seen.in_training : seen.in_eval) += 1;
    seen.most_rows = std::max(seen.most_rows, x.size(0));
    if (seen.fails_after >= 0 && seen.in_training + seen.in_eval > seen.fails_after) throw Error("[Probe] as told");
    if (training) mean = evaluate((0.9 * mean + 0.1 * xgrad::mean(x)).detach());
    return x;
  }
  XGRAD_FIELDS(mean)
};
struct Net {
  Probe first;
  nn::Linear hidden{2, 8};
  Probe second{.training = false};
  nn::Linear output{8, 3};
  Tensor operator()(const Tensor& x) const { return output(second(tanh(hidden(first(x))))); }
  XGRAD_FIELDS(first, hidden, second, output)
};
nn::Sequential chain() { return nn::Sequential{Probe{}, nn::Linear(2, 8), Probe{.training = false}, nn::Linear(8, 3)}; }

std::string modes(const nn::AnyModel& model) {
  struct Modes final : nn::Walker {
    void enter(const nn::Path&, const nn::Visit& v) override {
      if (v.training) text += *v.training ? 'T' : 'e';
    }
    std::string text;
  } to;
  model.walk(to);
  return to.text;
}
std::vector<double> statistics(const nn::AnyModel& model) {
  std::vector<double> all;
  for (const NamedTensor& t : nn::buffers(model)) all.push_back(t.value.item());
  return all;
}

const data::Dataset rows = data::spirals({.points_per_class = 20, .seed = 3});  // 60 of them
const training::FitOptions quiet{.epochs = 2, .progress = false};

template <class M>
void check_modes(M& net, const char* what) {
  BOOST_TEST_CONTEXT(what) {
    optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
    const data::DataLoader batches(rows, {.batch_size = 25});
    const auto check = [&](bool trains, const std::function<void()>& work) {
      for (const int fails_after : {-1, 3}) {
        seen = {.fails_after = fails_after};
        const auto before = statistics(net);
        if (fails_after < 0) work();
        else BOOST_CHECK_EXCEPTION(work(), Error, says("as told"));
        BOOST_TEST((trains ? seen.in_eval : seen.in_training) == 0);
        BOOST_TEST((trains ? seen.in_training : seen.in_eval) > 0);
        BOOST_TEST(modes(net) == "Te");
        BOOST_TEST((statistics(net) == before) == !trains);
      }
    };
    check(true, [&] { training::fit(net, optimizer, batches, quiet); });
    check(false, [&] { training::accuracy(net, rows, {.batch_size = 10}); });
    const M& constant = net;
    check(false, [&] { training::accuracy(constant, rows, {.batch_size = 10}); });
    if (training::can_plot()) {
      check(false, [&] { training::plot_regions(net, rows, "regions.png"); });
      check(false, [&] { training::plot_regions(constant, rows, "regions.png"); });
    }
    // inside of a training: each has the mode that it needs
    seen = {};
    training::fit(net, optimizer, batches, {.epochs = 2, .progress = false, .after_epoch = [&](const training::Epoch&) {
                                              const int trained = seen.in_training;
                                              training::accuracy(net, rows);
                                              nn::eval(net);  // by habit: the next epoch trains nevertheless
                                              return seen.in_training == trained;
                                            }});
    BOOST_TEST(seen.in_training == 2 * 2 * batches.size());
    BOOST_TEST(modes(net) == "ee");
    BOOST_CHECK_EXCEPTION(training::fit(constant, optimizer, batches, quiet), Error,
                          says("is not in training mode, and the model is const"));
    nn::train(net);
    training::fit(constant, optimizer, batches, quiet);  // nothing is to be set
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(modes_are_set_and_given_back) {
  Net net;
  check_modes(net, "a struct");
  nn::Sequential layers = chain();
  check_modes(layers, "a Sequential");
}

// Of a lambda nothing can be seen: its layers stay as they are.
BOOST_AUTO_TEST_CASE(a_lambda_has_no_mode) {
  Net net;
  seen = {};
  training::accuracy([&](const Tensor& x) { return net(x); }, rows);
  BOOST_TEST(seen.in_training == 1);
  BOOST_TEST(seen.in_eval == 1);
}

BOOST_AUTO_TEST_CASE(a_mode_is_a_scope) {
  Net net;
  {
    const nn::Mode evaluation(net, false);
    BOOST_TEST(modes(net) == "ee");
    const nn::Mode inner(net, true);
    BOOST_TEST(modes(net) == "TT");
  }
  BOOST_TEST(modes(net) == "Te");
  nn::Sequential layers = chain();
  {
    const nn::Mode evaluation(layers, false);
    layers = nn::Sequential{nn::Linear(2, 2), nn::Dropout{}};  // other layers by the end
  }
  BOOST_TEST(modes(layers) == "T");
  BOOST_TEST(nn::other_mode(net, true) == "second (Probe)");
  BOOST_TEST(nn::other_mode(layers, true) == "");
}

BOOST_AUTO_TEST_CASE(accuracy_goes_by_batches) {
  const Net net;
  const double wanted = mean(cast(argmax(net(rows.inputs), 1) == rows.labels, f64)).item();
  for (const Size batch_size : {1, 7, 60, 1000}) {
    seen = {};
    BOOST_TEST(training::accuracy(net, rows, {.batch_size = batch_size}) == wanted,
               boost::test_tools::tolerance(1e-12));
    BOOST_TEST(seen.most_rows == std::min<Size>(batch_size, 60));
  }
  seen = {};
  training::accuracy(net, {zeros({1000, 2}), zeros({1000}, i64)});
  BOOST_TEST(seen.most_rows == 256);
  BOOST_CHECK_EXCEPTION(training::accuracy(net, rows, {.batch_size = 0}), Error,
                        says("batch_size of 1 or more, got 0"));
}

BOOST_AUTO_TEST_CASE(accuracy_of_one_column) {
  const Tensor logits = tensor({-2.0, -0.5, 0.3, 4.0}), labels = tensor({0, 1, 1, 1});  // three of four
  const auto as_is = [](const Tensor& x) { return x; };
  for (const Tensor& outputs : {logits, reshape(logits, {4, 1})})
    for (const DType dtype : {i64, f32, f64, boolean})
      for (const Shape& shape : {Shape{4}, Shape{4, 1}}) {
        const Tensor y = reshape(cast(labels, dtype), shape);
        BOOST_TEST(training::accuracy(as_is, {outputs, y}) == 0.75);
        BOOST_TEST(training::accuracy([](const Tensor& x) { return sigmoid(x); }, {outputs, y}, {.threshold = 0.5}) ==
                   0.75);
      }
  for (const Tensor& wrong : {tensor({0, 1, 2, 1}), tensor({0.0, 1.0, 0.5, 1.0})})
    BOOST_CHECK_EXCEPTION(training::accuracy(as_is, {logits, wrong}), Error, says("one column and labels 0 or 1"));

  // and while training
  const data::Dataset moons = data::moons({.points_per_class = 40, .seed = 1});
  nn::Sequential net{nn::Linear(2, 16), nn::Tanh{}, nn::Linear(16, 1)};
  optim::Adam optimizer(nn::parameters(net), {.lr = 0.05});
  const training::History history =
      training::fit(net, optimizer, data::DataLoader(moons, {.batch_size = 80}),
                    {.epochs = 60, .progress = false, .loss = [](const Tensor& y, const Tensor& labels_of_batch) {
                       return nn::binary_cross_entropy_with_logits(y, reshape(cast(labels_of_batch, f32), {-1, 1}));
                     }});
  BOOST_TEST(history.epochs.back().accuracy > 0.9);
  BOOST_TEST(training::accuracy(net, moons) > 0.9);
}

BOOST_AUTO_TEST_CASE(classes_of_more_axes) {
  const Tensor outputs = randn({5, 3, 4}), labels = argmax(outputs, 1);
  BOOST_TEST(training::accuracy([](const Tensor& x) { return x; }, {outputs, labels}) == 1);
}

// Every loss of nn that has a prediction and a target is one of fit's, by its name. A new one there is a row here.
BOOST_AUTO_TEST_CASE(losses_by_name) {
  const Tensor x = randn({6, 3}, f64), y = randn({6, 3}, f64), classes = tensor({0, 1, 2, 0, 1, 2});
  const struct {
    const char* name;
    training::Loss loss;
    Tensor target, wanted;
  } table[] = {
      {"mse_loss", nn::mse_loss, y, nn::mse_loss(x, y)},
      {"l1_loss", nn::l1_loss, y, nn::l1_loss(x, y)},
      {"huber_loss", nn::huber_loss, y, nn::huber_loss(x, y)},
      {"smooth_l1_loss", nn::smooth_l1_loss, y, nn::smooth_l1_loss(x, y)},
      {"binary_cross_entropy_with_logits", nn::binary_cross_entropy_with_logits, step(y),
       nn::binary_cross_entropy_with_logits(x, step(y))},
      {"cross_entropy", nn::cross_entropy, classes, nn::cross_entropy(x, classes)},
      {"nll_loss", nn::nll_loss, classes, nn::nll_loss(x, classes)},
      {"quantile_loss", nn::quantile_loss, y, nn::quantile_loss(x, y)},
      {"binary_cross_entropy", nn::binary_cross_entropy, step(y), nn::binary_cross_entropy(sigmoid(x), step(y))},
      {"sigmoid_focal_loss", nn::sigmoid_focal_loss, step(y), nn::sigmoid_focal_loss(x, step(y))},
      {"dice_loss", nn::dice_loss, step(y), nn::dice_loss(sigmoid(x), step(y))},
      {"hinge_loss", nn::hinge_loss, sign(y), nn::hinge_loss(x, sign(y))},
      {"squared_hinge_loss", nn::squared_hinge_loss, sign(y), nn::squared_hinge_loss(x, sign(y))},
      {"soft_margin_loss", nn::soft_margin_loss, sign(y), nn::soft_margin_loss(x, sign(y))},
      {"hinge_embedding_loss", nn::hinge_embedding_loss, sign(y), nn::hinge_embedding_loss(x, sign(y))},
      {"kl_div", nn::kl_div, sigmoid(y), nn::kl_div(x, sigmoid(y))},
      {"poisson_nll_loss", nn::poisson_nll_loss, step(y), nn::poisson_nll_loss(x, step(y))},
      {"multi_margin_loss", nn::multi_margin_loss, classes, nn::multi_margin_loss(x, classes)},
      {"multilabel_margin_loss", nn::multilabel_margin_loss, argsort(y, 1),
       nn::multilabel_margin_loss(x, argsort(y, 1))},
      {"multilabel_soft_margin_loss", nn::multilabel_soft_margin_loss, step(y),
       nn::multilabel_soft_margin_loss(x, step(y))},
      {"info_nce_loss", nn::info_nce_loss, y, nn::info_nce_loss(x, y)},
  };
  std::set<std::string> known;
  for (const auto& row : table) {
    known.insert(row.name);
    const bool probabilities = row.name == std::string("binary_cross_entropy") || row.name == std::string("dice_loss");
    BOOST_TEST(row.loss(probabilities ? sigmoid(x) : x, {x, row.target}, 1).item() == row.wanted.item(), row.name);
  }
  std::ostringstream header;
  for (const auto& entry : std::filesystem::directory_iterator(XGRAD_SOURCE_DIR "/nn/losses"))
    if (entry.path().extension() == ".hpp") header << std::ifstream(entry.path()).rdbuf();
  const std::string text = header.str();
  BOOST_TEST_REQUIRE(!text.empty());
  const std::regex declaration(R"(\nTensor (\w+)\(In \w+, In (?:target|key), (?!In ))");
  for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at)
    BOOST_TEST(known.count((*at)[1]) == 1u, (*at)[1] << " has no row");
}

BOOST_AUTO_TEST_CASE(a_regression_names_its_loss) {
  const Tensor x = randn({64, 2}), y = reshape(sum(x, 1) + 1, {64, 1});
  nn::Linear net(2, 1);
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.2});
  const data::DataLoader batches({x, y}, {.batch_size = 16});
  BOOST_CHECK_EXCEPTION(training::fit(net, optimizer, batches, quiet), Error, says(".loss = nn::mse_loss"));
  const training::History history =
      training::fit(net, optimizer, batches, {.epochs = 30, .progress = false, .loss = nn::mse_loss});
  BOOST_TEST(history.epochs.back().loss < 1e-4);
  BOOST_TEST(std::isnan(history.epochs.back().accuracy));
  const data::DataLoader shapes({x, reshape(y, {64})}, {.batch_size = 16});
  const int line = __LINE__ + 1;
  const training::FitOptions options{.epochs = 1, .progress = false, .loss = nn::mse_loss};
  BOOST_CHECK_EXCEPTION(training::fit(net, optimizer, shapes, options), Error,
                        says(fmt::format("training_test.cpp:{}", line)));
}

BOOST_AUTO_TEST_CASE(batches_of_more_tensors) {
  const Tensor x = randn({64, 2}), y = sum(x, 1, true), weight = cast(slice(x, 1, 0, 1) > 0, f32);
  const Tensor spoiled = where(weight > 0, y, 100 + y);  // what has the weight 0
  const data::DataLoader batches({x, spoiled, weight}, {.batch_size = 16});
  nn::Linear net(2, 1);
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.2});
  BOOST_CHECK_EXCEPTION(training::fit(net, optimizer, batches, {.epochs = 1, .progress = false, .loss = nn::mse_loss}),
                        Error, says("a batch has 3 tensors, of which the model takes 1 and the loss one"));
  const training::History weighted = training::fit(
      net, optimizer, batches, {.epochs = 100, .progress = false, .loss = [](const Tensor& out, const Tensors& batch) {
                                  return mean(batch[2] * square(out - batch[1]));
                                }});
  BOOST_TEST(weighted.epochs.back().loss < 1e-3);

  struct Sum {
    nn::Linear left{2, 1}, right{1, 1};
    Tensor operator()(const Tensor& a, const Tensor& b) const { return left(a) + right(b); }
    XGRAD_FIELDS(left, right)
  } of_two;
  optim::SGD of_both(nn::parameters(of_two), {.lr = 0.1});
  const data::DataLoader triples({x, weight, y + 3 * weight}, {.batch_size = 16});
  const training::History both =
      training::fit(of_two, of_both, triples, {.epochs = 100, .progress = false, .loss = nn::mse_loss});
  BOOST_TEST(both.epochs.back().loss < 1e-3);
  const auto of_three = [&](const Tensor& a, const Tensor& b, const Tensor&) { return of_two(a, b); };
  BOOST_CHECK_EXCEPTION(training::fit(of_three, of_both, triples, quiet), Error,
                        says("inputs and targets, got 3 tensors"));
}

namespace {

// A field that XGRAD_FIELDS forgets.
struct Forgetful {
  nn::Linear hidden{2, 4};
  Parameter scale = parameter(ones({4}));
  nn::Linear output{4, 3};
  Tensor operator()(const Tensor& x) const { return output(scale * tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};
constexpr int line_of_forgetful = __LINE__ - 7;  // of the struct: a default of a field has its line
struct Idle {
  nn::Linear layer{2, 3}, unused{2, 3};
  Tensor operator()(const Tensor& x) const { return layer(x); }
  XGRAD_FIELDS(layer, unused)
};
struct Cut {
  nn::Linear hidden{2, 4}, output{4, 3};
  Tensor operator()(const Tensor& x) const { return output(hidden(x).detach()); }
  XGRAD_FIELDS(hidden, output)
};
struct Fresh {  // makes a layer in each call
  nn::Linear layer{2, 3};
  Tensor operator()(const Tensor& x) const { return nn::Linear(3, 3)(layer(x)); }
  XGRAD_FIELDS(layer)
};

template <class M, class F>
std::string verified(const M& net, const F& call) {
  try {
    nn::verify(net, nn::cross_entropy(call(rows.inputs), rows.labels));
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}
template <class M>
std::string fitted(M& net) {
  optim::SGD optimizer(nn::parameters(net));
  const double before = sum(nn::parameters(net)[0].value()).item();
  try {
    training::fit(net, optimizer, data::DataLoader(rows), quiet);
  } catch (const Error& e) {
    BOOST_TEST(sum(nn::parameters(net)[0].value()).item() == before);
    return e.what();
  }
  return "";
}
#define CHECK_SAYS(text, part) \
  BOOST_TEST(std::string(text).find(part) != std::string::npos, text << " says nothing of " << part)

}  // namespace

BOOST_AUTO_TEST_CASE(gradients_that_go_nowhere) {
  Forgetful forgetful;
  Idle idle;
  Cut cut;
  Fresh fresh;
  Net net;
  const std::string scale = fmt::format("f32 (4,) of training_test.cpp:{}", line_of_forgetful);
  for (const std::string& text : {verified(forgetful, forgetful), fitted(forgetful)})
    CHECK_SAYS(text, "depends on " + scale);
  for (const std::string& text : {verified(idle, idle), fitted(idle)})
    CHECK_SAYS(text, "does not depend on unused.weight, unused.bias");
  for (const std::string& text : {verified(cut, cut), fitted(cut)})
    CHECK_SAYS(text, "does not depend on hidden.weight, hidden.bias");
  for (const std::string& text : {verified(fresh, fresh), fitted(fresh)}) CHECK_SAYS(text, "gone by now");
  const Net copy = net;
  CHECK_SAYS(verified(net, copy), "which would not be trained");
  CHECK_SAYS(verified(net,
                      [](const Tensor& x) {
                        return zeros({x.size(0), 3});
                      }),
             "does not depend on any parameter: hidden.weight");
  BOOST_TEST(verified(net, net) == "");
  BOOST_TEST(fitted(net) == "");
  BOOST_TEST(verified(net, [&](const Tensor& x) { return checkpoint([&](const Tensor& in) { return net(in); }, x); }) ==
             "");

  // a model captured by value
  optim::SGD optimizer(nn::parameters(net));
  const data::DataLoader batches(rows);
  BOOST_CHECK_EXCEPTION(training::fit([net](const Tensor& x) { return net(x); }, optimizer, batches, quiet), Error,
                        says("which would not be trained"));
  training::fit([&](const Tensor& x) { return net(x); }, optimizer, batches, quiet);

  // only some are trained: the others are the model's; or it is meant to be so
  optim::SGD head(nn::parameters(net.output));
  training::fit(net, head, batches, quiet);
  optim::SGD of_idle(nn::parameters(idle));
  training::fit(idle, of_idle, batches, {.epochs = 1, .progress = false, .verify = false});
}

BOOST_AUTO_TEST_CASE(variables_of_a_result) {
  Parameter a = parameter({1.0, 2.0}), b = parameter(2.0);
  const auto names = [](const Tensor& y) {
    std::vector<std::string> all;
    for (const auto& v : variables_of(y)) all.push_back(v.name);
    return all.size();
  };
  BOOST_TEST(names(sum(a * b)) == 2u);
  BOOST_TEST(names(sum(a * a)) == 1u);
  BOOST_TEST(names(a) == 1u);
  BOOST_TEST(names(tensor(1.0)) == 0u);
  BOOST_TEST(names(sum(a).detach()) == 0u);
  const Tensor before = sum(a);
  a = tensor({3.0, 4.0});
  BOOST_TEST(names(before + sum(a)) == 1u);  // two values of one variable
  variables_of(before)[0].assign(tensor({5.0, 6.0}));
  BOOST_TEST(sum(a).item() == 11);
  const Tensor y = sum(b * 2);
  y.backward();
  BOOST_CHECK_EXCEPTION(variables_of(y), Error, says("let go of"));
  BOOST_CHECK_EXCEPTION(variables_of(Tensor()), Error, says("empty"));
}
