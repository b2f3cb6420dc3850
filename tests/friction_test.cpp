// What people write at first, compiles, and means what they think it means.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <type_traits>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

BOOST_AUTO_TEST_CASE(layers_in_a_vector) {
  std::vector<nn::Linear> layers(3);
  BOOST_TEST(nn::parameters(layers).empty());
  BOOST_CHECK_EXCEPTION(layers[0](ones({1, 2})), Error,
                        says("[Linear] this layer has no weight: it was made without sizes"));
  for (nn::Linear& layer : layers) layer = nn::Linear(2, 2);
  BOOST_TEST(nn::parameters(layers).size() == 6u);
  BOOST_TEST(nn::parameters(layers)["2.bias"].value().numel() == 2);

  struct Deep {
    std::vector<nn::Linear> layers = std::vector<nn::Linear>(2);
    std::array<nn::Linear, 2> pair;
    nn::Linear optional;  // empty: has no parameters
    XGRAD_FIELDS(layers, pair, optional)
  } deep;
  deep.layers[1] = nn::Linear(2, 3);
  BOOST_TEST(nn::parameters(deep)[0].name == "layers.1.weight");
  const Deep copy = deep;
  BOOST_TEST(nn::parameter_count(copy) == 9);
}

// Every layer can be made without arguments.
static_assert(std::is_default_constructible_v<nn::Linear> && std::is_default_constructible_v<nn::Sequential> &&
              std::is_default_constructible_v<nn::Tanh> && std::is_default_constructible_v<nn::ReLU> &&
              std::is_default_constructible_v<nn::GELU> && std::is_default_constructible_v<nn::Dropout> &&
              std::is_default_constructible_v<nn::Softmax> && std::is_default_constructible_v<nn::Flatten>);

BOOST_AUTO_TEST_CASE(chains) {
  const Tensor x = ones({1, 2});
  std::vector<nn::Layer> layers;
  for (int i = 0; i < 3; ++i) {
    layers.push_back(nn::Linear(2, 2));
    layers.push_back(nn::Tanh{});
  }
  nn::Sequential from_vector(layers), in_braces{nn::Linear(2, 2), nn::Tanh{}}, one{nn::Linear(2, 2)};
  nn::Sequential assigned = {nn::Linear(2, 3), nn::ReLU{}, nn::Linear(3, 1)}, none(std::vector<nn::Layer>{});
  struct Net {
    nn::Sequential body = {nn::Linear(2, 2), nn::Tanh{}}, moved = nn::Sequential(std::vector<nn::Layer>(2, nn::Tanh{}));
    XGRAD_FIELDS(body, moved)
  } net;
  BOOST_TEST(from_vector.size() == 6u);
  BOOST_TEST(nn::parameters(from_vector)[0].name == "0.weight");
  BOOST_TEST(in_braces.size() == 2u);
  BOOST_TEST(one.size() == 1u);
  BOOST_TEST((assigned(x).shape() == Shape{1, 1}));
  BOOST_TEST(sum(none(x)).item() == 2);
  BOOST_TEST(net.body.size() + net.moved.size() == 4u);
  const nn::Sequential copy{in_braces};  // a copy, not a chain of one chain
  BOOST_TEST(copy.size() == 2u);
  layers[0] = nn::Linear(2, 2);
  BOOST_TEST(sum(from_vector(x)).item() == sum(nn::Sequential(from_vector)(x)).item());
}

