// Layers that hold others: containers, and wrappers of a weight.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <typeinfo>
#include <utility>

#include "helpers.hpp"
#include "references/references.hpp"
#include <xgrad/nn.hpp>

using namespace xgrad;
using helpers::same_bits;

BOOST_AUTO_TEST_CASE(layers_around_layers) {
  manual_seed(11);
  const Tensor x = randn({5, 3});
  nn::Sequential inner{nn::Linear(3, 4), nn::Tanh{}};
  const nn::Sequential net{inner, nn::Linear(4, 2)};
  BOOST_TEST(net.size() == 2u);
  BOOST_TEST(same_bits(net[0](x), inner(x)));
  BOOST_TEST(same_bits(net[1](net[0](x)), net(x)));
  BOOST_TEST(same_bits(net.at<nn::Sequential>(0)[0](x), inner[0](x)));
  BOOST_TEST(same_bits(net[-1](net[-2](x)), net(x)));
  CHECK_ERROR(net[2], "[Sequential] expected a layer's number, -2 ... 1, got 2");
  CHECK_ERROR(net[-3], "[Sequential] expected a layer's number, -2 ... 1, got -3");
  std::vector<nn::Layer> list;
  for (const Size width : {3, 6, 2}) list.push_back(nn::Linear(3, width));
  const nn::Parallel side_by_side(list);
  BOOST_TEST(same_bits(side_by_side(x), concat({list[0](x), list[1](x), list[2](x)}, 1)));
  BOOST_TEST((nn::parameters(const_cast<nn::Parallel&>(side_by_side))[2].name == "branches.1.weight"));
  const nn::Parallel added({nn::Linear(3, 2), nn::Sequential{nn::Linear(3, 5), nn::ReLU{}, nn::Linear(5, 2)}},
                           {.join = nn::Join::sum});
  BOOST_TEST(same_bits(added(x), added.branches[0](x) + added.branches[1](x)));
  CHECK_ERROR(nn::Parallel({nn::Linear(3, 2), nn::Linear(3, 4)}, {.join = nn::Join::sum})(x),
              "[Parallel] expected results of one shape");
  CHECK_ERROR(nn::Parallel(std::vector<nn::Layer>())(x), "[Parallel] expected layers");

  const nn::Residual skip(nn::Sequential{nn::Linear(3, 8), nn::ReLU{}, nn::Linear(8, 3)});
  BOOST_TEST(same_bits(skip(x), skip.main(x) + x));
  nn::Residual shaped(nn::Linear(3, 2), nn::Linear(3, 2, {.bias = false}));
  BOOST_TEST(same_bits(shaped(x), shaped.main(x) + (*shaped.shortcut)(x)));
  std::vector<std::string> names;
  for (const auto& p : nn::parameters(shaped)) names.push_back(p.name);
  BOOST_TEST((names == std::vector<std::string>{"main.weight", "main.bias", "shortcut.weight"}));
  CHECK_ERROR(nn::Residual(nn::Linear(3, 2))(x),
              "[Residual] expected a result of the shape (5, 3), to which x is added, got (5, 2)");
  CHECK_ERROR(nn::Residual(nn::Linear(4, 2))(x), "[Linear] expected 4 numbers");

  // A copy is a snapshot, and assigning it restores, here as everywhere.
  const nn::Residual best = shaped;
  const Tensor y = shaped(x);
  nn::parameters(shaped)[0].assign(zeros({2, 3}));
  BOOST_TEST(!same_bits(shaped(x), y));
  const Parameters before = nn::parameters(shaped);
  shaped = best;
  BOOST_TEST(same_bits(shaped(x), y));
  BOOST_TEST(before[0].variable.get() == nn::parameters(shaped)[0].variable.get());
}

// ---- wrappers

namespace {
struct Noisy {
  Parameter weight{ones({2, 2})};
  bool training = true;
  Tensor with_weight(In x, const Tensor& w) const { return training ? matmul(x, w) + randn({2}) : matmul(x, w); }
  XGRAD_FIELDS(weight)
};
template <class T>
struct Outer {
  struct Inner {};
};
template <class T>
const std::type_info& local_of(T) {
  struct Local {};
  return typeid(Local);
}
}  // namespace

