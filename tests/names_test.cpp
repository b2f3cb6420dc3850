// Every function of tensors names itself in its Errors, on the user's line, whatever ops it is made of: a table of all that
// the headers declare, each with operands that it cannot take.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/fused.hpp>
#include <xgrad/nn.hpp>

using namespace xgrad;

namespace {

struct Row {
  const char* name;
  void (*calls[4])();  // each is an Error; null: no more
};

const Tensor none;
Tensor two() { return ones({2}); }
Tensor three() { return ones({3}); }
Tensor square_matrix() { return ones({2, 2}); }
Tensor whole() { return tensor({0, 1}); }

#define CALL(call) +[] { (void)(call); }
// Of one tensor; of floats alone; of two, elementwise.
// clang-format off
#define OF_ONE(f) {#f, {CALL(f(none))}}
#define OF_TWO(f) {#f, {CALL(f(none, two())), CALL(f(two(), none)), CALL(f(two(), three()))}}
#define OF_AXIS(f) {#f, {CALL(f(none, 0)), CALL(f(two(), 1)), CALL(f(two(), -2))}}
#define OF_AXES(f) {#f, {CALL(f(none)), CALL(f(none, 0)), CALL(f(two(), 1)), CALL(f(two(), {0, 0}))}}
#define OF_MATRIX(f) {#f, {CALL(f(none)), CALL(f(two())), CALL(f(ones({2, 3})))}}
#define OF_SHAPE(f) {#f, {CALL(f({-1, 2})), CALL(f({std::int64_t{1} << 40, std::int64_t{1} << 40}))}}
#define CONVOLUTION(f) {#f, {CALL(f(none, two())), CALL(f(two(), none)), CALL(f(two(), two())), CALL(f(two(), two(), none))}}
#define POOL(f) {#f, {CALL(f(none, 2)), CALL(f(ones({}), 2))}}
#define NN1(f, ...) {#f, {CALL(nn::f(none __VA_OPT__(,) __VA_ARGS__))}}
#define NN2(f) {#f, {CALL(nn::f(none, two())), CALL(nn::f(two(), none))}}
#define NN3(f) {#f, {CALL(nn::f(none, two(), two())), CALL(nn::f(two(), none, two())), CALL(nn::f(two(), two(), none))}}
#define LOSS(f)                                                                                                            \
  {                                                                                                                        \
#f, {                                                                                                                  \
      CALL(nn::f(none, two())), CALL(nn::f(two(), none)), CALL(nn::f(two(), three())), CALL(nn::f(two() > 0, three() > 0)) \
    }                                                                                                                      \
  }

