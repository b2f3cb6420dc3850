// What can be done with a whole model, of any kinds of fields: names, state, freezing, another dtype, a summary.
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::says;

namespace {

struct Branch {  // of a base class, whose walk is virtual
  virtual ~Branch() = default;
  virtual Tensor operator()(const Tensor& x) const = 0;
  virtual void walk(const nn::Path& path, nn::Walker& to) = 0;
};
struct Straight final : Branch {
  nn::Linear line{2, 2};
  Tensor operator()(const Tensor& x) const override { return line(x); }
  void walk(const nn::Path& path, nn::Walker& to) override { nn::walk(line, path, to); }
};

struct Everything {
  std::vector<nn::Linear> list{nn::Linear(2, 2), nn::Linear(2, 2)};
  std::array<nn::Linear, 2> pair{nn::Linear(2, 2), nn::Linear(2, 2)};
  std::optional<nn::Linear> maybe = nn::Linear(2, 2), not_there;
  std::unique_ptr<nn::Linear> owned = std::make_unique<nn::Linear>(2, 2), nobody;
  std::map<std::string, nn::Linear> heads;
  std::map<std::string, std::vector<std::unique_ptr<nn::Linear>>> deep;
  std::unique_ptr<Branch> branch = std::make_unique<Straight>();
  Tensor buffer = ones({3});
  Tensor count = zeros({1}, i64);
  Everything() {
    heads.emplace("b", nn::Linear(2, 3));
    heads.emplace("a", nn::Linear(2, 4));
    deep["x"].push_back(std::make_unique<nn::Linear>(2, 1));
  }
  Tensor operator()(const Tensor& x) const {
    Tensor y = (*branch)((*owned)((*maybe)(pair[1](pair[0](list[1](list[0](x)))))));
    return sum(heads.at("a")(y)) + sum(heads.at("b")(y)) + sum((*deep.at("x")[0])(y)) + sum(buffer);
  }
  XGRAD_FIELDS(list, pair, maybe, not_there, owned, nobody, heads, deep, branch, buffer, count)
};

std::vector<std::string> names_of(const Parameters& parameters) {
  std::vector<std::string> names;
  for (const Parameters::Entry& p : parameters) names.push_back(p.name);
  return names;
}

struct Net {
  nn::Linear hidden{3, 8}, output{8, 2};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

// The model of tests/references/make_models.py.
struct Mixed {
  nn::Embedding words{20, 8};
  nn::LSTM said{8, 5, {.num_layers = 2, .batch_first = true, .bidirectional = true}};
  nn::TransformerEncoderLayer seen{8, 2, {.dim_feedforward = 16, .dropout = 0, .batch_first = true}};
  nn::Conv2d conv{2, 4, 3, {.padding = 1}};
  nn::BatchNorm2d norm{4};
  std::vector<nn::Linear> layers{nn::Linear(54, 16), nn::Linear(16, 16, {.bias = false})};
  std::map<std::string, nn::Linear> heads;
  Tensor scale = ones({3});
  Mixed() {
    heads.emplace("kind", nn::Linear(16, 3));
    heads.emplace("score", nn::Linear(16, 1));
  }
  Tensor operator()(const Tensor& index, const Tensor& image) const {
    const Tensor e = words(index), picture = flatten(max_pool2d(relu(norm(conv(image))), 2), 1);
    Tensor h = concat({select(said(e).output, 1, -1), mean(seen(e), 1), picture}, 1);
    for (const nn::Linear& layer : layers) h = tanh(layer(h));
    return concat({scale * heads.at("kind")(h), heads.at("score")(h)}, 1);
  }
  XGRAD_FIELDS(words, said, seen, conv, norm, layers, heads, scale)
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_model_crosses_to_pytorch_and_back) {
  const references::File file("models");
  Mixed net;
  nn::eval(net);
  for (const char* from : {"from_torch", "from_xgrad"}) {
    BOOST_TEST(nn::load(net, references::path(std::string("models_") + from)).complete());
    BOOST_TEST(allclose(net(file["index"], file["image"]), file[from], 1e-5, 1e-5), from);
  }
  BOOST_TEST(!allclose(file["from_xgrad"], file["from_torch"], 1e-2, 1e-2));
}

namespace {

// Of this process, in bytes: "VmRSS:" now, "VmHWM:" at most since the peak was forgotten.
Size of_status(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(key, 0) == 0) return 1024 * std::atoll(line.c_str() + key.size());
  return 0;
}

}  // namespace

// A file goes straight into the memory of the tensors: beside the model there is one copy of it, until it takes the old one's place.
BOOST_AUTO_TEST_CASE(loading_takes_one_copy) {
#ifdef __SANITIZE_THREAD__
  BOOST_TEST_MESSAGE("skipped: the thread sanitizer keeps memory beside each byte");
  return;
#endif
  const Size side = 3000, bytes = 4 * side * side;
  nn::Linear layer(side, side);
  nn::save(layer, "large.safetensors");
  release_memory();
  if (std::ofstream peak("/proc/self/clear_refs"); !(peak << "5" << std::flush)) {
    BOOST_TEST_MESSAGE("skipped: the peak of the memory cannot be forgotten here");
    return;
  }
  const Size before = of_status("VmRSS:");
  BOOST_TEST(nn::load(layer, "large.safetensors").complete());
  const Size most = of_status("VmHWM:") - before;
  BOOST_TEST(most > bytes / 2);
  BOOST_TEST(most < bytes + bytes / 4, most << " for a file of " << bytes);
  std::remove("large.safetensors");
}

BOOST_AUTO_TEST_CASE(fields_of_all_kinds) {
  Everything model;
  const std::vector<std::string> wanted = {"list.0.weight",   "list.0.bias",   "list.1.weight",  "list.1.bias",
                                           "pair.0.weight",   "pair.0.bias",   "pair.1.weight",  "pair.1.bias",
                                           "maybe.weight",    "maybe.bias",    "owned.weight",   "owned.bias",
                                           "heads.a.weight",  "heads.a.bias",  "heads.b.weight", "heads.b.bias",
                                           "deep.x.0.weight", "deep.x.0.bias", "branch.weight",  "branch.bias"};
  BOOST_TEST(names_of(nn::parameters(model)) == wanted, boost::test_tools::per_element());
  nn::verify(model, model(ones({1, 2})));
  const NamedTensors state = nn::state_dict(model);
  BOOST_TEST(state.size() == wanted.size() + 2);
  Everything other;
  BOOST_TEST(nn::load_state_dict(other, state).complete());
  BOOST_TEST(other(ones({1, 2})).item() == model(ones({1, 2})).item());
  nn::save(model, "everything.safetensors");
  Everything third;
  BOOST_TEST(nn::load(third, "everything.safetensors").complete());
  BOOST_TEST(third(ones({1, 2})).item() == model(ones({1, 2})).item());
  int linears = 0;
  nn::apply<nn::Linear>(model, [&](nn::Linear&) { ++linears; });
  BOOST_TEST(linears == 10);
  std::map<std::string, nn::Linear> layers;  // a map is a model, too
  layers.emplace("only", nn::Linear(1, 1));
  BOOST_TEST(names_of(nn::parameters(layers)) == (std::vector<std::string>{"only.weight", "only.bias"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_frozen_stays) {
  manual_seed(1);
  Net net;
  const Net before = net;
  nn::freeze(net.hidden);
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
  const auto step = [&] {
    optimizer.zero_grad();
    sum(square(net(ones({4, 3})))).backward();
    optimizer.step();
  };
  step();
  BOOST_TEST(allclose(net.hidden.weight, before.hidden.weight, 0, 0));
  BOOST_TEST(!allclose(net.output.weight, before.output.weight));
  nn::freeze(net, false);
  step();
  BOOST_TEST(!allclose(net.hidden.weight, before.hidden.weight));
  nn::freeze(nn::parameters(net).where([](const std::string& name) { return name.ends_with("bias"); }));
  BOOST_TEST(
      (!net.hidden.bias.requires_grad() && !net.output.bias.requires_grad() && net.hidden.weight.requires_grad()));
}

BOOST_AUTO_TEST_CASE(a_model_in_f64) {
  manual_seed(2);
  Net net;
  optim::Adam old(nn::parameters(net));
  nn::freeze(net.output.bias.defined() ? nn::parameters(net.output) : Parameters());
  const Tensor x = randn({5, 3}), y = net(x);
  nn::cast(net, f64);
  for (const Parameters::Entry& p : nn::parameters(net)) BOOST_TEST((p.value().dtype() == f64));
  BOOST_TEST((!net.output.weight.requires_grad() && net.hidden.weight.requires_grad()));
  nn::freeze(net, false);
  BOOST_TEST((net(x).dtype() == f64));
  BOOST_TEST(allclose(net(x), y, 1e-5, 1e-6));
  sum(square(net(x))).backward();
  BOOST_CHECK_EXCEPTION(old.step(), Error, says("hidden.weight"));  // it knows the variables that are no more
  optim::Adam optimizer(nn::parameters(net));
  const Tensor before = net.hidden.weight.value();
  optimizer.step();
  BOOST_TEST(!allclose(net.hidden.weight, before, 0, 0));
  BOOST_CHECK_EXCEPTION(nn::cast(net, i64), Error, says("[cast] expected the dtype f32 or f64 for a model, got i64"));

  Everything model;
  nn::cast(model, f64);
  BOOST_TEST((model.buffer.dtype() == f64 && model.count.dtype() == i64));
  const Tensor kept = model.heads.at("a").weight.value();
  nn::cast(model, f64);  // as it is: nothing is made anew
  BOOST_TEST(kept.node() == model.heads.at("a").weight.value().node());
  nn::cast(model, f32);
  BOOST_TEST((model.owned->weight.dtype() == f32));
  const Parameter p = parameter(1.0f);  // of tensors it is the op
  BOOST_TEST((cast(p, f64).dtype() == f64));
}

namespace {
struct Steps {
  nn::LSTM lstm{3, 4, {.num_layers = 2, .bidirectional = true}};
  nn::Linear head{8, 2};
  Tensor operator()(const Tensor& x) const {
    const auto [states, hidden, cell] = lstm(x);
    return head(states);
  }
  XGRAD_FIELDS(lstm, head)
};
}  // namespace

BOOST_AUTO_TEST_CASE(a_summary_of_a_call) {
  struct Attention {
    nn::Embedding words{11, 6};
    nn::Linear query{6, 4}, key{6, 4};
    nn::Dropout dropout;
    Tensor operator()(const Tensor& i) const {
      const Tensor x = dropout(words(i));
      return matmul(query(x), transpose(key(x)));
    }
    XGRAD_FIELDS(words, query, key, dropout)
  };
  Attention net;
  const std::string text = nn::summary(net, zeros({2, 5}, i64));
  const auto has = [&](const std::string& line) { BOOST_TEST(text.find(line) != std::string::npos, text); };
  has("layer    type       output     parameters  multiply-adds\n");
  has("words    Embedding  (2, 5, 6)          66\n");
  has("query    Linear     (2, 5, 4)          28            240\n");  // 10 rows x 6 x 4
  has("key      Linear     (2, 5, 4)          28            240\n");
  has("dropout  Dropout\n");
  has("122 parameters, 488 B; output (2, 5, 5), 680 multiply-adds");  // and 2 x 5 x 5 x 4
  BOOST_TEST(net.dropout.training);

  const nn::Sequential chain{nn::Linear(3, 8), nn::Tanh{}, nn::Linear(8, 2)};
  const std::string of_chain = nn::summary(chain, ones({7, 3}));
  BOOST_TEST(of_chain.find("2      Linear  (7, 2)          18            112\n") != std::string::npos, of_chain);
  const std::string large = nn::summary(chain, ones({700, 3}));  // whose bias is an op of its own
  BOOST_TEST(large.find("0      Linear  (700, 8)          32         16,800\n") != std::string::npos, large);

  struct Picture {
    Parameter weight = parameter(ones({4, 3, 2, 2})), scale = parameter(ones({4, 1, 1, 1}));
    Tensor operator()(const Tensor& x, const Tensor& y) const {
      return conv2d(x + y, weight * scale);
    }  // a weight that is made
    XGRAD_FIELDS(weight, scale)
  };
  const std::string made = nn::summary(Picture{}, ones({2, 3, 6, 5}), ones({2, 3, 6, 5}));
  BOOST_TEST(made.find("(2, 4, 5, 4)") != std::string::npos, made);
  BOOST_TEST(made.find("1,920 multiply-adds") != std::string::npos, made);  // 2 x 4 x 5 x 4 x 3 x 2 x 2
  BOOST_TEST(made.find("52          1,920") != std::string::npos, made);

  struct Turned {
    Parameter weight = parameter(ones({5, 2}));
    Tensor operator()(const Tensor& x) const { return matmul(transpose(x), weight); }
    XGRAD_FIELDS(weight)
  };
  const std::string sequence =
      nn::summary(Steps{}, ones({6, 2, 3}));  // all steps of a recurrent layer, in both directions
  BOOST_TEST(sequence.find("lstm   LSTM    (6, 2, 8)") != std::string::npos, sequence);
  BOOST_TEST(nn::summary(Turned{}, ones({5, 3})).find("output (3, 2), 30 multiply-adds") != std::string::npos);

  nn::Linear layer(3, 2);
  CHECK_ERROR(nn::summary(layer, ones({4, 4})), "[Linear] expected 3 numbers");
  nn::freeze(layer);
  CHECK_ERROR(nn::summary(layer, ones({4, 3})), "[summary] some parameters are frozen");
}
