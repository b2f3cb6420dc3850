// Layers and losses: values and gradients against PyTorch's (tests/references/make.py), and what bad input gets.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"
#include <xgrad/nn.hpp>
#include "references/references.hpp"

using namespace xgrad;
using helpers::line_of_error;

using Make = std::function<Tensor(const Tensor&)>;

namespace {

struct Kind {
  const char* name;
  DType dtype;
};
constexpr Kind kinds[] = {{"f32", f32}, {"f64", f64}};

void check_row(const std::string& key, const references::File& file, const Make& f, const Tensor& x, const Tensor& c) {
  const Parameter p = parameter(x);
  const Tensor y = f(p);
  CHECK_NEAR(key + ".y", y, file[key + ".y"]);
  CHECK_NEAR(key + ".gx", grad(y, {p}, c)[0], file[key + ".gx"]);
}

}  // namespace

BOOST_AUTO_TEST_CASE(activations) {
  struct Row {
    const char* name;
    Make layer;
  };
  const Row rows[] = {
      {"tanh", nn::Tanh{}},
      {"relu", nn::ReLU{}},
      {"sigmoid", nn::Sigmoid{}},
      {"gelu", nn::GELU{}},
      {"gelu_tanh", nn::GELU{nn::GeluForm::tanh}},
      {"silu", nn::SiLU{}},
      {"softplus", nn::Softplus{}},
      {"softplus_2", nn::Softplus{.beta = 2}},
      {"leaky_relu", nn::LeakyReLU{}},
      {"leaky_relu_0.2", nn::LeakyReLU{.negative_slope = 0.2}},
      {"elu", nn::ELU{}},
      {"elu_1.5", nn::ELU{.alpha = 1.5}},
      {"softmax", nn::Softmax{}},
      {"softmax_0", nn::Softmax{.axis = 0}},
      {"log_softmax", nn::LogSoftmax{}},
      {"log_softmax_0", nn::LogSoftmax{.axis = 0}},
  };
  const references::File file("layers");
  for (const auto& [kind, dtype] : kinds) {
    const std::string k = kind;
    for (const Row& row : rows) check_row(k + "." + row.name, file, row.layer, file[k + ".x"], file[k + ".c"]);
  }
}

BOOST_AUTO_TEST_CASE(activations_far_out) {  // no overflow on the side that is not taken, in value or gradient
  const Parameter x = parameter({-1e4, -800.0, 0.0, 800.0, 1e4});
  for (const Make& f :
       {Make(nn::ELU{}), Make(nn::SiLU{}), Make(nn::GELU{}), Make(nn::Softplus{.beta = 2}), Make(nn::LeakyReLU{})}) {
    const Tensor y = f(x);
    for (const Tensor& t : {y, grad(sum(y), {x})[0]})
      for (const double v : t.to_vector<double>()) BOOST_TEST(std::isfinite(v));
  }
}

BOOST_AUTO_TEST_CASE(linear_layer) {
  const references::File file("layers");
  for (const auto& [kind, dtype] : kinds)
    for (const char* shape : {"linear_1", "linear_2", "linear_3"})
      for (const bool bias : {true, false}) {
        const std::string k = kind, input = k + "." + shape, key = input + (bias ? "" : "_no_bias");
        nn::Linear layer(5, 3, {.bias = bias, .dtype = dtype});
        layer.weight = file[k + ".weight"];
        if (bias) layer.bias = file[k + ".bias"];
        check_row(key, file, layer, file[input + ".x"], file[input + ".c"]);
        layer(file[input + ".x"]).backward(file[input + ".c"]);
        CHECK_NEAR(key, layer.weight.grad(), file[key + ".gweight"]);
        if (bias) CHECK_NEAR(key, layer.bias.grad(), file[key + ".gbias"]);
        BOOST_TEST(layer.bias.defined() == bias);
      }
}

namespace {

// A user's own layer with a weight.
struct Scale {
  Parameter weight;
  explicit Scale(DType dtype) : weight(full({5}, 1.1, dtype)) {}
  Tensor operator()(In x) const { return nn::input_of("Scale", x, weight) * weight; }
  XGRAD_FIELDS(weight)
};

}  // namespace

