#include "bench/measure.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "bench/worker.hpp"

namespace bench {

// clang-format off
const std::vector<Row> rows = {
    {"20 ops of y = 0.99 y + x, 1 element", {"chain.1", "chain.1", nullptr}, 50},
    {"the same, libtorch by add(x, y, 0.99)", {"chain_fused.1", "chain.1", nullptr}},
    {"20 ops of y = y x + x, 1 element", {"chain_product.1", "chain_product.1", nullptr}, 40},
    {"y = 0.99 y + x, 4,096 elements", {"chain.4096", "chain.4096", "chain.4096"}, 15},
    {"y = 0.99 y + x, 2^20 elements", {"chain.2^20", "chain.2^20", "chain.2^20"}, 12},
    {"the same, libtorch by add(x, y, 0.99)", {"chain_fused.2^20", "chain.2^20", nullptr}},
    {"y = y x + x, 2^20 elements", {"chain_product.2^20", "chain_product.2^20", "chain_product.2^20"}},
    {"tanh-GELU formula, 2^20 elements", {"gelu.2^20", "gelu.2^20", "gelu.2^20"}, 8, 1.5},
    {"conv2d, 64 x 1 x 28 x 28, 8 filters 3 x 3", {"conv.64x1x28x28", "conv.64x1x28x28", nullptr}, 1},
    {"conv2d, 32 x 16 x 28 x 28, 32 filters 3 x 3", {"conv.32x16x28x28", "conv.32x16x28x28", nullptr}, 1},
    {"conv2d, 16 x 64 x 32 x 32, 64 filters 3 x 3", {"conv.16x64x32x32", "conv.16x64x32x32", nullptr}, 1},
    {"conv net 1-8-16, 28 x 28, batch 64, Adam", {"images.1-8-16", "images.1-8-16", nullptr}, 2},
    {"LeNet-5, 28 x 28, batch 64, Adam", {"images.lenet5", "images.lenet5", nullptr}, 0, 0, 1e-3, false, 64 * 50e-6},
    {"layer norm, 256 x 1024", {"norm.256x1024", "norm.256x1024", nullptr}, 2},
    {"softmax with cross entropy, 256 x 1000", {"cross_entropy.256x1000", "cross_entropy.256x1000", nullptr}, 2},
    {"bias and gelu, 256 x 4096", {"bias_gelu.256x4096", "bias_gelu.256x4096", nullptr}, 2},
    {"embedding, 256 rows of 100,000 x 64, SGD", {"embedding.256", "embedding.256", nullptr}, 50},
    {"the same, libtorch by sparse gradients", {"embedding_sparse.256", "embedding.256", nullptr}},
    {"MLP 784-128-10, 16 inferences of 1", {"inference.784-128-10", "inference.784-128-10", "inference.784-128-10"}, 5},
    {"the same by each of two threads at once", {"inference.two", "inference.two", nullptr}, 5, 0, 1e-3, false, 0, true},
    {"LSTM 32-64, 16 sequences of 50, Adam", {"lstm", "lstm", nullptr}, 3},
    {"GRU 32-64, 16 sequences of 50, Adam", {"gru", "gru", nullptr}, 3},
    {"transformer layer of 128, 4 heads, 16 sequences of 64, Adam", {"transformer", "transformer", nullptr}, 1.5},
    {"MLP 2-16-2, batch 32, Adam", {"mlp.2-16-2", "mlp.2-16-2", nullptr}, 30},
    {"MLP 784-128-10, batch 64, Adam", {"mlp.784-128-10", "mlp.784-128-10", "products.mlp.784-128-10"}, 1.5, 1.25, 1e-3, true},
    {"MLP 1024-1024-1024, batch 256, Adam", {"mlp.1024-1024-1024", "mlp.1024-1024-1024", "products.mlp.1024-1024-1024"}, 1.1, 1.1, 1e-3, true},
    {"Adam's step, 2^20 parameters", {"adam.2^20", "adam.2^20", "adam.2^20"}, 2.5, 1.2},
    {"Adam's step, 200 tensors of 64", {"adam.200x64", "adam.200x64", "adam.200x64"}, 150},
#define STEP(Name, torch, ...) \
    {#Name "'s step, 2^20 parameters", {torch, "step." #Name, "step." #Name}, static_cast<const char*>(torch) ? 1.0 : 0.0, 1.3},
#include "bench/optimizers.def"
    {"a user's own Lion, 2^20 parameters", {nullptr, "lion.2^20", "lion.2^20"}, 0, 1.3},
    {"a user's own Lion, 200 tensors of 64", {nullptr, "lion.200x64", "lion.200x64"}},
    {"Hessian, 91 parameters, 400 rows", {nullptr, "hessian.400x91", "hessian.400x91"}},
    {"SparseAdam, 256 rows of 100,000 x 64", {nullptr, "rows.256", "rows.256"}},
    {"L-BFGS, Rosenbrock 1,000, 45 evaluations", {nullptr, "lbfgs.rosenbrock", nullptr}},
    {"Levenberg-Marquardt, NIST's 54 fits; by Ceres", {nullptr, "nist", "nist"}, 0, 1, 5e-2},
    {"MNIST, 10 epochs of 8,000, loader included", {"mnist", "mnist", nullptr}, 2, 0, 2e-2},
};
// clang-format on

namespace {

std::string worker_path(const std::string& folder, Side side) {
  constexpr const char* names[] = {"bench_torch", "bench_xgrad", "bench_hand"};
  return folder + "/" + names[side];
}

Environment environment(int threads, const std::string& core_type) {
  const std::string n = std::to_string(threads);
  Environment variables{{"OMP_NUM_THREADS", n},   {"OPENBLAS_NUM_THREADS", n},         {"MKL_NUM_THREADS", n},
                        {"OMP_DYNAMIC", "false"}, {"OPENBLAS_CORETYPE", std::nullopt}, {"XGRAD_SIMD", std::nullopt}};
  if (!core_type.empty()) variables["OPENBLAS_CORETYPE"] = core_type;
  return variables;
}

// "1 2 ; 3 4 ; ": the numbers of each way.
std::vector<std::vector<double>> ways_of(const std::string& answer) {
  std::vector<std::vector<double>> ways(1);
  std::istringstream words(answer);
  for (std::string word; words >> word;)
    if (word == ";") ways.emplace_back();
    else ways.back().push_back(std::strtod(word.c_str(), nullptr));
  ways.pop_back();
  return ways;
}

void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(40)); }

}  // namespace

