// A network of 784-128-10 on real handwritten digits: MNIST's test set, 8,000 images to train on and 2,000 to test.
// Takes the folder that holds the files, or mnist_t10k/ with them, from XGRAD_DATA.
//   mnist [--quick]
#include <chrono>
#include <cstdlib>
#include <string>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

using namespace xgrad;

struct Net {
  nn::Linear hidden{784, 128}, output{128, 10};

  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }

  XGRAD_FIELDS(hidden, output)
};

int main(int count, char** arguments) {
  const char* folder = std::getenv("XGRAD_DATA");
  if (!folder || !*folder) {
    fmt::print("XGRAD_DATA is not set: no real images to train on\n");
    return 0;
  }
  const bool quick = count > 1 && std::string(arguments[1]) == "--quick";
  const data::Split images = data::mnist(folder);

  manual_seed(1);
  Net net;
  data::DataLoader batches(images.train, {.batch_size = 64, .shuffle = true, .seed = 1});
  optim::Adam optimizer(nn::parameters(net));
  const auto began = std::chrono::steady_clock::now();
  training::fit(net, optimizer, batches, {.epochs = quick ? 3 : 10});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();

  const double accuracy = training::accuracy(net, images.test);
  fmt::print("{:.2f} s, accuracy on the other {} images: {:.4f}\n", seconds, images.test.labels.numel(), accuracy);
  return accuracy >= (quick ? 0.90 : 0.94) ? 0 : 1;
}
