// libtorch's side: a step of training recurrent layers and a transformer's layer.
#include <torch/torch.h>

#include "bench/torch.hpp"

namespace bench {
namespace {

using at::Tensor;

template <class Module, class F>
Work step_of(const Sequences& c, Module (*make)(const Sequences&), F forward) {
  return {c.name, [=] {
            struct State {
              Module model;
              torch::optim::Adam optimizer;
              Tensor x, target, loss;
            };
            Module model = make(c);
            std::uint64_t seed = 3;
            {
              torch::NoGradGuard no_grad;
              for (Tensor& p : model->parameters())
                p.copy_(tensor(uniform(static_cast<std::size_t>(p.numel()), -0.125, 0.125, seed++), p.sizes()));
            }
            auto s = std::make_shared<State>(
                State{model, torch::optim::Adam(model->parameters(), torch::optim::AdamOptions(adam_rate)),
                      tensor(c.numbers(c.in, 1), {c.steps, c.batch, c.in}),
                      tensor(c.numbers(c.out, 2), {c.steps, c.batch, c.out}), Tensor()});
            return Running{[=] {
                             s->loss = at::mse_loss(forward(s->model, s->x), s->target);
                             for (Tensor& p : s->model->parameters()) p.mutable_grad() = Tensor();
                             s->loss.backward();
                             s->optimizer.step();
                           },
                           [=] {
                             std::vector<double> numbers{s->loss.template item<double>()};
                             for (const Tensor& p : s->model->parameters())
                               numbers.push_back(at::mean(at::abs(p)).template item<double>());
                             return numbers;
                           }};
          }};
}

}  // namespace

void add_sequences(std::vector<Work>& works) {
  const auto output = [](auto& layer, const Tensor& x) { return std::get<0>(layer->forward(x)); };
  works.push_back(step_of<torch::nn::LSTM>(
      lstm_work, [](const Sequences& c) { return torch::nn::LSTM(c.in, c.out); }, output));
  works.push_back(step_of<torch::nn::GRU>(
      gru_work, [](const Sequences& c) { return torch::nn::GRU(c.in, c.out); }, output));
  works.push_back(step_of<torch::nn::TransformerEncoderLayer>(
      transformer_work,
      [](const Sequences& c) {
        return torch::nn::TransformerEncoderLayer(
            torch::nn::TransformerEncoderLayerOptions(c.in, 4).dim_feedforward(4 * c.in).dropout(0));
      },
      [](torch::nn::TransformerEncoderLayer& layer, const Tensor& x) { return layer->forward(x); }));
}

}  // namespace bench