double median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t half = numbers.size() / 2;
  return numbers.size() % 2 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

Workers::Workers(const std::string& folder, int threads, const std::string& core_type, bool quick)
    : many_(threads > 1), quick_(quick) {
  for (const Side side : {torch, xgrad, hand}) {
    const std::string path = worker_path(folder, side);
    if (access(path.c_str(), X_OK) != 0) continue;
    // The peers get the core type that is best for them; xgrad finds its own. Which one is best differs from work to work (one
    // that is faster on large products may lay out all of the weights for one row): libtorch gets the best of each row.
    std::vector<std::string> types{side == xgrad ? "" : core_type};
    if (side == torch)
      for (const std::string& other : core_types())
        if (other != core_type) types.push_back(other);
    for (const std::string& type : types)
      sides_[side].workers.push_back(std::make_unique<Worker>(path, environment(threads, type)));
    sides_[side].names = " " + sides_[side].worker().ask("names");
  }
}

bool Workers::has(Side side, const char* work) const {
  return work && sides_[side].names.find(" " + std::string(work) + " ") != std::string::npos;
}
bool Workers::knows(const Row& row) const { return has(xgrad, row.work[xgrad]) && (many_ || !row.two); }

double Workers::run(Side side, const char* work, long repeats) {
  if (many_) pause();  // the threads of the side before stop spinning
  // Of one thread the processor's time is as good as the clock's, and other programs disturb it less.
  return sides_[side].worker().numbers(fmt::format("run {} {}", work, repeats)).at(many_ ? 0 : 1);
}

void Workers::pick_fastest(Side side, const char* work) {
  One& one = sides_[side];
  if (one.workers.size() < 2) return;
  std::vector<double> least(one.workers.size(), std::numeric_limits<double>::infinity());
  run(side, work, 1);
  const long repeats = std::clamp(static_cast<long>(0.01 / std::max(run(side, work, 1), 1e-9)), 1L, 1000L);
  constexpr int rounds = 4;  // the first one warms up
  for (int round = 0; round < rounds; ++round)
    for (one.fastest = 0; one.fastest < one.workers.size(); ++one.fastest)
      if (const double seconds = run(side, work, repeats); round > 0)
        least[one.fastest] = std::min(least[one.fastest], seconds);
  one.fastest = static_cast<std::size_t>(std::min_element(least.begin(), least.end()) - least.begin());
}

