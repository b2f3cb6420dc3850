// xgrad's side: networks of images, and normalisation, as a user writes them.
#include <memory>

#include <xgrad/autodiff.hpp>
#include "bench/worker.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

namespace bench {
namespace {

using namespace xgrad;

struct ImageNet {
  std::vector<nn::Conv2d> convolutions;
  std::vector<nn::Linear> dense;

  explicit ImageNet(const ImageNetwork& n) {
    std::uint64_t seed = 1;
    const auto fill = [&](auto& layer, const Shape& shape, Size fan_in) {
      layer.weight = tensor(n.weights(shape.numel(), fan_in, seed++), shape);
      layer.bias = tensor(n.weights(shape[0], fan_in, seed++));
    };
    for (int i = 0; i < 2; ++i) {
      convolutions.emplace_back(n.channels[i], n.channels[i + 1], n.kernel, nn::ConvOptions{.padding = n.padding});
      fill(convolutions.back(), {n.channels[i + 1], n.channels[i], n.kernel, n.kernel},
           n.channels[i] * n.kernel * n.kernel);
    }
    for (std::size_t i = 0; i + 1 < n.dense.size(); ++i) {
      dense.emplace_back(n.dense[i], n.dense[i + 1]);
      fill(dense.back(), {n.dense[i + 1], n.dense[i]}, n.dense[i]);
    }
  }
  Tensor operator()(Tensor x) const {
    for (const nn::Conv2d& convolution : convolutions) x = nn::max_pool2d(relu(convolution(x)), 2);
    x = flatten(x, 1);
    for (std::size_t i = 0; i < dense.size(); ++i) x = i + 1 < dense.size() ? relu(dense[i](x)) : dense[i](x);
    return x;
  }
  XGRAD_FIELDS(convolutions, dense)
};

Work steps_of(const ImageNetwork& network) {
  return {network.name, [=] {
            struct State {
              ImageNet net;
              optim::Adam optimizer;
              Tensor points, labels, loss;
              explicit State(const ImageNetwork& n)
                  : net(n),
                    optimizer(nn::parameters(net), {.lr = adam_rate}),
                    points(tensor(n.points(), {n.batch, 1, 28, 28})),
                    labels(tensor(n.labels())) {}
            };
            auto s = std::make_shared<State>(network);
            return Running{[=] {
                             s->optimizer.zero_grad();
                             s->loss = nn::cross_entropy(s->net(s->points), s->labels);
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

Work layer_norm() {
  return {"norm.256x1024", [] {
            struct State {
              Parameter x{tensor(Norm::x(), {Norm::rows, Norm::width})};
              nn::LayerNorm norm{Norm::width};
              Tensor g = tensor(Norm::cotangent(), {Norm::rows, Norm::width}), y;
            };
            auto s = std::make_shared<State>();
            s->norm.weight = tensor(Norm::weight());
            s->norm.bias = tensor(Norm::bias());
            return Running{
                [=] {
                  s->x.zero_grad(), nn::zero_grad(s->norm);
                  s->y = s->norm(s->x);
                  s->y.backward(s->g);
                },
                [=] {
                  std::vector<double> numbers;
                  for (const Tensor& t : {s->y, s->x.grad(), s->norm.weight.grad(), s->norm.bias.grad()})
                    for (const double number : sample(t.to_vector<float>().data(), static_cast<std::size_t>(t.numel())))
                      numbers.push_back(number);
                  return numbers;
                }};
          }};
}

}  // namespace

void add_layers(std::vector<Work>& works) {
  for (const ImageNetwork& network : image_networks) works.push_back(steps_of(network));
  works.push_back(layer_norm());
}

}  // namespace bench