// Floats of another dtype come in cast, and their gradient goes back in their own. A layer with a weight is a row here.
BOOST_AUTO_TEST_CASE(layers_compute_in_their_own_dtype) {
  const std::pair<const char*, std::function<nn::Layer(DType)>> layers[] = {
      {"Linear", [](DType dtype) { return nn::Layer(nn::Linear(5, 3, {.dtype = dtype})); }},
      {"Scale", [](DType dtype) { return nn::Layer(Scale(dtype)); }},
      {"Sequential",
       [](DType dtype) {
         return nn::Layer(nn::Sequential{nn::Linear(5, 3, {.dtype = dtype}), nn::Tanh{}});
       }},
  };
  for (const auto& [name_of, make] : layers)
    for (const DType own : {f32, f64}) {
      const nn::Layer layer = make(own);
      for (const DType given : {f32, f64})
        for (const Shape& shape : {Shape{5}, Shape{4, 5}, Shape{0, 5}, Shape{300, 5}}) {
          BOOST_TEST_CONTEXT(name_of << " of " << name(own) << " given " << name(given) << " "
                                     << fmt::format("{}", shape)) {
            const Parameter x(randn(shape, given)), alike(cast(x.value(), own));
            const Tensor y = layer(x), wanted = layer(alike);
            BOOST_TEST((y.dtype() == own));
            BOOST_TEST(y.to_vector<double>() == wanted.to_vector<double>(), boost::test_tools::per_element());
            const Tensor g = grad(sum(square(y)), {x})[0], g_alike = cast(grad(sum(square(wanted)), {alike})[0], given);
            BOOST_TEST((g.dtype() == given));
            BOOST_TEST(g.to_vector<double>() == g_alike.to_vector<double>(), boost::test_tools::per_element());
          }
        }
      for (const DType given : {i64, boolean})
        CHECK_ERROR(layer(ones({4, 5}, given)),
                    fmt::format("expected floats, got {}; cast them first: cast(x, {})", name(given), name(own)));
    }
}

BOOST_AUTO_TEST_CASE(shapes_of_layers) {
  const Tensor x = ones({2, 3, 4});
  BOOST_TEST((nn::Flatten{}(x).shape() == Shape{2, 12}));
  BOOST_TEST((nn::Flatten{0}(x).shape() == Shape{24}));
  BOOST_TEST(nn::Identity{}(x).node() == x.node());
  BOOST_TEST((nn::Linear(4, 5)(ones({0, 4})).shape() == Shape{0, 5}));
}

BOOST_AUTO_TEST_CASE(dropout) {
  manual_seed(1);
  const Parameter x = parameter(ones({100, 100}));
  nn::Dropout layer{.p = 0.25};
  const Tensor y = layer(x);
  const auto numbers = y.to_vector<float>();
  const auto dropped = std::count(numbers.begin(), numbers.end(), 0.0f);
  BOOST_TEST(std::abs(static_cast<double>(dropped) - 2500) < 200);
  for (const float v : numbers) BOOST_TEST_REQUIRE((v == 0 || std::abs(v - 4.0f / 3) < 1e-6f));
  BOOST_TEST(grad(sum(y), {x})[0].to_vector<float>() == numbers, boost::test_tools::per_element());  // the same mask
  BOOST_TEST(layer(x).to_vector<float>() != numbers);
  layer.training = false;
  BOOST_TEST(amax(abs(layer(x) - x)).item() == 0);
  BOOST_TEST(sum(nn::dropout(x, 1)).item() == 0);
  CHECK_ERROR(nn::dropout(x, 1.5), "[dropout] expected a probability");
}

BOOST_AUTO_TEST_CASE(losses_of_classes) {
  constexpr std::pair<const char*, nn::Reduction> reductions[] = {
      {"mean", nn::Reduction::mean}, {"sum", nn::Reduction::sum}, {"none", nn::Reduction::none}};
  const references::File file("losses");
  for (const auto& [kind, dtype] : kinds)
    for (const char* shape : {"rows", "pixels", "one"})
      for (const auto& each : reductions)
        for (const int weighted : {0, 1})
          for (const char* target : {"index", "some", "probabilities"}) {
            const std::string k = kind, input = k + "." + shape, reduction_name = each.first;
            const nn::Reduction reduction = each.second;
            if (shape == std::string("one") && target == std::string("some")) continue;
            const Tensor weight = weighted ? file[k + ".class_weight"] : Tensor();
            const Tensor x = file[input + ".x"], t = file[input + "." + target];
            const Tensor c = cast(file[fmt::format("c.{}.{}", shape, reduction_name)], dtype);
            for (const double s : {0.0, 0.1})
              check_row(
                  fmt::format("{}.cross_entropy.{}.{:.1f}.{}.{}", input, reduction_name, s, weighted, target), file,
                  [&](const Tensor& logits) {
                    return nn::cross_entropy(logits, t, {reduction, s, -100, weight});
                  },
                  x, c);
            if (target == std::string("probabilities")) continue;
            check_row(
                fmt::format("{}.nll_loss.{}.{}.{}", input, reduction_name, weighted, target), file,
                [&](const Tensor& log_p) {
                  return nn::nll_loss(log_p, t, {reduction, -100, weight});
                },
                x, c);
          }
}