BOOST_AUTO_TEST_CASE(layers_of_any_type_in_a_struct) {
  struct Net {
    std::vector<nn::Layer> layers{nn::Linear(2, 3), nn::Dropout{}, nn::Linear(3, 1)};
    nn::Layer last = nn::Linear(1, 1);
    Tensor operator()(const Tensor& x) const {
      Tensor y = x;
      for (const nn::Layer& layer : layers) y = layer(y);
      return last(y);
    }
    XGRAD_FIELDS(layers, last)
  } net;
  std::string names;
  for (const auto& p : nn::parameters(net)) names += p.name + " ";
  BOOST_TEST(names == "layers.0.weight layers.0.bias layers.2.weight layers.2.bias last.weight last.bias ");
  BOOST_TEST(nn::parameters(net.last).size() == 2u);
  nn::eval(net);
  BOOST_TEST(!net.layers[1].get<nn::Dropout>()->training);
  BOOST_TEST((net(ones({4, 2})).shape() == Shape{4, 1}));
  BOOST_TEST(nn::summary(net).find("Dropout") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(lambdas_with_captures) {
  double factor = 2;
  Tensor shift = ones({2});
  nn::Sequential net{[factor](const Tensor& x) { return factor * x; }, [&](const Tensor& x) { return x + shift; },
                     [=](In x) { return factor * x; }};
  nn::Sequential other = net;
  BOOST_TEST(sum(net(ones({2}))).item() == 12);
  shift = zeros({2});
  BOOST_TEST(sum(other(ones({2}))).item() == 8);
  net = other;
  BOOST_TEST(sum(net(ones({2}))).item() == 8);
  BOOST_TEST(nn::parameters(net).empty());
}

namespace beside_std {
using namespace std;
using namespace xgrad;

template <class T>
T max(const T& x, const T& y) {
  return maximum(x, y);
}
Tensor min(const Tensor& x, const Tensor& y) { return minimum(x, y); }
}  // namespace beside_std

BOOST_AUTO_TEST_CASE(numbers_beside_std) {
  using namespace beside_std;
  const double x = 2, y = pow(x, 2) + pow(2, 3) + atan2(x, 1) + atan2(1, 2) + sqrt(4) + abs(-1.5) + floor(2.5) + exp(0);
  BOOST_TEST(std::abs(y - (18.5 + std::atan2(2, 1) + std::atan2(1, 2))) < 1e-14);
  static_assert(std::is_same_v<decltype(pow(1.0f, 2.0f)), float> && std::is_same_v<decltype(pow(1.0f, 2)), double>);
  const Tensor t = tensor({1.0, 4.0});
  BOOST_TEST(sum(pow(t, 2) + sqrt(t) + pow(2, t)).item() == 17 + 3 + 18);
  // functions of one's own by the names of the C++ library's
  BOOST_TEST(sum(beside_std::max(t, 2 * t) + beside_std::min(t, 2 * t)).item() == 15);
}

BOOST_AUTO_TEST_CASE(lists_of_extents) {
  const Size n = 2;
  const std::uint64_t two = 2;
  const At last = -1;
  const Extent one = 1;
  BOOST_TEST((zeros({n, 1, two, one, 1, 1, 3}).shape() == Shape{2, 1, 2, 1, 1, 1, 3}));
  BOOST_TEST(
      (Shape{one} == Shape(1) && Shape({n}) == Shape{2} && Shape{one, n, one} == Shape({1, 2, 1}) && Shape{}.empty()));
  const Tensor x = ones({2, 3, 4});
  BOOST_TEST((sum(x, {last, 0}).shape() == Shape{3} && sum(x, {last}).shape() == Shape{2, 3}));
  BOOST_TEST((sum(x, {0, 1, last}).shape() == Shape{} && sum(x, {}).shape() == x.shape()));
  const Tensors two_of{x, zeros({1})};
  BOOST_TEST((two_of.front().numel() == 24 && two_of.back().numel() == 1));
}

BOOST_AUTO_TEST_CASE(lists_of_parameters) {
  std::vector<Parameter> list;
  for (int i = 0; i < 3; ++i) list.push_back(parameter(tensor(double(i))));
  optim::SGD optimizer(list, {.lr = 1});
  for (Parameter& p : list) p.set_grad(tensor(1.0));
  optimizer.step();
  BOOST_TEST(list[2].item() == 1);
  BOOST_TEST(optimizer.parameters().size() == 3u);
  BOOST_TEST(optimizer.parameters()[1].name == "1");
  list.push_back(Parameter());
  BOOST_CHECK_EXCEPTION(optim::SGD{list}, Error, says("[Parameters] 3 is empty"));

  struct Net {
    nn::Linear hidden{2, 3};
    XGRAD_FIELDS(hidden)
  } net;
  Size n = 0;
  for (const Tensor& p : nn::parameters(net)) n += p.numel();
  BOOST_TEST(n == 9);
  const Parameters params = nn::parameters(net);
  BOOST_TEST((params["hidden.weight"].value().shape() == Shape{3, 2}));
  BOOST_TEST((params[std::string("hidden.bias")].variable.get() == net.hidden.bias.variable()));
  BOOST_TEST(params[0].name == "hidden.weight");
  const int line = __LINE__ + 1;
  const auto wrong_name = [&] { (void)params["hidden.wieght"]; };
  BOOST_CHECK_EXCEPTION(wrong_name(), Error,
                        says("none is called hidden.wieght; there are: hidden.weight, hidden.bias"));
  BOOST_TEST(line_of_error(wrong_name) == line);
  for (const int wrong : {-1, 2})
    BOOST_CHECK_EXCEPTION(params[wrong], Error, says(fmt::format("number below 2, got {}", wrong)));
}

// One size in braces, as PyTorch's users write it.
BOOST_AUTO_TEST_CASE(layers_of_one_size) {
  const Tensor x = ones({2, 3, 6});
  BOOST_TEST((nn::LayerNorm({6})(x).shape() == x.shape()));
  BOOST_TEST((nn::LayerNorm({6}, {.eps = 1e-3}).weight.value().shape() == Shape{6}));
  BOOST_TEST((nn::LayerNorm({3, 6}).weight.value().shape() == Shape{3, 6}));
  BOOST_TEST((nn::RMSNorm({6})(x).shape() == x.shape()));
  BOOST_TEST((nn::MaxPool1d({3})(x).shape() == Shape{2, 3, 2}));
  BOOST_TEST((nn::AvgPool1d({3}, {.stride = 1})(x).shape() == Shape{2, 3, 4}));
  BOOST_TEST((nn::AdaptiveAvgPool1d({2})(x).shape() == Shape{2, 3, 2}));
  BOOST_TEST((nn::AdaptiveMaxPool1d({2})(x).shape() == Shape{2, 3, 2}));
  BOOST_TEST((nn::ZeroPad1d({1})(x).shape() == Shape{2, 3, 8}));
}