const Row rows[] = {
#define UNARY(op, ...) OF_ONE(op),
#define BINARY(op, ...) OF_TWO(op),
#define TERNARY(op, ...) {#op, {CALL(op(none, two(), 0.5)), CALL(op(two(), three(), 0.5)), CALL(op(two(), two(), none))}},
#include "autodiff/elementwise.def"
    {"clamp", {CALL(clamp(none, 0, 1)), CALL(clamp(two(), none, 1)), CALL(clamp(two(), 0, three()))}},
    OF_TWO(logaddexp),
    OF_ONE(isnan),
    OF_ONE(isfinite),
    OF_TWO(logical_and),
    OF_TWO(logical_or),
    OF_ONE(logical_not),
    {"where",
     {CALL(where(none, 1, 2)), CALL(where(two(), 1, 2)), CALL(where(two() > 0, three(), 2)), CALL(where(two() > 0, none, 2))}},
    {"cast", {CALL(cast(none, f64))}},
    OF_TWO(allclose),
    // ---- reductions
    OF_AXES(sum),
    OF_AXES(mean),
    OF_AXES(var),
    OF_AXES(stddev),
    OF_AXES(prod),
    OF_AXES(amax),
    OF_AXES(amin),
    OF_AXES(argmax),
    OF_AXES(argmin),
    OF_AXES(all),
    OF_AXES(any),
    OF_AXES(logsumexp),
    {"norm", {CALL(norm(none)), CALL(norm(two(), 2, 1)), CALL(norm(two(), 3, {0, 0})), CALL(norm(two(), std::nan("")))}},
    OF_AXIS(argsort),
    OF_AXIS(sort),
    {"topk", {CALL(topk(none, 1)), CALL(topk(two(), 3)), CALL(topk(two(), 1, 4))}},
    OF_AXIS(softmax),
    OF_AXIS(log_softmax),
    {"standardize",
     {CALL(standardize(none)), CALL(standardize(two(), 2)), CALL(standardize(two(), 1, -1)), CALL(standardize(two(), 1, 0, three()))}},
    {"divide_by_rms", {CALL(divide_by_rms(none)), CALL(divide_by_rms(two(), 0)), CALL(divide_by_rms(two(), 1, 0, square_matrix()))}},
    OF_AXIS(cumsum),
    OF_AXIS(cumprod),
    // ---- shapes
    {"reshape", {CALL(reshape(none, {2})), CALL(reshape(two(), {3})), CALL(reshape(two(), {-1, -1}))}},
    OF_AXIS(flatten),
    {"transpose", {CALL(transpose(none)), CALL(transpose(none, 0, 1)), CALL(transpose(two(), 0, 1))}},
    {"permute", {CALL(permute(none, {0})), CALL(permute(two(), {0, 1})), CALL(permute(square_matrix(), {0, 0}))}},
    {"squeeze", {CALL(squeeze(none, 0)), CALL(squeeze(two(), 0)), CALL(squeeze(two(), 1))}},
    {"unsqueeze", {CALL(unsqueeze(none, 0)), CALL(unsqueeze(two(), 3))}},
    {"expand", {CALL(expand(none, {2})), CALL(expand(two(), {3})), CALL(expand(two(), {-1}))}},
    OF_AXIS(flip),
    {"roll", {CALL(roll(none, 1, 0)), CALL(roll(two(), 1, 1))}},
    {"select", {CALL(select(none, 0, 0)), CALL(select(two(), 1, 0)), CALL(select(two(), 0, 2))}},
    {"slice", {CALL(slice(none, 0, 0)), CALL(slice(two(), 1, 0)), CALL(slice(two(), 0, 3)), CALL(slice(two(), 0, 0, 1, 0))}},
    {"pad", {CALL(pad(none, 0, 1, 1)), CALL(pad(two(), 1, 1, 1)), CALL(pad(two(), 0, -1, 1))}},
    {"concat",
     {CALL(concat({})), CALL(concat({two(), none})), CALL(concat({two(), square_matrix()})), CALL(concat({two()}, 3))}},
    {"stack", {CALL(stack({})), CALL(stack({two(), none})), CALL(stack({two(), three()})), CALL(stack({two()}, 3))}},
    // ---- picking
    {"index_select",
     {CALL(index_select(none, 0, whole())), CALL(index_select(two(), 0, two())), CALL(index_select(two(), 0, tensor({2})))}},
    {"gather", {CALL(gather(none, 0, whole())), CALL(gather(two(), 0, two())), CALL(gather(two(), 0, tensor({2, 0})))}},
    {"log_softmax", {CALL(log_softmax(none, 0, whole())), CALL(log_softmax(two(), 0, two())), CALL(log_softmax(two(), 0, tensor(2)))}},
    {"scatter_add",
     {CALL(scatter_add(none, 0, whole(), 2)), CALL(scatter_add(two(), 0, two(), 2)), CALL(scatter_add(two(), 0, whole(), 1))}},
    {"index_add",
     {CALL(index_add(none, 0, whole(), 2)), CALL(index_add(two(), 0, two(), 2)), CALL(index_add(two(), 0, whole(), 1))}},
    {"one_hot", {CALL(one_hot(none, 2)), CALL(one_hot(two(), 2)), CALL(one_hot(whole(), 1)), CALL(one_hot(whole(), 0))}},
    // ---- products and linear algebra
    {"matmul",
     {CALL(matmul(none, two())), CALL(matmul(two(), three())), CALL(matmul(ones({2, 1, 2}), ones({3, 2, 1}))),
      CALL(matmul(whole(), whole()))}},
    {"linear",
     {CALL(linear(none, square_matrix())), CALL(linear(three(), square_matrix())),
      CALL(linear(ones({1, 1, 2}), square_matrix(), three())), CALL(linear(whole(), tensor({{1, 2}})))}},
    OF_TWO(dot),
    {"outer", {CALL(outer(none, two())), CALL(outer(two(), none)), CALL(outer(square_matrix(), two()))}},
    OF_MATRIX(cholesky),
    OF_MATRIX(inv),
    OF_MATRIX(det),
    OF_MATRIX(slogdet),
    OF_MATRIX(logdet),
    OF_MATRIX(eigh),
    {"diagonal", {CALL(diagonal(none)), CALL(diagonal(two()))}},
    {"trace", {CALL(trace(none)), CALL(trace(two()))}},
    {"tril", {CALL(tril(none)), CALL(tril(two()))}},
    {"triu", {CALL(triu(none)), CALL(triu(two()))}},
    {"solve_triangular",
     {CALL(solve_triangular(none, two())), CALL(solve_triangular(square_matrix(), none)),
      CALL(solve_triangular(square_matrix(), three()))}},
    {"solve",
     {CALL(solve(none, two())), CALL(solve(square_matrix(), none)), CALL(solve(square_matrix(), three())),
      CALL(solve(square_matrix(), two()))}},
    // ---- makers
    {"tensor", {CALL(tensor({{1, 2}, {3}})), CALL(tensor(std::vector<double>(3), {2}))}},
    OF_SHAPE(zeros),
    OF_SHAPE(ones),
    OF_SHAPE(rand),
    OF_SHAPE(randn),
    {"full", {CALL(full({-1}, 1.0)), CALL(full({2}, 0.5, i64)), CALL(full({2}, {1.0, 2.0}))}},
    OF_ONE(zeros_like),
    OF_ONE(ones_like),
    {"full_like", {CALL(full_like(none, 1)), CALL(full_like(whole(), 0.5))}},
    {"eye", {CALL(eye(-1)), CALL(eye(std::int64_t{1} << 40))}},
    {"arange", {CALL(arange(-1)), CALL(arange(0, 1, 0)), CALL(arange({1, 2}))}},
    {"linspace", {CALL(linspace(0.0, 1.0, -1)), CALL(linspace(0.0, 1.0, 2, i64))}},
    {"randint", {CALL(randint(1, 1, {2})), CALL(randint(0, 1, {-1}))}},
    {"randperm", {CALL(randperm(-1))}},
    {"from_memory", {CALL(from_memory(nullptr, {2}, f32)), CALL(from_memory(nullptr, {-1}, f32))}},
    // ---- convolutions and pools
    CONVOLUTION(conv1d),
    CONVOLUTION(conv2d),
    CONVOLUTION(conv3d),
    CONVOLUTION(conv_transpose1d),
    CONVOLUTION(conv_transpose2d),
    CONVOLUTION(conv_transpose3d),
    POOL(max_pool1d),
    POOL(max_pool2d),
    POOL(max_pool3d),
    POOL(avg_pool1d),
    POOL(avg_pool2d),
    POOL(avg_pool3d),
    // ---- nn
    {"cross_entropy",
     {CALL(nn::cross_entropy(none, whole())), CALL(nn::cross_entropy(square_matrix(), none)),
      CALL(nn::cross_entropy(square_matrix(), tensor({0, 2}))), CALL(nn::cross_entropy(whole(), whole()))}},
    {"nll_loss",
     {CALL(nn::nll_loss(none, whole())), CALL(nn::nll_loss(square_matrix(), none)),
      CALL(nn::nll_loss(square_matrix(), tensor({0, 2}))), CALL(nn::nll_loss(whole(), whole()))}},
    LOSS(mse_loss),
    LOSS(l1_loss),
    LOSS(huber_loss),
    LOSS(smooth_l1_loss),
    LOSS(binary_cross_entropy_with_logits),
    NN2(binary_cross_entropy), NN2(sigmoid_focal_loss), NN2(dice_loss), NN2(hinge_loss), NN2(squared_hinge_loss), NN2(soft_margin_loss),
    NN2(multi_margin_loss), NN2(multilabel_margin_loss), NN2(multilabel_soft_margin_loss), NN2(kl_div), NN2(poisson_nll_loss),
    NN2(quantile_loss), NN2(pairwise_distance), NN2(cosine_similarity), NN2(hinge_embedding_loss), NN2(info_nce_loss),
    NN3(gaussian_nll_loss), NN3(margin_ranking_loss), NN3(cosine_embedding_loss), NN3(contrastive_loss), NN3(triplet_margin_loss),
    NN3(triplet_margin_with_distance_loss), NN3(negative_sampling_loss),
    {"ctc_loss", {CALL(nn::ctc_loss(none, whole(), whole(), whole())), CALL(nn::ctc_loss(ones({2, 2, 3}), none, whole(), whole()))}},
    NN1(hardtanh), NN1(relu6), NN1(hardsigmoid), NN1(hardswish), NN1(selu), NN1(celu), NN1(mish), NN1(softsign), NN1(logsigmoid),
    NN1(tanhshrink), NN1(softshrink), NN1(hardshrink), NN1(threshold, 0, 0), NN2(prelu), NN1(glu), NN1(softmin, 0), NN1(rrelu),
    NN3(scaled_dot_product_attention), NN1(dropout1d), NN1(dropout2d), NN1(dropout3d), NN1(alpha_dropout), NN1(feature_alpha_dropout),
    NN1(layer_norm, {2}), NN1(rms_norm, {2}), NN1(group_norm, 1), NN1(adaptive_avg_pool1d, 1), NN1(adaptive_avg_pool2d, 1),
    NN1(adaptive_avg_pool3d, 1), NN1(adaptive_max_pool1d, 1), NN1(adaptive_max_pool2d, 1), NN1(adaptive_max_pool3d, 1),
    NN1(rotary_embedding), NN1(pixel_shuffle, 2), NN1(pixel_unshuffle, 2), NN1(channel_shuffle, 2),
    {"interpolate", {CALL(nn::interpolate(none, {.scale_factor = {2.0}}))}},
    {"pad", {CALL(nn::pad(none, {1, 1}))}},
    {"generate_square_subsequent_mask", {CALL(nn::generate_square_subsequent_mask(-1))}},
    {"sinusoidal_positions", {CALL(nn::sinusoidal_positions(-1, 2))}},
    {"gelu", {CALL(nn::gelu(none)), CALL(nn::gelu(none, nn::GeluForm::tanh))}},
    {"silu", {CALL(nn::silu(none))}},
    {"leaky_relu", {CALL(nn::leaky_relu(none)), CALL(nn::leaky_relu(two(), 1e300))}},
    {"elu", {CALL(nn::elu(none)), CALL(nn::elu(two(), 1e300))}},
    {"softplus", {CALL(nn::softplus(none, 2.0))}},
    {"dropout", {CALL(nn::dropout(none)), CALL(nn::dropout(two(), 2.0))}},
    {"Linear",
     {CALL(nn::Linear(2, 2)(none)), CALL(nn::Linear(2, 2)(three())), CALL(nn::Linear(2, 2)(whole())), CALL(nn::Linear(-1, 2))}},
    {"Embedding",
     {CALL(nn::Embedding(2, 2)(none)), CALL(nn::Embedding(2, 2)(two())), CALL(nn::Embedding(2, 2)(tensor({2}))),
      CALL(nn::Embedding(-1, 2))}},
};
// clang-format on

