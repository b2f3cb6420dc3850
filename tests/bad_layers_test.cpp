// Bad input to layers: one Error each, with the user's line and the layer's name, and nothing changes.
#include "bad_input.hpp"

#include <limits>

#include <xgrad/nn.hpp>

using namespace xgrad;
using bad_input::Table;

namespace {

constexpr Size huge = Size{1} << 62;
const double nan_ = std::nan("");

// Layers that are called wrongly, and what they hold.
struct Objects {
  Tensor row = evaluate(randn({3})), rows = evaluate(randn({2, 3})), line = evaluate(randn({2, 3, 5})),
         image = evaluate(randn({2, 3, 5, 4}));
  Tensor none, whole = ones({2, 3, 5}, i64), index = tensor({{0, 1}, {2, 0}}), flat = tensor({0, 1, 2});
  nn::Conv1d conv1{3, 4, 3}, no_conv;
  nn::Conv2d conv2{3, 4, 3};
  nn::ConvTranspose1d up{3, 2, 2};
  nn::BatchNorm1d batch1{3}, no_batch;
  nn::BatchNorm2d batch2{3};
  nn::InstanceNorm1d instance{3, {.track_running_stats = true}};
  nn::LayerNorm layer{5}, no_layer;
  nn::RMSNorm rms{5};
  nn::GroupNorm group{1, 3}, no_group;
  nn::Bilinear bilinear{3, 4, 2}, no_bilinear;
  nn::Embedding table{3, 2}, no_table;
  nn::EmbeddingBag bag{3, 2}, sums{3, 2, {.mode = nn::BagMode::sum}}, no_bag;
  nn::PReLU prelu{4};
  nn::WeightNorm<nn::Linear> normed{nn::Linear(3, 2)};
  nn::SpectralNorm<nn::Linear> spectral{nn::Linear(3, 2)};
  std::string state() const {
    std::string all = bad_input::record();
    const auto add = [&](const auto& model) {
      for (const auto& [name, value] : nn::state_dict(model)) all += name + bad_input::bits(value);
    };
    add(conv1), add(conv2), add(up), add(batch1), add(batch2), add(instance), add(layer), add(rms), add(group),
        add(bilinear), add(table);
    add(bag), add(sums), add(prelu), add(normed), add(spectral);
    return all;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(making_layers) {
  const Objects o{};
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { nn::Conv1d(0, 4, 3); }, {"[Conv1d]", "at least 1", "4 and 0"});
  t.add([&] { nn::Conv2d(3, -4, 3); }, {"[Conv2d]", "at least 1"});
  t.add([&] { nn::Conv2d(3, 4, {3, 3, 3}); }, {"[Conv2d]", "kernel_size", "each of 2", "(3, 3, 3)"});
  t.add([&] { nn::Conv2d(3, 4, 0); }, {"[Conv2d]", "kernel_size of 1"});
  t.add([&] { nn::Conv2d(3, 4, 3, {.stride = 0}); }, {"[Conv2d]", "stride of 1"});
  t.add([&] { nn::Conv2d(3, 4, 3, {.stride = {1, 1, 1}}); }, {"[Conv2d]", "stride"});
  t.add([&] { nn::Conv2d(3, 4, 3, {.padding = -1}); }, {"[Conv2d]", "padding of 0"});
  t.add([&] { nn::Conv2d(3, 4, 3, {.padding = huge}); }, {"[Conv2d]", "padding"});
  t.add([&] { nn::Conv2d(3, 4, 3, {.padding = "some"}); }, {"[Conv2d]", "\"same\" or \"valid\", got \"some\""});
  t.add([&] { nn::Conv2d(3, 4, 3, {.stride = 2, .padding = "same"}); }, {"[Conv2d]", "stride of 1", "2"});
  t.add([&] { nn::Conv2d(3, 4, 3, {.dilation = 0}); }, {"[Conv2d]", "dilation"});
  t.add([&] { nn::Conv2d(3, 4, 3, {.groups = 2}); }, {"[Conv2d]", "2 groups do not divide", "4 and 3"});
  t.add([&] { nn::Conv2d(3, 4, 3, {.dtype = i64}); }, {"[Conv2d]", "f32 or f64, got i64"});
  t.add([&] { nn::Conv3d(huge, huge, huge); }, {"[Conv3d]"});
  t.add([&] { nn::ConvTranspose2d(4, 6, 3, {.groups = 4}); }, {"[ConvTranspose2d]", "4 groups do not divide"});
  t.add([&] { nn::ConvTranspose2d(4, 6, 3, {.output_padding = -1}); }, {"[ConvTranspose2d]", "output_padding"});
  t.add([&] { nn::BatchNorm2d(0); }, {"[BatchNorm2d]", "at least 1"});
  t.add([&] { nn::BatchNorm2d(3, {.eps = -1e-5}); }, {"[BatchNorm2d]", "eps of 0 or more"});
  t.add([&] { nn::BatchNorm2d(3, {.eps = 1e-50}); }, {"[BatchNorm2d]", "eps", "range of f32"});
  t.add([&] { nn::BatchNorm2d(3, {.momentum = 2}); }, {"[BatchNorm2d]", "momentum in [0, 1], got 2"});
  t.add([&] { nn::BatchNorm2d(3, {.dtype = boolean}); }, {"[BatchNorm2d]", "got boolean"});
  t.add([&] { nn::InstanceNorm1d(3, {.momentum = nan_}); }, {"[InstanceNorm1d]", "momentum"});
  t.add([&] { nn::LayerNorm{Shape{}}; }, {"[LayerNorm]", "extents"});
  t.add([&] { nn::LayerNorm({3, 0}); }, {"[LayerNorm]", "at least 1"});
  t.add([&] { nn::RMSNorm(3, {.eps = -1}); }, {"[RMSNorm]", "eps of 0 or more"});
  t.add([&] { nn::GroupNorm(2, 3); }, {"[GroupNorm]", "2 groups do not divide 3"});
  t.add([&] { nn::GroupNorm(0, 3); }, {"[GroupNorm]", "at least 1"});
  t.add([&] { nn::Bilinear(3, 4, 0); }, {"[Bilinear]", "at least 1"});
  t.add([&] { nn::Embedding(3, 0); }, {"[Embedding]", "at least 1"});
  t.add([&] { nn::Embedding(3, 2, {.padding_idx = 3}); }, {"[Embedding]", "padding_idx of 0 ... 2, got 3"});
  t.add([&] { nn::Embedding(3, 2, {.padding_idx = -4}); }, {"[Embedding]", "padding_idx"});
  t.add([&] { nn::Embedding(3, 2, {.max_norm = 0}); }, {"[Embedding]", "max_norm above 0"});
  t.add([&] { nn::EmbeddingBag(3, 2, {.norm_type = 0}); }, {"[EmbeddingBag]", "norm_type"});
  t.add([&] { nn::PReLU(0); }, {"[PReLU]", "at least 1"});
  t.add([&] { nn::ZeroPad2d({1, 2, 3}); }, {"[ZeroPad2d]", "of one number, or of 4", "(1, 2, 3)"});
  t.add([&] { nn::SpectralNorm(nn::Linear(3, 2), {.n_power_iterations = 0}); },
        {"[SpectralNorm]", "n_power_iterations"});
  t.check();
}

BOOST_AUTO_TEST_CASE(calling_layers) {
  const Objects o{};
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { o.conv1(o.image); }, {"[Conv1d]", "(2, 3, 5, 4)"});
  t.add([&] { o.conv1(o.row); }, {"[Conv1d]", "(3,)"});
  t.add([&] { o.conv1(ones({2, 4, 5})); }, {"[Conv1d]", "4 channels", "for 3"});
  t.add([&] { o.conv1(ones({2, 3, 2})); }, {"[Conv1d]", "reaches over 3 numbers"});
  t.add([&] { o.conv1(o.whole); }, {"[Conv1d]", "expected floats, got i64", "cast"});
  t.add([&] { o.conv1(o.none); }, {"[Conv1d]", "empty tensor"});
  t.add([&] { o.no_conv(o.line); }, {"[Conv1d]", "no weight", "without sizes"});
  t.add([&] { nn::Conv1d(3, 2, 3, {.padding = 5, .padding_mode = nn::PaddingMode::reflect})(o.line); },
        {"[Conv1d]", "more numbers than are added"});
  t.add([&] { nn::Conv2d(3, 2, 3, {.padding = "same", .padding_mode = nn::PaddingMode::circular})(o.row); },
        {"[Conv2d]", "(3,)"});
  t.add([&] { o.up(o.rows[0]); }, {"[ConvTranspose1d]", "(3,)"});
  t.add([&] { o.up.with_output_size(o.line, {9}); }, {"[ConvTranspose1d]", "output_size of 6 ... 6", "got 9"});
  t.add([&] { o.up.with_output_size(o.line, {6, 6}); }, {"[ConvTranspose1d]", "an extent for each", "(6, 6)"});
  t.add([&] { nn::MaxPool2d(9)(o.image); }, {"[MaxPool2d]", "9 numbers"});
  t.add([&] { nn::MaxPool2d(2)(o.rows); }, {"[MaxPool2d]", "(2, 3)"});
  t.add([&] { nn::AvgPool1d(2, {.padding = 2})(o.line); }, {"[AvgPool1d]", "half of the kernel"});
  t.add([&] { nn::AdaptiveAvgPool2d({1, 2, 3})(o.image); }, {"[AdaptiveAvgPool2d]", "output_size", "each of 2"});
  t.add([&] { nn::AdaptiveAvgPool2d(-2)(o.image); }, {"[AdaptiveAvgPool2d]", "got -2"});
  t.add([&] { nn::AdaptiveMaxPool1d(3)(o.image); }, {"[AdaptiveMaxPool1d]", "(2, 3, 5, 4)"});
  t.add([&] { nn::AdaptiveMaxPool1d(3)(ones({2, 3, 0})); }, {"[AdaptiveMaxPool1d]", "(2, 3, 0)"});
  t.add([&] { nn::AdaptiveMaxPool2d{huge}(o.image); }, {"[AdaptiveMaxPool2d]", "too large"});
  t.add([&] { nn::AdaptiveAvgPool1d(3)(o.whole); }, {"[AdaptiveAvgPool1d]", "expected floats, got i64"});
  t.add([&] { nn::AdaptiveAvgPool1d(3)(o.none); }, {"[AdaptiveAvgPool1d]", "empty"});
  t.add([&] { o.batch1(o.image); }, {"[BatchNorm1d]", "[batch, channels, length]", "(2, 3, 5, 4)"});
  t.add([&] { o.batch1(ones({2, 4})); }, {"[BatchNorm1d]", "3 channels", "(2, 4)"});
  t.add([&] { o.batch1(ones({1, 3})); }, {"[BatchNorm1d]", "more than one number a channel", "nn::eval"});
  t.add([&] { o.batch2(o.line); }, {"[BatchNorm2d]", "height, width", "(2, 3, 5)"});
  t.add([&] { o.batch2(o.none); }, {"[BatchNorm2d]", "empty"});
  t.add([&] { o.batch2(cast(o.image, i64)); }, {"[BatchNorm2d]", "expected floats"});
  t.add([&] { o.no_batch(o.rows); }, {"[BatchNorm1d]", "without a number of channels"});
  t.add([&] { o.instance(ones({2, 3, 1})); }, {"[InstanceNorm1d]", "more than one number"});
  t.add([&] { o.instance(o.image); }, {"[InstanceNorm1d]", "one example of that"});
  t.add([&] { o.layer(o.rows); }, {"[LayerNorm]", "(5,)", "(2, 3)"});
  t.add([&] { o.layer(tensor(1.0f)); }, {"[LayerNorm]", "normalized_shape"});
  t.add([&] { o.no_layer(o.rows); }, {"[LayerNorm]", "without sizes"});
  t.add([&] { o.rms(o.rows); }, {"[RMSNorm]", "(5,)"});
  t.add([&] { o.group(o.row); }, {"[GroupNorm]", "(3,)"});
  t.add([&] { o.group(ones({2, 4})); }, {"[GroupNorm]", "3 channels"});
  t.add([&] { o.no_group(o.rows); }, {"[GroupNorm]", "without sizes"});
  t.add([&] { o.bilinear(o.rows, o.rows); }, {"[Bilinear]", "3 and 4 numbers", "(2, 3) and (2, 3)"});
  t.add([&] { o.bilinear(o.rows, ones({3, 4})); }, {"[Bilinear]", "alike", "(2, 3) and (3, 4)"});
  t.add([&] { o.bilinear(o.rows, o.none); }, {"[Bilinear]", "empty"});
  t.add([&] { o.no_bilinear(o.rows, o.rows); }, {"[Bilinear]", "no weight"});
  t.add([&] { o.table(tensor({0, 3})); }, {"[Embedding]", "index 3"});
  t.add([&] { o.table(o.rows); }, {"[Embedding]", "i64"});
  t.add([&] { o.no_table(o.index); }, {"[Embedding]", "expected a table"});
  t.add([&] { o.bag(o.flat); }, {"[EmbeddingBag]", "offsets"});
  t.add([&] { o.bag(o.flat, {.offsets = tensor({1, 2})}); }, {"[EmbeddingBag]", "begin with 0"});
  t.add([&] { o.bag(o.flat, {.offsets = tensor({0, 2, 1})}); }, {"[EmbeddingBag]", "ascend"});
  t.add([&] { o.bag(o.flat, {.offsets = tensor({0, 9})}); }, {"[EmbeddingBag]", "to 3 at most"});
  t.add([&] { o.bag(o.flat, {.offsets = tensor({0.0, 1.0})}); }, {"[EmbeddingBag]", "i64"});
  const nn::EmbeddingBag last(3, 2, {.include_last_offset = true});
  t.add([&] { last(o.flat, {.offsets = tensor({0, 2})}); }, {"[EmbeddingBag]", "3 as the last offset", "got 2"});
  t.add([&] { last(o.flat, {.offsets = zeros({0}, i64)}); }, {"[EmbeddingBag]", "3 as the last offset", "no offsets"});
  t.add([&] { o.bag(o.index, {.offsets = tensor({0})}); }, {"[EmbeddingBag]", "leave the offsets out"});
  t.add([&] { o.bag(o.index, {.per_sample_weights = ones({2, 2})}); }, {"[EmbeddingBag]", "mode sum"});
  t.add([&] { o.sums(o.index, {.per_sample_weights = ones({4})}); }, {"[EmbeddingBag]", "(2, 2), got (4,)"});
  t.add([&] { o.bag(ones({2, 2, 2}, i64)); }, {"[EmbeddingBag]", "(2, 2, 2)"});
  t.add([&] { o.bag(o.none); }, {"[EmbeddingBag]", "empty"});
  t.add([&] { o.no_bag(o.index); }, {"[EmbeddingBag]", "expected a table"});
  t.add([&] { o.prelu(o.rows); }, {"[PReLU]", "each channel", "(2, 3)"});
  t.add([&] { o.normed(ones({2, 4})); }, {"[Linear]", "3 numbers"});
  t.add([&] { o.spectral(ones({2, 3}, i64)); }, {"[Linear]", "expected floats"});
  t.check();
}

BOOST_AUTO_TEST_CASE(activations_and_shapes) {
  const Objects o{};
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { nn::Hardtanh{1, 1}(o.row); }, {"[hardtanh]", "min_val < max_val"});
  t.add([&] { nn::CELU{0}(o.row); }, {"[celu]", "alpha"});
  t.add([&] { nn::Softshrink{-1}(o.row); }, {"[softshrink]", "lambda of 0 or more"});
  t.add([&] { nn::hardshrink(o.row, nan_); }, {"[hardshrink]", "lambda"});
  t.add([&] { nn::threshold(o.row, 0, 1e60); }, {"[threshold]", "value", "range of f32"});
  t.add([&] { nn::GLU{}(o.rows); }, {"[glu]", "even number along axis -1", "(2, 3)"});
  t.add([&] { nn::Softmax2d{}(o.rows); }, {"[Softmax2d]", "(2, 3)"});
  t.add([&] { nn::RReLU{.lower = 2, .upper = 1}(o.row); }, {"[rrelu]", "lower <= upper"});
  t.add([&] { nn::mish(o.none); }, {"[mish]", "empty"});
  t.add([&] { nn::Hardswish{}(o.none); }, {"[hardswish]", "empty"});
  t.add([&] { nn::prelu(o.row, o.none); }, {"[prelu]", "empty"});
  t.add([&] { nn::Dropout2d{}(o.row); }, {"[dropout2d]", "[batch, channels, height, width]", "(3,)"});
  t.add([&] { nn::Dropout1d{.p = 2}(o.line); }, {"[dropout1d]", "probability in [0, 1], got 2"});
  t.add([&] { nn::AlphaDropout{}(o.none); }, {"[alpha_dropout]", "empty"});
  t.add([&] { nn::Flatten{2, 1}(o.image); }, {"[Flatten]", "from 2 to 1"});
  t.add([&] { nn::Flatten{5}(o.image); }, {"[Flatten]"});
  t.add([&] { nn::Unflatten{1, {2, 2}}(o.line); }, {"[Unflatten]", "product is 3", "(2, 2)"});
  t.add([&] { nn::Unflatten{1, {-1, -1}}(o.line); }, {"[Unflatten]"});
  t.add([&] { nn::Unflatten{4, {1}}(o.line); }, {"[Unflatten]"});
  t.add([&] { nn::PixelShuffle{2}(o.image); }, {"[pixel_shuffle]", "2^2 channels", "(2, 3, 5, 4)"});
  t.add([&] { nn::PixelShuffle{0}(o.image); }, {"[pixel_shuffle]", "upscale_factor"});
  t.add([&] { nn::PixelUnshuffle{2}(o.image); }, {"[pixel_unshuffle]", "that 2 divides"});
  t.add([&] { nn::ChannelShuffle{2}(o.image); }, {"[channel_shuffle]", "that 2 divides"});
  t.add([&] { nn::pad(o.rows, {1}); }, {"[pad]", "two numbers for each axis", "(1,)"});
  t.add([&] { nn::pad(o.rows, {1, 1, 1, 1, 1, 1}); }, {"[pad]", "4 at most"});
  t.add([&] { nn::ZeroPad2d(-3)(o.image); }, {"[ZeroPad2d]", "as many numbers as are cut off"});
  t.add([&] { nn::ReflectionPad1d(5)(o.line); }, {"[ReflectionPad1d]", "more numbers than are added"});
  t.add([&] { nn::ReflectionPad1d(-1)(o.line); }, {"[ReflectionPad1d]", "0 or more"});
  t.add([&] { nn::ReplicationPad1d(1)(ones({2, 3, 0})); }, {"[ReplicationPad1d]", "at least one"});
  t.add([&] { nn::CircularPad1d(6)(o.line); }, {"[CircularPad1d]", "as many numbers"});
  t.add([&] { nn::ConstantPad1d(1, 0.5)(o.whole); }, {"[ConstantPad1d]", "0.5"});
  t.add([&] { nn::Upsample({})(o.image); }, {"[Upsample]", "a size or a scale_factor"});
  t.add([&] { nn::Upsample({.size = 2, .scale_factor = 2})(o.image); }, {"[Upsample]", "not both"});
  t.add([&] { nn::Upsample({.size = {2, 3, 4}})(o.image); }, {"[Upsample]", "each of 2, got 3"});
  t.add([&] { nn::Upsample({.scale_factor = 0.1})(o.image); }, {"[Upsample]", "with numbers along axis 2"});
  t.add([&] { nn::Upsample({.scale_factor = nan_})(o.image); }, {"[Upsample]", "with numbers"});
  t.add([&] { nn::Upsample({.scale_factor = 1e30})(o.image); }, {"[Upsample]"});
  t.add([&] { nn::Upsample({.size = 4, .mode = nn::Interpolation::bicubic})(o.line); }, {"[Upsample]", "two axes"});
  t.add([&] { nn::Upsample({.size = 4, .mode = nn::Interpolation::linear})(o.whole); },
        {"[Upsample]", "expected floats"});
  t.add([&] { nn::Upsample({.size = 4})(o.rows); }, {"[Upsample]", "(2, 3)"});
  t.check();
}