BOOST_AUTO_TEST_CASE(losses_of_numbers) {
  constexpr std::pair<const char*, nn::Reduction> reductions[] = {
      {"mean", nn::Reduction::mean}, {"sum", nn::Reduction::sum}, {"none", nn::Reduction::none}};
  const references::File file("losses");
  for (const auto& [kind, dtype] : kinds)
    for (const auto& [reduction_name, reduction] : reductions) {
      const std::string k = kind;
      const nn::Reduction r = reduction;
      const Tensor x = file[k + ".numbers.x"], y = file[k + ".numbers.y"], b = file[k + ".numbers.binary"];
      const Tensor w = file[k + ".numbers.weight"], q = file[k + ".numbers.pos_weight"];
      const Tensor c = cast(file[fmt::format("c.numbers.{}", reduction_name)], dtype);
      const std::pair<const char*, Make> rows[] = {
          {"mse_loss", [&](const Tensor& p) { return nn::mse_loss(p, y, {r}); }},
          {"l1_loss", [&](const Tensor& p) { return nn::l1_loss(p, y, {r}); }},
          {"huber_loss", [&](const Tensor& p) { return nn::huber_loss(p, y, {r}); }},
          {"huber_loss_0.7",
           [&](const Tensor& p) {
             return nn::huber_loss(p, y, {r, 0.7});
           }},
          {"smooth_l1_loss", [&](const Tensor& p) { return nn::smooth_l1_loss(p, y, {r}); }},
          {"smooth_l1_loss_0.7",
           [&](const Tensor& p) {
             return nn::smooth_l1_loss(p, y, {r, 0.7});
           }},
          {"smooth_l1_loss_0",
           [&](const Tensor& p) {
             return nn::smooth_l1_loss(p, y, {r, 0});
           }},
          {"bce", [&](const Tensor& p) { return nn::binary_cross_entropy_with_logits(p, b, {r}); }},
          {"bce_weight",
           [&](const Tensor& p) {
             return nn::binary_cross_entropy_with_logits(p, b, {r, w});
           }},
          {"bce_pos_weight",
           [&](const Tensor& p) {
             return nn::binary_cross_entropy_with_logits(p, b, {r, {}, q});
           }},
          {"bce_both",
           [&](const Tensor& p) {
             return nn::binary_cross_entropy_with_logits(p, b, {r, w, q});
           }},
      };
      for (const auto& [name, f] : rows) check_row(fmt::format("{}.{}.{}", k, name, reduction_name), file, f, x, c);
    }
}

BOOST_AUTO_TEST_CASE(losses_to_second_order) {
  manual_seed(2);
  const Tensor x = randn({4, 3}, f64), labels = tensor({2, 0, 1, 1}), target = rand({4, 3}, f64);
  for (const Make& f : {Make([&](const Tensor& p) { return nn::cross_entropy(p, labels, {.label_smoothing = 0.1}); }),
                        Make([&](const Tensor& p) { return nn::cross_entropy(p, target); }),
                        Make([&](const Tensor& p) { return nn::binary_cross_entropy_with_logits(p, target); }),
                        Make([&](const Tensor& p) { return nn::huber_loss(p, target, {.delta = 0.5}); }),
                        Make([&](const Tensor& p) { return sum(nn::gelu(p) * nn::elu(p) * nn::silu(p)); })}) {
    const GradCheck check = gradcheck(f, x, {.order = 2});
    BOOST_TEST(check.passed, to_string(check));
  }
}