// "names_test.cpp:12: [name] ...": what is wrong with it.
std::string wrong_with(const std::string& message, const std::string& name) {
  if (message.empty()) return "no Error";
  // a row that the table makes is on a line of the table
  if (message.rfind("names_test.cpp:", 0) != 0 && message.rfind("elementwise.def:", 0) != 0)
    return "not on the user's line";
  const std::size_t at = message.find(' ');
  return message.compare(at + 1, name.size() + 3, "[" + name + "] ") == 0 ? "" : "another name";
}

// Functions that give tensors, as headers declare them.
std::set<std::string> declared() {
  const std::filesystem::path root = XGRAD_SOURCE_DIR;
  std::vector<std::filesystem::path> headers = {root / "autodiff/ops.hpp", root / "autodiff/convolution.hpp"};
  for (const char* folder : {"nn/losses", "nn/layers"})
    for (const auto& entry : std::filesystem::directory_iterator(root / folder))
      if (entry.path().extension() == ".hpp") headers.push_back(entry.path());
  const std::regex function("^(?:Tensors?|bool) ([a-z_0-9]+)\\(");
  std::set<std::string> names;
  for (const auto& header : headers) {
    std::ifstream file(header);
    BOOST_REQUIRE(file.good());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (text.find("#pragma GCC visibility push(default)") == std::string::npos) continue;  // a private one
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      if (std::smatch m; std::regex_search(line, m, function)) names.insert(m[1]);
  }
  return names;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_function_goes_by_its_own_name) {
  for (const Row& row : rows)
    for (int i = 0; i < 4 && row.calls[i]; ++i) {
      std::string message;
      try {
        row.calls[i]();
      } catch (const Error& error) {
        message = error.what();
      }
      const std::string wrong = wrong_with(message, row.name);
      BOOST_TEST(wrong == "", row.name << ", call " << i << ": " << wrong << ": " << message);
    }
}

