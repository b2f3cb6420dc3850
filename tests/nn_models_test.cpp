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
}

namespace {
template <class L>
struct Wrapped {  // whose layer is called on one line with other ops
  L layer;
  Size extra = 0;
  template <class... X>
  auto operator()(const X&... x) const {
    if constexpr (std::is_same_v<decltype(layer(x...)), Tensor>) return reshape(layer(x...) * 2.0, {-1});
    else return layer(x...);
  }
  XGRAD_FIELDS(layer)
};
// The row of the layer, by columns.
std::string row_of(const std::string& text, const std::string& layer) {
  const std::size_t from = text.find("\n" + layer + " ");
  return from == std::string::npos ? text : text.substr(from + 1, text.find('\n', from + 1) - from - 1);
}
template <class L, class... X>
void shows(L layer, const Shape& output, const X&... x) {
  nn::eval(layer);
  const Wrapped<L> model{std::move(layer)};
  const std::string text = nn::summary(model, x...);
  BOOST_TEST(row_of(text, "layer").find(fmt::format(" {} ", output)) != std::string::npos, text);
}
}  // namespace

// What each layer of nn made, whatever it is made of, and whatever is on its line.
BOOST_AUTO_TEST_CASE(outputs_in_a_summary) {
  manual_seed(6);
  const Tensor i = randint(0, 10, {5, 7}), x = randn({5, 7, 6}), image = randn({2, 4, 8, 8});
  shows(nn::Embedding(10, 6), {5, 7, 6}, i);
  shows(nn::Embedding(10, 6, {.padding_idx = 0}), {5, 7, 6}, i);
  shows(nn::Embedding(10, 6, {.padding_idx = 0}), {7, 6}, i[0]);
  for (const nn::BagMode mode : {nn::BagMode::sum, nn::BagMode::mean, nn::BagMode::max})
    for (const bool padded : {false, true}) {
      nn::EmbeddingBagOptions options{.mode = mode};
      if (padded) options.padding_idx = 0;
      shows(nn::EmbeddingBag(10, 6, options), {5, 6}, i);
    }
  shows(nn::Linear(6, 3), {5, 7, 3}, x);
  shows(nn::Linear(6, 3, {.bias = false}), {7, 3}, x[0]);
  shows(nn::WeightNorm(nn::Linear(6, 3)), {5, 7, 3}, x);
  shows(nn::SpectralNorm(nn::Conv2d(4, 3, 3)), {2, 3, 6, 6}, image);
  shows(nn::Bilinear(6, 6, 3), {5, 7, 3}, x, x);
  shows(nn::Conv1d(7, 3, 3, {.padding = "same", .padding_mode = nn::PaddingMode::circular}), {5, 3, 6}, x);
  shows(nn::Conv2d(4, 3, 3, {.stride = 2}), {3, 3, 3}, image[0]);
  shows(nn::ConvTranspose2d(4, 3, 2, {.stride = 2}), {2, 3, 16, 16}, image);
  shows(nn::BatchNorm2d(4), {2, 4, 8, 8}, image);
  shows(nn::InstanceNorm2d(4, {.affine = true}), {4, 8, 8}, image[0]);
  shows(nn::GroupNorm(2, 4), {2, 4, 8, 8}, image);
  shows(nn::LayerNorm(6), {5, 7, 6}, x);
  shows(nn::RMSNorm(6), {5, 7, 6}, x);
  shows(nn::PReLU(), {5, 7, 6}, x);
  shows(nn::LearnedPositions(9, 6), {5, 7, 6}, x);
  shows(nn::RNNCell(6, 3), {7, 3}, x[0]);
  shows(nn::GRUCell(6, 3), {3}, x[0][0]);
  shows(nn::LSTMCell(6, 3), {7, 3}, x[0]);
  shows(nn::LSTMCell(6, 3), {3}, x[0][0]);
  shows(nn::RNN(6, 3), {5, 7, 3}, x);
  shows(nn::GRU(6, 3, {.num_layers = 2, .bidirectional = true}), {7, 6}, x[0]);
  shows(nn::LSTM(6, 3, {.batch_first = true}), {5, 7, 3}, x);
  shows(nn::MultiheadAttention(6, 2), {5, 7, 6}, x, x, x);
  shows(nn::MultiheadAttention(6, 2, {.kdim = 6, .batch_first = true}), {7, 6}, x[0], x[0], x[0]);

  struct Tied {
    nn::Embedding words{10, 6, {.padding_idx = 0}};
    Tensor operator()(const Tensor& index) const { return linear(words(index), words.weight); }
    XGRAD_FIELDS(words)
  };
  const std::string tied = nn::summary(Tied{}, i);
  BOOST_TEST(row_of(tied, "words").find(" (5, 7, 6) ") != std::string::npos, tied);
}

