// Compiled for its time and memory: a small network on three spirals, mini-batches, AdamW with a cosine schedule, saved
// and loaded again. compile_torch.cpp is the same with libtorch.
#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

struct SpiralNet {
  nn::Linear hidden{2, 64}, middle{64, 64}, output{64, 3};

  Tensor operator()(const Tensor& x) const { return output(tanh(middle(tanh(hidden(x))))); }

  XGRAD_FIELDS(hidden, middle, output)
};

double accuracy(const SpiralNet& net, const Tensor& points, const Tensor& labels) {
  NoGrad no_grad;
  return mean(cast(argmax(net(points), 1) == labels, f32)).item();
}

int main() {
  manual_seed(7);
  const auto [points, labels] = data::spirals({.classes = 3, .points_per_class = 200, .noise = 0.1});
  data::DataLoader batches({points, labels}, {.batch_size = 64, .shuffle = true, .seed = 1});

  SpiralNet net;
  optim::AdamW optimizer(nn::parameters(net), {.lr = 3e-3, .weight_decay = 1e-4});
  optim::CosineAnnealing schedule(optimizer, {.steps = 80});

  for (int epoch = 0; epoch < 80; ++epoch) {
    for (const auto& batch : batches) {
      const Tensor loss = nn::cross_entropy(net(batch[0]), batch[1]);
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
    }
    schedule.step();
  }

  nn::save(net, "spirals.safetensors");
  SpiralNet reloaded;
  nn::load(reloaded, "spirals.safetensors");

  const double trained = accuracy(net, points, labels), restored = accuracy(reloaded, points, labels);
  fmt::print("{}\naccuracy {:.3f}, reloaded {:.3f}\n", nn::summary(net), trained, restored);
  return trained > 0.95 && trained == restored ? 0 : 1;
}