void Workers::compare(const Row& row) {
  std::vector<double> expected;
  std::string whose;
  for (const Side side : {torch, xgrad, hand}) {
    if (!has(side, row.work[side])) continue;
    if (side == hand && row.products) expected.clear();
    for (const std::vector<double>& numbers :
         ways_of(sides_[side].worker().ask(fmt::format("result {}", row.work[side])))) {
      if (expected.empty()) {
        expected = numbers;
        whose = side_names[side];
        continue;
      }
      bool same = numbers.size() == expected.size();
      for (std::size_t i = 0; same && i < numbers.size(); ++i)
        same = std::abs(numbers[i] - expected[i]) <= row.tolerance * (std::abs(expected[i]) + 1e-2);
      if (!same)
        throw std::runtime_error(fmt::format("{}: results differ: {} has {:.6g}, {} has {:.6g}", row.label, whose,
                                             fmt::join(expected, " "), side_names[side], fmt::join(numbers, " ")));
    }
  }
}

Workers::Timed Workers::time(const std::array<const char*, 3>& work, int least_rounds) {
  const double slice = quick_ ? 0.01 : 0.05;  // seconds of one side in a round
  std::vector<Side> sides;
  std::array<long, 3> repeats{};
  double round = 0;
  for (const Side side : {torch, xgrad, hand}) {
    if (!has(side, work[side])) continue;
    sides.push_back(side);
    pick_fastest(side, work[side]);
    run(side, work[side], 1);  // picks the fastest way, and warms up
    double seconds = run(side, work[side], repeats[side] = 1);
    while (seconds < slice / 2) {
      repeats[side] =
          std::max(2 * repeats[side], static_cast<long>(slice / 2 / std::max(seconds, 1e-9) * repeats[side]));
      seconds = run(side, work[side], repeats[side]);
    }
    repeats[side] = std::max(1L, static_cast<long>(static_cast<double>(repeats[side]) * slice / seconds));
    round += std::max(seconds, slice);
  }
  const int rounds = quick_ ? 3 : std::clamp(static_cast<int>(4 / round), least_rounds, 21);
  Timed timed;
  for (int i = 0; i < rounds; ++i) {
    for (const Side side : sides)
      timed.seconds[side].push_back(run(side, work[side], repeats[side]) / static_cast<double>(repeats[side]));
    std::reverse(sides.begin(), sides.end());
  }
  return timed;
}

Measured Workers::measure(const Row& row) {
  compare(row);
  const Timed timed = time(row.work);
  Measured measured{row.label, row.target, row.hand_target, many_ ? 0 : row.most};
  const auto ratio = [&](Side over, Side under) -> std::optional<double> {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < timed.seconds[over].size() && i < timed.seconds[under].size(); ++i)
      ratios.push_back(timed.seconds[over][i] / timed.seconds[under][i]);
    if (ratios.empty()) return std::nullopt;
    return median(ratios);
  };
  for (const Side side : {torch, xgrad, hand})
    if (!timed.seconds[side].empty()) measured.median[side] = median(timed.seconds[side]);
  measured.times_torch = ratio(torch, xgrad);
  measured.times_hand = ratio(xgrad, hand);
  return measured;
}

std::vector<LoopMeasured> Workers::measure_loop() {
  std::vector<LoopMeasured> measured;
  for (const int steps : loop_steps) {
    const std::string work = fmt::format("loop.{}", steps);
    const Row row{"loop", {work.c_str(), work.c_str(), nullptr}};
    if (steps == loop_steps[0]) compare(row);
    const Timed timed = time(row.work, 3);
    LoopMeasured one{.steps = steps, .torch = {}, .xgrad = median(timed.seconds[xgrad]) / steps, .nodes = 0};
    if (!timed.seconds[torch].empty()) one.torch = median(timed.seconds[torch]) / steps;
    one.nodes = sides_[xgrad].worker().numbers(fmt::format("count {}", work)).at(0) / steps;
    measured.push_back(one);
  }
  return measured;
}

std::vector<std::string> core_types() {
  std::vector<std::string> types{""};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) types.push_back(__builtin_cpu_is("amd") ? "Zen" : "Haswell");
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) types.push_back("SkylakeX");
#endif
  return types;
}

std::string best_core_type(const std::string& folder) {
  const std::vector<std::string> candidates = core_types();
  std::vector<std::unique_ptr<Worker>> workers;
  for (const std::string& candidate : candidates)
    workers.push_back(std::make_unique<Worker>(worker_path(folder, hand), environment(1, candidate)));
  const std::string work = "openblas.mlp.1024-1024-1024";
  if ((" " + workers[0]->ask("names")).find(" " + work + " ") == std::string::npos) return "";
  std::vector<double> least(candidates.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round < 8; ++round)
    for (std::size_t i = 0; i < candidates.size(); ++i)
      least[i] = std::min(least[i], workers[i]->numbers("run " + work + " 1").at(1));
  std::size_t best = 0;
  for (std::size_t i = 1; i < candidates.size(); ++i)
    if (least[i] < 0.95 * least[best]) best = i;  // what OpenBLAS picks stays unless another is clearly faster
  return candidates[best];
}

}  // namespace bench
