// xgrad's side: optimizers and training, as a user writes them.
#include <memory>

#include <xgrad/autodiff.hpp>
#include "bench/worker.hpp"
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

namespace bench {
namespace {

using namespace xgrad;

struct Net {
  nn::Linear hidden, output;
  bool tanh;

  explicit Net(const Network& network)
      : hidden(network.in, network.hidden), output(network.hidden, network.out), tanh(network.tanh) {
    hidden.weight = tensor(network.weight1(), {network.hidden, network.in});
    hidden.bias = tensor(network.bias1());
    output.weight = tensor(network.weight2(), {network.out, network.hidden});
    output.bias = tensor(network.bias2());
  }
  Tensor operator()(const Tensor& x) const { return output(tanh ? xgrad::tanh(hidden(x)) : relu(hidden(x))); }

  XGRAD_FIELDS(hidden, output)
};

Work steps_of(const Network& network) {
  return {network.name, [=] {
            struct State {
              Net net;
              optim::Adam optimizer;
              Tensor points, labels, loss;
              explicit State(const Network& network)
                  : net(network),
                    optimizer(nn::parameters(net), {.lr = adam_rate}),
                    points(tensor(network.points(), {network.batch, network.in})),
                    labels(tensor(network.labels())) {}
            };
            auto s = std::make_shared<State>(network);
            return Running{[=] {
                             s->loss = nn::cross_entropy(s->net(s->points), s->labels);
                             s->optimizer.zero_grad();
                             s->loss.backward();
                             s->optimizer.step();
                           },
                           [=] {
                             std::vector<double> numbers{s->loss.item()};
                             for (const auto& [name, variable] : nn::state_dict(s->net))
                               numbers.push_back(mean(abs(variable)).item());
                             return numbers;
                           }};
          }};
}

Work adam_alone(const std::string& name, int count, std::size_t n) {
  return {name, [=] {
            auto w = std::make_shared<std::vector<Parameter>>();
            Parameters all;
            w->reserve(count);
            for (int i = 0; i < count; ++i) {
              w->push_back(parameter(tensor(uniform(n, -1, 1, i))));
              w->back().set_grad(tensor(uniform(n, -1, 1, 1000 + i)));
              all.add(std::to_string(i), w->back());
            }
            auto optimizer = std::make_shared<optim::Adam>(all, optim::AdamRule{.lr = adam_rate});
            return Running{[=] { optimizer->step(); },
                           [=] { return sample(w->back().value().to_vector<float>().data(), n); }};
          }};
}

Work mnist() {
  return {"mnist", [] {
            const auto images = std::make_shared<data::Split>(data::mnist(data_folder()));
            auto accuracy = std::make_shared<double>(0);
            return Running{[=] {
                             Net net(mnist_network);
                             optim::Adam optimizer(nn::parameters(net), {.lr = adam_rate});
                             data::DataLoader batches(images->train,
                                                      {.batch_size = mnist_network.batch, .shuffle = true, .seed = 1});
                             for (int epoch = 0; epoch < mnist_epochs; ++epoch)
                               for (const auto& batch : batches) {
                                 const Tensor loss = nn::cross_entropy(net(batch[0]), batch[1]);
                                 optimizer.zero_grad();
                                 loss.backward();
                                 optimizer.step();
                               }
                             NoGrad no_grad;
                             const Tensor picked = argmax(net(images->test.inputs), 1);
                             *accuracy = mean(cast(picked == images->test.labels, f32)).item();
                           },
                           [=] { return std::vector<double>{*accuracy}; }};
          }};
}

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  std::vector<Work> works;
  add_ops(works);
  add_convolutions(works);
  add_layers(works);
  add_parts(works);
  add_sequences(works);
  add_own(works);
  add_minimisers(works);
  add_optimizers(works);
  for (const Network& network : networks) works.push_back(steps_of(network));
  works.push_back(adam_alone("adam.2^20", 1, million));
  works.push_back(adam_alone("adam.200x64", 200, 64));
  if (data_folder()) works.push_back(mnist());
  return serve(works);
}
