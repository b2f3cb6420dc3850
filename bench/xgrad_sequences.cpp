// xgrad's side: a step of training recurrent layers and a transformer's layer.
#include <memory>

#include <xgrad/autodiff.hpp>
#include "bench/worker.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

namespace bench {
namespace {

using namespace xgrad;

// forward(model, x) against a target, and Adam.
template <class Model, class F>
Work step_of(const Sequences& c, Model (*make)(const Sequences&), F forward) {
  return {c.name, [=] {
            struct State {
              Model model;
              optim::Adam optimizer;
              Tensor x, target, loss;
              State(const Sequences& c, Model made)
                  : model(std::move(made)),
                    optimizer(nn::parameters(model), {.lr = adam_rate}),
                    x(tensor(c.numbers(c.in, 1), {c.steps, c.batch, c.in})),
                    target(tensor(c.numbers(c.out, 2), {c.steps, c.batch, c.out})) {
                std::uint64_t seed = 3;
                for (const auto& p : nn::parameters(model))
                  p.assign(tensor(uniform(static_cast<std::size_t>(p.value().numel()), -0.125, 0.125, seed++),
                                  p.value().shape()));
              }
            };
            auto s = std::make_shared<State>(c, make(c));
            return Running{[=] {
                             s->loss = nn::mse_loss(forward(s->model, s->x), s->target);
                             s->optimizer.zero_grad();
                             s->loss.backward();
                             s->optimizer.step();
                           },
                           [=] {
                             std::vector<double> numbers{s->loss.item()};
                             for (const auto& [name, variable] : nn::state_dict(s->model))
                               numbers.push_back(mean(abs(variable)).item());
                             return numbers;
                           }};
          }};
}

}  // namespace

void add_sequences(std::vector<Work>& works) {
  const auto output = [](const auto& layer, const Tensor& x) { return layer(x).output; };
  works.push_back(step_of<nn::LSTM>(
      lstm_work, [](const Sequences& c) { return nn::LSTM(c.in, c.out); }, output));
  works.push_back(step_of<nn::GRU>(
      gru_work, [](const Sequences& c) { return nn::GRU(c.in, c.out); }, output));
  works.push_back(step_of<nn::TransformerEncoderLayer>(
      transformer_work,
      [](const Sequences& c) {
        return nn::TransformerEncoderLayer(c.in, 4, {.dim_feedforward = 4 * c.in, .dropout = 0});
      },
      [](const nn::TransformerEncoderLayer& layer, const Tensor& x) { return layer(x); }));
}

}  // namespace bench
