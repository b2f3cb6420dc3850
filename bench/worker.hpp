// A worker runs one side of the benchmarks and answers the driver, line by line, on its standard input and output:
//   names            the work it knows
//   result NAME      per way of doing it: the numbers after three repeats, for comparison with the other sides
//   run NAME N       the seconds that N repeats of the fastest way take, by the clock and of processor time
//   count NAME       what one repeat counts (Running::count)
//   counted NAME     does it once, when it is warm, in a function whose instructions ./dev gate counts
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

// Work set up and ready: `repeat` does it once, `result` reads what the last repeat left.
struct Running {
  std::function<void()> repeat;
  std::function<std::vector<double>()> result;
  std::function<double()> count = {};
};

// Several of one name are several ways to do the same; the fastest counts.
struct Work {
  std::string name;
  std::function<Running()> make;
};

int serve(const std::vector<Work>& works);
void add_ops(std::vector<Work>& works);           // formulas: each side's *_ops.cpp
void add_convolutions(std::vector<Work>& works);  // each side's *_convolutions.cpp
void add_layers(std::vector<Work>& works);        // networks of images, normalisation: *_layers.cpp
void add_parts(std::vector<Work>& works);         // losses, activations, a table, inference: *_parts.cpp
void add_sequences(std::vector<Work>& works);     // each side's *_sequences.cpp
void add_own(std::vector<Work>& works);           // what a user writes: *_own.cpp
void add_minimisers(std::vector<Work>& works);    // xgrad_minimize.cpp
void add_nist(std::vector<Work>& works);          // hand_nist.cpp, where Ceres is installed
void add_optimizers(std::vector<Work>& works);    // each side's *_optimizers.cpp, of optimizers.def

// The same inputs on every side: uniform numbers in [low, high), by a linear congruential generator.
inline std::vector<float> uniform(std::size_t n, double low, double high, std::uint64_t seed) {
  std::vector<float> numbers(n);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (float& number : numbers) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    number = static_cast<float>(low + (high - low) * static_cast<double>(state >> 40) * 0x1p-24);
  }
  return numbers;
}

// A network of two layers, in - hidden - out, and a batch for it.
struct Network {
  const char* name;
  std::int64_t in, hidden, out, batch;
  bool tanh;  // between the layers; else relu

  double bound(std::int64_t fan_in) const;  // 1 / sqrt(fan_in)
  std::vector<float> weight1() const { return uniform(in * hidden, -bound(in), bound(in), 1); }
  std::vector<float> bias1() const { return uniform(hidden, -bound(in), bound(in), 2); }
  std::vector<float> weight2() const { return uniform(hidden * out, -bound(hidden), bound(hidden), 3); }
  std::vector<float> bias2() const { return uniform(out, -bound(hidden), bound(hidden), 4); }
  std::vector<float> points() const { return uniform(batch * in, -1, 1, 5); }
  std::vector<std::int64_t> labels() const;
};
inline constexpr Network networks[] = {{"mlp.2-16-2", 2, 16, 2, 32, true},
                                       {"mlp.784-128-10", 784, 128, 10, 64, false},
                                       {"mlp.1024-1024-1024", 1024, 1024, 1024, 256, false}};
inline constexpr Network mnist_network{"mnist", 784, 128, 10, 64, false};
inline constexpr int mnist_epochs = 10;
inline constexpr int mnist_train = 8000;  // the others are for testing

// A convolution with its bias, of a kernel of 3 x 3 and a padding of 1: the result, and the gradients of all operands.
struct Convolution {
  const char* name;
  std::int64_t images, in, out, side;

  std::vector<float> image() const { return uniform(static_cast<std::size_t>(images * in * side * side), -1, 1, 1); }
  std::vector<float> weight() const { return uniform(static_cast<std::size_t>(out * in * 9), -0.3, 0.3, 2); }
  std::vector<float> bias() const { return uniform(static_cast<std::size_t>(out), -1, 1, 3); }
  std::vector<float> cotangent() const {
    return uniform(static_cast<std::size_t>(images * out * side * side), -1, 1, 4);
  }
};
inline constexpr Convolution convolutions[] = {
    {"conv.64x1x28x28", 64, 1, 8, 28}, {"conv.32x16x28x28", 32, 16, 32, 28}, {"conv.16x64x32x32", 16, 64, 64, 32}};

// A network of images 28 x 28: two convolutions, each with relu and a pool of 2 x 2; then dense layers with relu between, and classes.
struct ImageNetwork {
  const char* name;
  std::int64_t batch, channels[3], kernel, padding;
  std::vector<std::int64_t> dense;  // 10 at the end

