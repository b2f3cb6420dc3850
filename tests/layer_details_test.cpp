// Layers beyond the sweep (layers_test.cpp): slopes far out, random layers, running statistics, first weights.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "expected.hpp"
#include "helpers.hpp"
#include "references/references.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;
using helpers::same_bits;
using helpers::says;

namespace {

using Long = long double;
struct Activation {
  const char* name;
  std::function<Tensor(const Tensor&)> f;
  std::function<Long(Long)> y, slope;
  double ulps = 8;
  double least = 0;  // |x| below it is not looked at: there the formula itself loses digits
};

Long sigma(Long x) { return 1 / (1 + std::exp(-x)); }
Long soft(Long x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
// 1 - tanh(x)^2
Long sech2(Long x) {
  return 4 * std::exp(-2 * std::abs(x)) / ((1 + std::exp(-2 * std::abs(x))) * (1 + std::exp(-2 * std::abs(x))));
}

std::vector<Activation> activations() {
  const Long scale = 1.0507009873554804934193349852946L, alpha = 1.6732632423543772848170429916717L;
  // clang-format off
  return {
      {"softsign", [](const Tensor& x) { return nn::softsign(x); }, [](Long x) { return x / (1 + std::abs(x)); },
       [](Long x) { return 1 / ((1 + std::abs(x)) * (1 + std::abs(x))); }},
      {"logsigmoid", [](const Tensor& x) { return nn::logsigmoid(x); }, [](Long x) { return -soft(-x); }, [](Long x) { return sigma(-x); }},
      {"selu", [](const Tensor& x) { return nn::selu(x); }, [=](Long x) { return scale * (x > 0 ? x : alpha * std::expm1(x)); },
       [=](Long x) { return x > 0 ? scale : scale * alpha * std::exp(x); }},
      {"celu", [](const Tensor& x) { return nn::celu(x, 2); }, [](Long x) { return x > 0 ? x : 2 * std::expm1(x / 2); },
       [](Long x) { return x > 0 ? 1 : std::exp(x / 2); }},
      {"mish", [](const Tensor& x) { return nn::mish(x); }, [](Long x) { return x * std::tanh(soft(x)); },
       [](Long x) { return std::tanh(soft(x)) + x * sech2(soft(x)) * sigma(x); }, 40},
      {"tanhshrink", [](const Tensor& x) { return nn::tanhshrink(x); }, [](Long x) { return x - std::tanh(x); },
       [](Long x) { return std::tanh(x) * std::tanh(x); }, 8, 1},
      {"hardswish", [](const Tensor& x) { return nn::hardswish(x); },
       [](Long x) { return x <= -3 ? Long{0} : x >= 3 ? x : x * (x + 3) / 6; },
       [](Long x) { return x < -3 ? Long{0} : x > 3 ? Long{1} : x / 3 + 0.5L; }, 16},
      {"softshrink", [](const Tensor& x) { return nn::softshrink(x); },
       [](Long x) { return x > 0.5L ? x - 0.5L : x < -0.5L ? x + 0.5L : Long{0}; }, [](Long x) { return Long(std::abs(x) > 0.5L); }},
  };
  // clang-format on
}

}  // namespace

// Values and slopes keep their digits over the whole range; in one pass, and at once; backwards, and forwards.
BOOST_AUTO_TEST_CASE(slopes_of_activations) {
  for (const Activation& a : activations())
    for (const DType dtype : {f32, f64})
      for (const double at : {-1e4, -700.0, -85.0, -50.0, -20.0, -5.0, -2.5, -1.0, -0.25, 0.25, 1.0, 2.5, 5.0, 20.0,
                              50.0, 85.0, 700.0, 1e4}) {
        if (std::abs(at) < a.least) continue;
        const Long y = a.y(at), slope = a.slope(at);
        const auto given = [&](Long v) {  // what is below the least number of the dtype is 0 there
          return std::abs(v) < (dtype == f32 ? 1e-37L : 1e-300L) ? 0.0 : static_cast<double>(v);
        };
        for (const Size n : {1, 2000}) {
          const Tensor x = watch(full({n}, at, dtype));
          const std::string what = fmt::format("{} at {}, {} numbers", a.name, at, n);
          const auto check = [&](const std::string& which, const Tensor& t, Long expected) {
            const double got = t[n - 1].item(), wanted = given(expected);
            if (wanted == 0) BOOST_TEST(std::abs(got) < (dtype == f32 ? 2e-37 : 2e-300), which << what << ": " << got);
            else
              BOOST_TEST(helpers::same(got, wanted, dtype, a.ulps),
                         which << what << ", " << name(dtype) << fmt::format(": {}, expected {}", got, wanted));
          };
          check("", a.f(x), y);
          check("slope of ", grad(sum(a.f(x)), x)[0], slope);
          check("forward slope of ", jvp(a.f, x, ones({n}, dtype)).tangent, slope);
        }
      }
}

BOOST_AUTO_TEST_CASE(rrelu_draws_slopes) {
  manual_seed(3);
  const Tensor x = watch(-ones({100, 100}));
  nn::RReLU layer{.lower = 0.25, .upper = 0.5};
  const Tensor y = layer(x), slopes = grad(sum(y), x)[0];
  BOOST_TEST(same_bits(-y, slopes));
  BOOST_TEST(amin(slopes).item() >= 0.25);
  BOOST_TEST(amax(slopes).item() <= 0.5);
  BOOST_TEST(std::abs(mean(slopes).item() - 0.375) < 0.005);
  BOOST_TEST(amin(slopes).item() < 0.26);
  BOOST_TEST(sum(layer(ones({100}))).item() == 100);
  layer.training = false;
  BOOST_TEST(sum(layer(x)).item() == -3750);
}

namespace {

// How a dropout treats channels of n numbers each: all of them alike, kept ones scaled.
void check_channels(const char* name, const std::function<Tensor(const Tensor&)>& layer, const Shape& shape,
                    int channels, double p) {
  manual_seed(4);
  const Tensor x = watch(ones(shape)), y = layer(x);
  BOOST_TEST((y.shape() == shape));
  BOOST_TEST(same_bits(grad(sum(y), x)[0], y), name << ": the gradient has another mask");
  const auto each = reshape(y, {channels, -1}).detach();
  BOOST_TEST(amax(abs(each - slice(each, 1, 0, 1))).item() == 0, name << ": a channel is cut apart");
  double dropped = 0;
  for (const float v : reshape(slice(each, 1, 0, 1), {-1}).to_vector<float>()) {
    BOOST_TEST_REQUIRE((v == 0 || std::abs(v - 1 / (1 - p)) < 1e-6));
    dropped += v == 0;
  }
  BOOST_TEST(std::abs(dropped / channels - p) < 0.05, name << fmt::format(": {} of {}", dropped, channels));
  BOOST_TEST(!same_bits(layer(x), y));
}

}  // namespace

BOOST_AUTO_TEST_CASE(dropouts_of_channels) {
  const auto layer = [](const auto& l) { return [l](const Tensor& x) { return l(x); }; };
  check_channels("Dropout1d", layer(nn::Dropout1d{.p = 0.3}), {20, 100, 7}, 2000, 0.3);
  check_channels("Dropout1d, one example", layer(nn::Dropout1d{.p = 0.3}), {2000, 7}, 2000, 0.3);
  check_channels("Dropout2d", layer(nn::Dropout2d{.p = 0.6}), {20, 100, 3, 2}, 2000, 0.6);
  check_channels("Dropout2d, lengths", layer(nn::Dropout2d{}), {20, 100, 3}, 2000, 0.5);
  check_channels("Dropout3d", layer(nn::Dropout3d{}), {20, 100, 3, 2, 2}, 2000, 0.5);
  check_channels("Dropout3d, one example", layer(nn::Dropout3d{}), {2000, 3, 2, 2}, 2000, 0.5);
  const Tensor x = ones({4, 5, 3});
  for (const double p : {0.0, 1.0}) BOOST_TEST(sum(nn::dropout1d(x, p)).item() == 60 * (1 - p));
  nn::Dropout2d off{.training = false};
  BOOST_TEST(same_bits(off(x), x));
  // Each example of a batch by vmap draws its own mask.
  manual_seed(5);
  const Tensor y =
      vmap([](const Tensor& v) { return nn::dropout1d(v); }, ones({50, 8, 2}), {.randomness = Randomness::different});
  BOOST_TEST(amax(abs(y[0] - y[1])).item() > 0);
}

// Mean 0 and variance 1 stay; what is dropped is one number.
BOOST_AUTO_TEST_CASE(alpha_dropout) {
  manual_seed(6);
  for (const double p : {0.1, 0.5}) {
    const Tensor x = watch(randn({1000, 200}, f64));
    const Tensor y = nn::AlphaDropout{.p = p}(x), slope = grad(sum(y), x)[0];
    BOOST_TEST(std::abs(mean(y).item()) < 0.01);
    BOOST_TEST(std::abs(var(y).item() - 1) < 0.02);
    const double s = -1.7580993408473766, a = 1 / std::sqrt((1 - p) * (1 + p * s * s));
    const Tensor dropped = slope == 0;
    BOOST_TEST(std::abs(mean(cast(dropped, f64)).item() - p) < 0.01);
    BOOST_TEST(amax(abs(where(dropped, y - (a * s - a * s * p), slope - a))).item() < 1e-12);
  }
  const Tensor channels = nn::FeatureAlphaDropout{}(zeros({30, 40, 5}));
  BOOST_TEST(amax(abs(channels - slice(channels, 2, 0, 1))).item() == 0);
  BOOST_TEST(amax(channels).item() > amin(channels).item());
  BOOST_TEST(sum(nn::alpha_dropout(ones({9}), 1)).item() == 0);
}

// ---- running statistics

namespace {

struct Block {
  nn::Conv2d conv{3, 8, 3, {.padding = 1}};
  nn::BatchNorm2d norm{8};
  Tensor operator()(const Tensor& x) const { return relu(norm(conv(x))); }
  XGRAD_FIELDS(conv, norm)
};

}  // namespace

// They are numbers at once: nothing waits, and nothing grows, whether anybody looks at them or not.
BOOST_AUTO_TEST_CASE(running_statistics_do_not_grow) {
  manual_seed(7);
  Block block;
  const Tensor x = randn({4, 3, 16, 16});
  optim::SGD optimizer(nn::parameters(block), {.lr = 1e-3});
  const auto step = [&] {
    optimizer.zero_grad();
    mean(square(block(x))).backward();
    BOOST_TEST(!block.norm.running_mean.pending());
    BOOST_TEST(!block.norm.running_var.requires_grad());
    optimizer.step();
  };
  const auto forward_only = [&] {
    for (int i = 0; i < 20; ++i) block(x);
  };
  for (int i = 0; i < 10; ++i) step();
  forward_only();
  for (const auto& work : {std::function<void()>(step), std::function<void()>(forward_only)}) {
    const Counters left = helpers::during([&] {
      for (int i = 0; i < 20; ++i) work();
    });
    BOOST_TEST(left.taped == 0u);
    BOOST_TEST(left.pending == 0u);
    BOOST_TEST(left.bytes == 0u);
  }
  BOOST_TEST(block.norm.num_batches_tracked.item() == 10 + 20 + 20 + 400);
}

// A copy has statistics of its own; an Error in a step leaves them; an Error by vmap says what to do.
BOOST_AUTO_TEST_CASE(running_statistics_belong_to_a_model) {
  manual_seed(8);
  Block block;
  const Tensor x = randn({4, 3, 5, 5}) + 2;
  block(x);
  const Block best = block;
  const auto before = nn::state_dict(best);
  block(3 * x);
  nn::parameters(block)["norm.weight"].assign(full({8}, 2.0f));
  BOOST_TEST(!same_bits(block.norm.running_mean, best.norm.running_mean));
  for (std::size_t i = 0; i < before.size(); ++i) BOOST_TEST(same_bits(nn::state_dict(best)[i].value, before[i].value));
  block = best;
  for (std::size_t i = 0; i < before.size(); ++i)
    BOOST_TEST(same_bits(nn::state_dict(block)[i].value, before[i].value));
  BOOST_CHECK_THROW(block.norm(ones({2, 7, 3, 3})), Error);
  BOOST_CHECK_THROW(block.norm(ones({1, 8, 1, 1})), Error);
  for (std::size_t i = 0; i < before.size(); ++i)
    BOOST_TEST(same_bits(nn::state_dict(block)[i].value, before[i].value));
  BOOST_CHECK_EXCEPTION(vmap([&](const Tensor& v) { return block(unsqueeze(v, 0)); }, x), Error,
                        says("[BatchNorm2d] inside of vmap every example"));
  nn::eval(block);
  const Tensor each = vmap([&](const Tensor& v) { return block(unsqueeze(v, 0))[0]; }, x);
  BOOST_TEST(amax(abs(each - block(x))).item() < 1e-6);
  BOOST_TEST(same_bits(block.norm.running_mean, best.norm.running_mean));
  // Under NoGrad, and where x has no history, they move as well, as in PyTorch.
  nn::train(block);
  const NoGrad constant;
  block(x);
  BOOST_TEST(block.norm.num_batches_tracked.item() == 2);
}

// ---- clipping

BOOST_AUTO_TEST_CASE(clipping_of_gradients) {
  Parameter a(tensor({3.0, 0.0})), b(tensor(4.0)), c(tensor({1.0}));
  Parameters all{a, b, c};
  a.set_grad(tensor({3.0, 0.0})), b.set_grad(tensor(4.0));
  BOOST_TEST(nn::clip_grad_norm(all, 10) == 5);
  BOOST_TEST(a.grad()[0].item() == 3);
  BOOST_TEST(nn::clip_grad_norm(all, 1) == 5);
  BOOST_TEST(std::abs(a.grad()[0].item() - 3 / 5.000001) < 1e-15);
  BOOST_TEST(std::abs(b.grad().item() - 4 / 5.000001) < 1e-15);
  BOOST_TEST(!c.grad().defined());
  BOOST_TEST(std::abs(nn::clip_grad_norm(all, 0.1, {.norm_type = std::numeric_limits<double>::infinity()}) -
                      4 / 5.000001) < 1e-15);
  a.set_grad(tensor({3.0, -5.0}));
  nn::clip_grad_value(all, 2);
  BOOST_TEST(a.grad()[0].item() == 2);
  BOOST_TEST(a.grad()[1].item() == -2);
  a.set_grad(tensor({std::nan(""), 1.0}));
  CHECK_ERROR(nn::clip_grad_norm(all, 1, {.error_if_nonfinite = true}),
              "[clip_grad_norm] the norm of the gradients is nan; nothing was changed");
  BOOST_TEST(a.grad()[1].item() == 1);
  BOOST_TEST(std::isnan(nn::clip_grad_norm(all, 1)));
  BOOST_TEST(nn::clip_grad_norm(Parameters{c}, 1) == 0);
  CHECK_ERROR(nn::clip_grad_norm(all, -1), "[clip_grad_norm] expected a max_norm");
  CHECK_ERROR(nn::clip_grad_value(all, std::nan("")), "[clip_grad_value] expected a clip_value");
  // Rows stay rows.
  nn::Embedding table(100'000, 4);
  sum(square(table(tensor({1, 5})))).backward();
  const Counters work = helpers::during([&] { nn::clip_grad_norm(nn::parameters(table), 0.5); });
  BOOST_TEST(work.bytes < 10'000u);
  BOOST_TEST(std::abs(norm(table.weight.grad()).item() - 0.5) < 1e-5);
}

// ---- first weights

// Uniform in +-1 / sqrt(fan_in), weight and bias, as torch.nn draws them; norms start as the identity.
BOOST_AUTO_TEST_CASE(first_weights) {
  manual_seed(13);
  const auto check = [](const char* which, const Parameter& p, double bound) {
    BOOST_TEST(amax(abs(p)).item() <= bound, which);
    BOOST_TEST(amax(abs(p)).item() > 0.95 * bound, which);
    BOOST_TEST(std::abs(mean(p).item()) < 0.1 * bound, which);
    BOOST_TEST(std::abs(var(p).item() - bound * bound / 3) < 0.1 * bound * bound, which);
  };
  const auto both = [&](const char* which, const auto& layer, double fan_in) {
    check(which, layer.weight, 1 / std::sqrt(fan_in));
    check(which, layer.bias, 1 / std::sqrt(fan_in));
  };
  both("Conv1d", nn::Conv1d(8, 600, 3), 24);
  both("Conv2d", nn::Conv2d(8, 600, {3, 2}, {.groups = 2}), 24);
  both("Conv3d", nn::Conv3d(2, 600, 2), 16);
  both("ConvTranspose2d", nn::ConvTranspose2d(8, 600, 2, {.groups = 2}), 1200);
  both("Bilinear", nn::Bilinear(8, 3, 600), 8);
  both("Linear", nn::Linear(30, 600), 30);
  const nn::BatchNorm2d norm(5);
  BOOST_TEST(sum(norm.weight).item() + sum(norm.running_var).item() == 10);
  BOOST_TEST(sum(abs(norm.bias)).item() + sum(abs(norm.running_mean)).item() == 0);
  BOOST_TEST(nn::PReLU(3).weight.value()[2].item() == 0.25);
  const nn::EmbeddingBag bag(300, 40);
  BOOST_TEST(std::abs(var(bag.weight).item() - 1) < 0.05);

  // What a program draws does not depend on its model.
  manual_seed(14);
  const Tensor before = randn({4});
  manual_seed(14);
  const nn::Sequential made{nn::Conv2d(3, 4, 3), nn::SpectralNorm(nn::Linear(3, 4)), nn::PReLU(), nn::BatchNorm2d(3)};
  const nn::Bilinear bilinear(2, 3, 4);
  const nn::ConvTranspose1d transposed(2, 3, 2);
  const nn::EmbeddingBag rows(3, 4);
  BOOST_TEST(same_bits(randn({4}), before));

  // Without a dtype, that of the program.
  set_default_dtype(f64);
  BOOST_TEST((nn::Conv1d(1, 1, 1).weight.dtype() == f64 && nn::BatchNorm1d(2).running_mean.dtype() == f64 &&
              nn::LayerNorm(3).weight.dtype() == f64 && nn::PReLU().weight.dtype() == f64 &&
              nn::EmbeddingBag(2, 2).weight.dtype() == f64));
  set_default_dtype(f32);
}

// A layer computes in its own dtype; its gradients come back in x's.
BOOST_AUTO_TEST_CASE(layers_compute_in_their_own_dtype) {
  const std::pair<std::function<nn::Layer(DType)>, Shape> rows[] = {
      {[](DType d) { return nn::Conv2d(3, 2, 2, {.dtype = d}); }, {2, 3, 4, 4}},
      {[](DType d) { return nn::ConvTranspose1d(3, 2, 2, {.dtype = d}); }, {2, 3, 4}},
      {[](DType d) { return nn::BatchNorm1d(3, {.dtype = d}); }, {4, 3}},
      {[](DType d) { return nn::InstanceNorm1d(3, {.track_running_stats = true, .dtype = d}); }, {2, 3, 4}},
      {[](DType d) { return nn::LayerNorm(4, {.dtype = d}); }, {2, 4}},
      {[](DType d) { return nn::RMSNorm(4, {.dtype = d}); }, {2, 4}},
      {[](DType d) { return nn::GroupNorm(1, 3, {.dtype = d}); }, {2, 3, 4}},
      {[](DType d) { return nn::PReLU(1, {.dtype = d}); }, {2, 3}},
      {[](DType d) { return nn::WeightNorm(nn::Linear(4, 2, {.dtype = d})); }, {2, 4}},
  };
  for (const auto& row : rows)
    for (const DType own : {f32, f64}) {
      const nn::Layer layer = row.first(own);
      for (const DType given : {f32, f64}) {
        const Parameter x(randn(row.second, given));
        const Tensor y = layer(x);
        BOOST_TEST((y.dtype() == own));
        BOOST_TEST((grad(sum(square(y)), {x})[0].dtype() == given));
      }
      CHECK_ERROR(layer(ones(row.second, i64)), "expected floats, got i64; cast them first");
    }
}
