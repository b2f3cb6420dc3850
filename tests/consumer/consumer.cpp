// All the libraries from the installed package: a model of one layer learns y = 2 x - 1.
#include <cmath>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

int main() {
  manual_seed(1);
  const Tensor x = reshape(linspace(-1.0, 1.0, 64, f32), {64, 1});
  data::DataLoader batches({x, 2.0 * x - 1.0}, {.batch_size = 16, .shuffle = true, .seed = 1});
  nn::Linear line(1, 1);
  optim::Adam optimizer(nn::parameters(line), {.lr = 0.05});
  for (int epoch = 0; epoch < 100; ++epoch)
    for (const auto& batch : batches) {
      optimizer.zero_grad();
      nn::mse_loss(line(batch[0]), batch[1]).backward();
      optimizer.step();
    }
  fmt::print("y = {:.3f} x + {:.3f}\n", line.weight.item(), line.bias.item());
  return std::abs(line.weight.item() - 2) < 0.01 && std::abs(line.bias.item() + 1) < 0.01 ? 0 : 1;
}