  std::vector<float> points() const { return uniform(static_cast<std::size_t>(batch * 28 * 28), 0, 1, 20); }
  std::vector<std::int64_t> labels() const {
    std::vector<std::int64_t> all;
    for (std::int64_t i = 0; i < batch; ++i) all.push_back(i * 7 % 10);
    return all;
  }
  static std::vector<float> weights(std::int64_t count, std::int64_t fan_in, std::uint64_t seed) {
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    return uniform(static_cast<std::size_t>(count), -bound, bound, seed);
  }
};
inline const ImageNetwork image_networks[] = {{"images.1-8-16", 64, {1, 8, 16}, 3, 1, {16 * 7 * 7, 10}},
                                              {"images.lenet5", 64, {1, 6, 16}, 5, 0, {256, 120, 84, 10}}};

// Normalisation of rows, with a weight and a bias: the result, and the gradients of all.
struct Norm {
  static constexpr std::int64_t rows = 256, width = 1024;
  static std::vector<float> x() { return uniform(rows * width, -2, 2, 1); }
  static std::vector<float> weight() { return uniform(width, 0.5, 1.5, 2); }
  static std::vector<float> bias() { return uniform(width, -1, 1, 3); }
  static std::vector<float> cotangent() { return uniform(rows * width, -1, 1, 4); }
};

// Softmax with cross entropy, of rows of logits.
struct Logits {
  static constexpr std::int64_t rows = 256, classes = 1000;
  static std::vector<float> x() { return uniform(rows * classes, -3, 3, 1); }
  static std::vector<std::int64_t> labels() {
    std::vector<std::int64_t> all;
    for (std::int64_t i = 0; i < rows; ++i) all.push_back(i * 37 % classes);
    return all;
  }
};

// gelu(x + bias)
struct Biased {
  static constexpr std::int64_t rows = 256, width = 4096;
  static std::vector<float> x() { return uniform(rows * width, -2, 2, 1); }
  static std::vector<float> bias() { return uniform(width, -1, 1, 2); }
  static std::vector<float> cotangent() { return uniform(rows * width, -1, 1, 3); }
};
inline constexpr int inferences = 16;  // a repeat

// Sequences [steps, batch, in], and what a layer makes of them, [steps, batch, out].
struct Sequences {
  const char* name;
  std::int64_t batch, steps, in, out;

  std::vector<float> numbers(std::int64_t width, std::uint64_t seed) const {
    return uniform(static_cast<std::size_t>(steps * batch * width), -1, 1, seed);
  }
};
inline constexpr Sequences lstm_work{"lstm", 16, 50, 32, 64}, gru_work{"gru", 16, 50, 32, 64};
inline constexpr Sequences transformer_work{"transformer", 16, 64, 128, 128};  // of 4 heads and 512 numbers within

// A Poisson regression: sum(exp(x w) - y x w)
struct Poisson {
  std::int64_t rows = 400, columns = 91;
  std::vector<float> x() const { return uniform(static_cast<std::size_t>(rows * columns), -1, 1, 1); }
  std::vector<float> y() const { return uniform(static_cast<std::size_t>(rows), 0, 5, 2); }
  std::vector<float> w() const { return uniform(static_cast<std::size_t>(columns), -0.1, 0.1, 3); }
};

// A table, some rows of which are picked.
struct Table {
  static constexpr std::int64_t rows = 100'000, width = 64;
  static std::vector<float> numbers() { return uniform(static_cast<std::size_t>(rows * width), -1, 1, 1); }
  static std::vector<std::int64_t> picked() {
    std::vector<std::int64_t> index;
    for (std::int64_t i = 0; i < 256; ++i) index.push_back(i * 389 % rows);
    return index;
  }
};

inline constexpr double lion_rate = 1e-4;
inline constexpr double adam_rate = 1e-3;
inline constexpr std::size_t million = 1 << 20;
inline constexpr int chain_length = 10;  // of two ops each
inline constexpr int loop_steps[] = {100, 200, 400, 800};
inline constexpr std::size_t loop_size = 100000;

// A few of many numbers: the first, the last, some between, and the sum.
std::vector<double> sample(const float* numbers, std::size_t n);

const char* data_folder();  // XGRAD_DATA; null where it is not set

// MNIST's test set, from the IDX files in the data folder.
struct Images {
  std::vector<float> pixels;  // [n, 784], 0 to 1
  std::vector<std::int64_t> labels;
};
Images read_mnist();

}  // namespace bench
