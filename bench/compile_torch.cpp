// The peer of compile_xgrad.cpp: the same program with libtorch.
#include <torch/torch.h>

#include <cmath>
#include <iostream>
#include <utility>

struct SpiralNetImpl : torch::nn::Module {
  torch::nn::Linear hidden{nullptr}, middle{nullptr}, output{nullptr};

  SpiralNetImpl() {
    hidden = register_module("hidden", torch::nn::Linear(2, 64));
    middle = register_module("middle", torch::nn::Linear(64, 64));
    output = register_module("output", torch::nn::Linear(64, 3));
  }
  torch::Tensor forward(torch::Tensor x) { return output(torch::tanh(middle(torch::tanh(hidden(x))))); }
};
TORCH_MODULE(SpiralNet);

std::pair<torch::Tensor, torch::Tensor> spirals(int classes, int points_per_class, double noise) {
  std::vector<torch::Tensor> points, labels;
  for (int c = 0; c < classes; ++c) {
    const torch::Tensor radius = torch::linspace(0.05, 1, points_per_class);
    const torch::Tensor angle = 2 * M_PI * c / classes + 4 * radius + noise * torch::randn({points_per_class});
    points.push_back(torch::stack({radius * torch::cos(angle), radius * torch::sin(angle)}, 1));
    labels.push_back(torch::full({points_per_class}, c, torch::kLong));
  }
  return {torch::cat(points), torch::cat(labels)};
}

double accuracy(SpiralNet& net, const torch::Tensor& points, const torch::Tensor& labels) {
  torch::NoGradGuard no_grad;
  return net(points).argmax(1).eq(labels).to(torch::kFloat).mean().item<double>();
}

int main() {
  torch::manual_seed(7);
  const auto [points, labels] = spirals(3, 200, 0.1);

  SpiralNet net;
  torch::optim::AdamW optimizer(net->parameters(), torch::optim::AdamWOptions(3e-3).weight_decay(1e-4));

  for (int epoch = 0; epoch < 80; ++epoch) {
    for (auto& group : optimizer.param_groups())
      static_cast<torch::optim::AdamWOptions&>(group.options()).lr(3e-3 * (1 + std::cos(M_PI * epoch / 80)) / 2);
    const torch::Tensor order = torch::randperm(points.size(0));
    for (int64_t at = 0; at < points.size(0); at += 64) {
      const torch::Tensor rows = order.slice(0, at, at + 64);
      const torch::Tensor loss =
          torch::nn::functional::cross_entropy(net(points.index_select(0, rows)), labels.index_select(0, rows));
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
    }
  }

  torch::save(net, "spirals.pt");
  SpiralNet reloaded;
  torch::load(reloaded, "spirals.pt");

  const double trained = accuracy(net, points, labels), restored = accuracy(reloaded, points, labels);
  std::cout << net << "\naccuracy " << trained << ", reloaded " << restored << "\n";
  return trained > 0.95 && trained == restored ? 0 : 1;
}