// Modes reach the layer that is wrapped; its names are the wrapper's own.
BOOST_AUTO_TEST_CASE(walks_enter_wrapped_layers) {
  const Tensor x = ones({1, 2});
  nn::WeightNorm noisy{Noisy()};
  BOOST_TEST(!same_bits(noisy(x), noisy(x)));
  nn::eval(noisy);
  BOOST_TEST(same_bits(noisy(x), noisy(x)));
  nn::Sequential net{nn::WeightNorm(nn::Linear(2, 2)), nn::SpectralNorm(nn::Linear(2, 2)), nn::Linear(2, 2)};
  int met = 0;
  nn::apply<nn::Linear>(net, [&](nn::Linear& layer) { ++met, nn::init::xavier_uniform(layer.weight); });
  BOOST_TEST(met == 1);  // those that are wrapped have no weight
  BOOST_TEST(nn::state_dict(net)[0].name == "0.bias");
  BOOST_TEST(nn::type_name(typeid(net)) == "Sequential");
  struct Local {};
  BOOST_TEST(nn::type_name(typeid(nn::WeightNorm<nn::Linear>)) == "WeightNorm<Linear>");
  BOOST_TEST(nn::type_name(typeid(Outer<nn::WeightNorm<nn::Linear>>::Inner)) == "Inner");
  BOOST_TEST(nn::type_name(typeid(std::pair<Outer<int>::Inner, Local>)) == "pair<Inner, Local>");
  BOOST_TEST(nn::type_name(local_of(1)) == "Local");
}

// WeightNorm starts as the layer that it is given; a fixed length leaves direction to be learned.
BOOST_AUTO_TEST_CASE(weight_norms_start_as_their_layer) {
  manual_seed(12);
  const nn::Conv2d conv(3, 4, 3);
  const Tensor x = randn({2, 3, 5, 5});
  const nn::WeightNorm normed(conv);
  BOOST_TEST(amax(abs(normed(x) - conv(x))).item() < 1e-5);
  BOOST_TEST(conv.weight.defined());  // a copy was wrapped
  const nn::Layer in_a_layer(normed);
  BOOST_TEST(same_bits(in_a_layer(x), normed(x)));
  BOOST_TEST(nn::summary(normed).find("weight_g (4, 1, 1, 1)") != std::string::npos, nn::summary(normed));

  // The greatest singular value of a spectrally normed weight goes to 1.
  nn::SpectralNorm spectral(nn::Linear(6, 4, {.dtype = f64}));
  const Tensor rows = randn({2, 6}, f64);
  for (int i = 0; i < 300; ++i) spectral(rows);
  nn::eval(spectral);
  const Tensor w = spectral.weight(), values = eigh(matmul(w, transpose(w)))[0];
  BOOST_TEST(std::abs(values[3].item() - 1) < 1e-9);
  BOOST_TEST(same_bits(spectral(rows), spectral(rows)));
  CHECK_ERROR(nn::WeightNorm(nn::Linear()), "[WeightNorm] this layer has no weight");
  CHECK_ERROR(nn::SpectralNorm(nn::Conv1d()), "[SpectralNorm] this layer has no weight");
  CHECK_ERROR(nn::WeightNorm(nn::Linear(2, 2), 2), "[WeightNorm] expected an axis of the weight");
}

// A wrapper may be made empty and assigned later; folded() gives the layer that computes the same without it.
BOOST_AUTO_TEST_CASE(wrappers_that_are_filled_and_folded) {
  manual_seed(5);
  struct Net {
    nn::WeightNorm<nn::Conv1d> conv;
    nn::SpectralNorm<nn::Linear> linear;
    Tensor operator()(const Tensor& x) const { return linear(conv(x)); }
    XGRAD_FIELDS(conv, linear)
  };
  Net net;
  const Tensor x = randn({2, 3, 6});
  CHECK_ERROR(net.conv(x), "[WeightNorm] this layer has no weight");
  CHECK_ERROR(net.linear(x), "[SpectralNorm] this layer has no weight");
  BOOST_TEST(nn::parameters(net).size() == 0u);
  net.conv = nn::WeightNorm(nn::Conv1d(3, 4, 3)), net.linear = nn::SpectralNorm(nn::Linear(4, 2));
  nn::eval(net);
  const nn::Conv1d conv = net.conv.folded();
  const nn::Linear linear = net.linear.folded();
  BOOST_TEST(same_bits(linear(conv(x)), net(x)));
  BOOST_TEST(nn::state_dict(conv)[0].name == "weight");
  BOOST_TEST(net.conv.weight_v.defined());
}