// A model may give more than a tensor: a struct whose `output` is one, several tensors, something else.
BOOST_AUTO_TEST_CASE(a_summary_of_structs) {
  const Tensor x = randn({5, 2, 3});
  const auto has = [](const std::string& text, const std::string& part) {
    BOOST_TEST(text.find(part) != std::string::npos, text);
  };
  has(nn::summary(nn::RNN(3, 4), x), "output (5, 2, 4), ");
  has(nn::summary(nn::GRU(3, 4), x), "output (5, 2, 4), ");
  has(nn::summary(nn::LSTM(3, 4), x), "output (5, 2, 4), 1,120 multiply-adds");  // 10 rows x 16 gates x (3 + 4)
  has(nn::summary(nn::LSTMCell(3, 4), x[0]), "output (2, 4), 224 multiply-adds");
  const nn::MultiheadAttention attention(4, 2);
  const Tensor q = randn({5, 2, 4});
  has(nn::summary(attention, q, q, q), "output (5, 2, 4), ");
  struct Both {
    nn::Linear body{3, 4}, first{4, 2}, second{4, 1};
    Tensors operator()(const Tensor& in) const { return {first(body(in)), second(body(in))}; }
    XGRAD_FIELDS(body, first, second)
  };
  struct Heads {
    nn::Linear body{3, 4}, first{4, 2}, second{4, 1};
    Tensors operator()(const Tensor& in) const {
      const Tensor h = body(in);
      return {first(h), second(h)};
    }
    XGRAD_FIELDS(body, first, second)
  };
  has(nn::summary(Heads{}, x),
      "output (5, 2, 2), (5, 2, 1), 240 multiply-adds");  // 10 rows x (12 + 8 + 4): h is made once
  has(nn::summary(Both{}, x), "output (5, 2, 2), (5, 2, 1), 360 multiply-adds");
  struct Own {
    nn::Linear line{3, 4};
    struct Named {
      Tensor output;
      int more;
    };
    Named operator()(const Tensor& in) const { return {line(in), 3}; }
    XGRAD_FIELDS(line)
  };
  has(nn::summary(Own{}, x), "output (5, 2, 4), 120 multiply-adds");
  struct Strange {
    nn::Linear line{3, 4};
    std::pair<Tensor, int> operator()(const Tensor& in) const { return {line(in), 3}; }
    XGRAD_FIELDS(line)
  };
  const std::string strange = nn::summary(Strange{}, x);
  has(strange, "(5, 2, 4)");
  BOOST_TEST(strange.find("; output") == std::string::npos, strange);
  struct Nothing {
    nn::Linear line{3, 4};
    void operator()(const Tensor& in) const { evaluate(line(in)); }
    XGRAD_FIELDS(line)
  };
  has(nn::summary(Nothing{}, x), "(5, 2, 4)");
}

BOOST_AUTO_TEST_CASE(a_summary_of_what_is_frozen) {
  struct Throws {
    nn::Linear line{3, 4};
    Tensor operator()(const Tensor& in) const { return line(in) + ones({7, 7}); }
    XGRAD_FIELDS(line)
  };
  for (const bool all : {false, true}) {
    nn::Sequential net{nn::Linear(3, 8), nn::Tanh{}, nn::Linear(8, 2)};
    const std::string free = nn::summary(net, ones({7, 3}));
    nn::freeze(nn::parameters(net).where([&](const std::string& name) { return all || name == "0.weight"; }));
    BOOST_TEST(nn::summary(net, ones({7, 3})) == free);
    for (const Parameters::Entry& p : nn::parameters(net))
      BOOST_TEST(p.value().requires_grad() == !(all || p.name == "0.weight"));
  }
  Throws throws;
  nn::freeze(throws);
  CHECK_ERROR(nn::summary(throws, ones({4, 3})), "shapes");
  BOOST_TEST(!throws.line.weight.requires_grad());
}