BOOST_AUTO_TEST_CASE(every_function_that_is_declared_has_a_row) {
  std::set<std::string> known;
  for (const Row& row : rows) known.insert(row.name);
  for (const char* part : {"weight_norm", "weight_lengths", "spectral_norm"})
    known.insert(part);  // of layers, which say their names
  const std::set<std::string> all = declared();
  BOOST_TEST(all.size() > 140u);
  for (const std::string& name : all) BOOST_TEST(known.count(name) == 1, name << " has no row in tests/names_test.cpp");
}

// A formula that is run over memory is recorded on placeholders; its Error names what was written.
BOOST_AUTO_TEST_CASE(a_name_is_kept_on_a_trace) {
  const auto message = [](const std::function<Tensor(const Tensor&)>& f) {
    try {
      const Fused fused([&](Tensors& x) { x[0] = x[0] - f(x[0]); }, 1, f32, "Mine");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no Error");
  };
  const auto names = [&](const char* name, const std::function<Tensor(const Tensor&)>& f) {
    const std::string got = message(f);
    BOOST_TEST(
        got.find(std::string("[Mine] says that it is elementwise, but ") + name + " is not") != std::string::npos, got);
  };
  names("sum", [](const Tensor& x) { return sum(x); });
  names("mean", [](const Tensor& x) { return mean(x); });
  names("norm", [](const Tensor& x) { return norm(x); });
  names("softmax", [](const Tensor& x) { return softmax(x, 0); });
  names("flip", [](const Tensor& x) { return flip(x, 0); });
  names("mse_loss", [](const Tensor& x) { return nn::mse_loss(x, zeros_like(x)); });
}

// Names and lines of calls inside of calls come back as they were, whatever they do meanwhile.
BOOST_AUTO_TEST_CASE(a_function_of_the_users_own_does_not_change_the_name_around_it) {
  std::string message;
  const Source here("user.cpp", 7);
  try {
    const Located at(here, "outer");
    const CustomOp op({.name = "inner",
                       .forward = [](const Tensors& in) { return nn::gelu(in[0]) + nn::silu(in[0]); },
                       .vjp = [](const Tensor& g, const Tensors&, const Tensor&) { return Tensors{g}; }});
    (void)op(two());
    (void)(two() + three());
  } catch (const Error& error) {
    message = error.what();
  }
  BOOST_TEST(message.rfind("user.cpp:7: [outer] shapes do not broadcast", 0) == 0, message);
}
