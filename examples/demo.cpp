// Trains two small classifiers on data made by code: three spirals in the plane, and images of digits. Writes the
// models, the loss curves and the decision regions to a folder.
//   demo [--quick] [folder]
#include <filesystem>
#include <string>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

using namespace xgrad;

struct SpiralNet {
  nn::Linear hidden{2, 64}, middle{64, 64}, output{64, 3};

  Tensor operator()(const Tensor& x) const { return output(tanh(middle(tanh(hidden(x))))); }

  XGRAD_FIELDS(hidden, middle, output)
};

struct DigitNet {
  nn::Linear hidden{14 * 14, 64}, output{64, 10};

  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }

  XGRAD_FIELDS(hidden, output)
};

struct Job {
  std::string name, folder;
  Size epochs;
  double lr;
};

// Trains a model, says how well it does on rows that it has not seen, and writes what there is to write.
template <class Net>
double run(Net& net, const data::Split& rows, const Job& job) {
  fmt::print("\n{}: {} rows to train on, {} to test\n{}\n", job.name, rows.train.labels.numel(),
             rows.test.labels.numel(), nn::summary(net));
  data::DataLoader batches(rows.train, {.batch_size = 64, .shuffle = true, .seed = 1});
  optim::AdamW optimizer(nn::parameters(net), {.lr = job.lr, .weight_decay = 1e-4});
  optim::CosineAnnealing schedule(optimizer, {.steps = job.epochs});
  const training::History history =
      training::fit(net, optimizer, batches, {.epochs = job.epochs, .after_epoch = [&](const training::Epoch&) {
                                                schedule.step();
                                                return true;
                                              }});
  const std::string base = job.folder + "/" + job.name;
  nn::save(net, base + ".safetensors");
  fmt::print("wrote {}.safetensors\n", base);
  if (training::can_plot()) {
    training::plot_history(history, base + "-loss.png", job.name);
    fmt::print("wrote {}-loss.png\n", base);
    if (rows.train.inputs.size(1) == 2) {
      training::plot_regions(net, rows.train, base + "-regions.png", job.name);
      fmt::print("wrote {}-regions.png\n", base);
    }
  }
  return training::accuracy(net, rows.test);
}

int main(int count, char** arguments) {
  bool quick = false;
  std::string folder = "demo-out";
  for (int i = 1; i < count; ++i) {
    if (std::string(arguments[i]) == "--quick") quick = true;
    else folder = arguments[i];
  }
  std::filesystem::create_directories(folder);

  manual_seed(7);
  SpiralNet spirals;
  const data::Split points =
      data::split(data::shuffled(data::spirals({.classes = 3, .points_per_class = 250, .noise = 0.1})), 600);
  const double on_spirals = run(spirals, points, {"spirals", folder, quick ? 40 : 80, 5e-3});

  DigitNet digits;
  const data::Split images = data::split(data::digits({.images_per_class = quick ? 150 : 400}), quick ? 1200 : 3200);
  const double on_digits = run(digits, images, {"digits", folder, quick ? 8 : 15, 3e-3});

  fmt::print("\naccuracy on rows not trained on: spirals {:.3f}, digits {:.3f}\n", on_spirals, on_digits);
  return on_spirals > 0.93 && on_digits > 0.93 ? 0 : 1;
}