BOOST_AUTO_TEST_CASE(bad_input) {
  const Tensor x = ones({4, 3}), labels = tensor({0, 1, 2, 0});
  CHECK_ERROR(nn::cross_entropy(x, tensor({0, 1, 3, 0})),
              "[cross_entropy] expected classes 0 ... 2, got 3 at position 2");
  CHECK_ERROR(nn::cross_entropy(x, tensor({0, -1, 2, 0})), "got -1 at position 1");
  CHECK_ERROR(nn::cross_entropy(x, tensor({0, 1})), "shape (4,), got (2,)");
  CHECK_ERROR(nn::cross_entropy(x, labels == 1), "class indices as i64, got boolean");
  CHECK_ERROR(nn::cross_entropy(x, ones({4})), "probabilities of the logits' shape");
  CHECK_ERROR(nn::cross_entropy(labels, labels), "[cross_entropy] expected floats");
  CHECK_ERROR(nn::cross_entropy(x, labels, {.label_smoothing = 2}), "label_smoothing in [0, 1]");
  CHECK_ERROR(nn::cross_entropy(x, labels, {.weight = ones({2})}), "a weight for each of 3 classes");
  CHECK_ERROR(nn::nll_loss(x, tensor({0, 1, 2, 9})), "[nll_loss] expected classes");
  CHECK_ERROR(nn::cross_entropy(Tensor(), labels), "empty tensor");
  CHECK_ERROR(nn::mse_loss(ones({4, 1}), ones({4})), "[mse_loss] expected prediction and target of one shape");
  CHECK_ERROR(nn::mse_loss(x, Tensor()), "[mse_loss] expected prediction and target, got an empty tensor");
  CHECK_ERROR(nn::huber_loss(x, x, {.delta = 0}), "[huber_loss] expected a delta above 0");
  CHECK_ERROR(nn::smooth_l1_loss(x, x, {.beta = -1}), "[smooth_l1_loss] expected a beta");
  CHECK_ERROR(nn::binary_cross_entropy_with_logits(x, ones({3})), "one shape");
  for (const Shape& shape : {Shape{5, 4, 3}, Shape{1, 4, 3}}) {
    CHECK_ERROR(nn::binary_cross_entropy_with_logits(x, x, {.weight = ones(shape)}), "a weight that broadcasts to");
    CHECK_ERROR(nn::binary_cross_entropy_with_logits(x, x, {.pos_weight = ones(shape)}), "a pos_weight that");
  }
  CHECK_ERROR(nn::Linear(3, 2)(Tensor()), "[Linear] expected numbers, got an empty tensor");
  CHECK_ERROR(nn::Linear(3, 2)(ones({4, 4})), "[Linear] expected 3 numbers along the last axis, got the shape (4, 4)");
  CHECK_ERROR(nn::Linear(3, 2)(ones({})), "[Linear]");
  CHECK_ERROR(nn::Linear(0, 2), "[Linear] expected sizes of at least 1");
  CHECK_ERROR(nn::Linear(3, 2, {.dtype = i64}), "[Linear] expected the dtype");
  CHECK_ERROR(nn::softplus(x, 0), "[softplus] expected a beta");
  const int line = __LINE__ + 1;
  const std::string message = references::error_of([&] { nn::Linear(3, 2)(ones({4, 4})); });
  BOOST_TEST(message.find(fmt::format("nn_layers_test.cpp:{}:", line)) != std::string::npos, message);
}

BOOST_AUTO_TEST_CASE(the_mean_of_equal_losses_is_that_loss) {
  for (const auto& [kind, dtype] : kinds)
    for (const Size rows : {41, 49, 55, 98})
      BOOST_TEST(nn::nll_loss(full({rows, 2}, -1, dtype), zeros({rows}, i64)).item() == 1);
}

BOOST_AUTO_TEST_CASE(binary_cross_entropy_of_sure_logits) {  // log1p(e^-|x|) where they are right, + |x| where not
  for (const auto& [kind, dtype] : kinds)
    for (const double sure : {16.0, 40.0, 80.0})
      for (const double label : {0.0, 1.0}) {
        const Tensor y = full({2}, label, dtype), x = (2 * y - 1) * cast(tensor({sure, -sure}), dtype);
        const Parameter p = parameter(x);
        const Tensor loss = nn::binary_cross_entropy_with_logits(p, y, {nn::Reduction::none});
        CHECK_NEAR("right", loss[0], full({}, std::log1p(std::exp(-sure)), dtype));
        CHECK_NEAR("wrong", loss[1], full({}, sure + std::log1p(std::exp(-sure)), dtype));
        const double slope = (1 - 2 * label) / (1 + std::exp(sure));
        CHECK_NEAR("slope", grad(sum(loss), {p})[0][0], full({}, slope, dtype));
      }
  const Tensor x = tensor({-1.0, 2.0}), whole = tensor({0, 1});
  const Tensor want = nn::binary_cross_entropy_with_logits(x, cast(whole, f64));
  BOOST_TEST(nn::binary_cross_entropy_with_logits(x, whole).item() == want.item());
  BOOST_TEST(nn::binary_cross_entropy_with_logits(x, whole == 1).item() == want.item());
  BOOST_TEST(nn::binary_cross_entropy_with_logits(cast(x, f32), 1).defined());
}

BOOST_AUTO_TEST_CASE(mse_takes_a_number) { BOOST_TEST(nn::mse_loss(tensor({1.0, 3.0}), 0).item() == 5.0); }

// An Error in a layer of the user's own names the line in there; one in a layer of ours, the line of the call.
BOOST_AUTO_TEST_CASE(errors_inside_a_sequential) {
  const int here = __LINE__;
  const nn::Sequential own([](const Tensor&x) { return reshape(x, {100}); }), ours(nn::Tanh{}, nn::Linear(3, 2));
  BOOST_TEST(line_of_error([&] { own(ones({2, 2})); }) == here + 1);
  BOOST_TEST(line_of_error([&] { ours(ones({2, 2})); }) == here + 3);
}
