// libtorch's side: networks of images, and normalisation.
#include <torch/torch.h>

#include "bench/torch.hpp"

namespace bench {
namespace {

using at::Tensor;

struct ImageNet {
  ImageNetwork shape;
  std::vector<Tensor> w;  // weight, bias, weight, bias, ...

  explicit ImageNet(const ImageNetwork& n) : shape(n) {
    std::uint64_t seed = 1;
    const auto add = [&](std::vector<std::int64_t> extents, std::int64_t fan_in) {
      std::int64_t count = 1;
      for (const std::int64_t e : extents) count *= e;
      w.push_back(tensor(n.weights(count, fan_in, seed), extents).requires_grad_(true));
      w.push_back(tensor(n.weights(extents[0], fan_in, seed + 1), {extents[0]}).requires_grad_(true));
      seed += 2;
    };
    for (int i = 0; i < 2; ++i)
      add({n.channels[i + 1], n.channels[i], n.kernel, n.kernel}, n.channels[i] * n.kernel * n.kernel);
    for (std::size_t i = 0; i + 1 < n.dense.size(); ++i) add({n.dense[i + 1], n.dense[i]}, n.dense[i]);
  }
  Tensor operator()(Tensor x) const {
    for (std::size_t i = 0; i < 2; ++i)
      x = at::max_pool2d(at::relu(at::conv2d(x, w[2 * i], w[2 * i + 1], 1, shape.padding)), 2);
    x = x.flatten(1);
    for (std::size_t i = 2; 2 * i < w.size(); ++i) {
      x = at::linear(x, w[2 * i], w[2 * i + 1]);
      if (2 * i + 2 < w.size()) x = at::relu(x);
    }
    return x;
  }
};

Work steps_of(const ImageNetwork& network) {
  return {network.name, [=] {
            struct State {
              ImageNet net;
              torch::optim::Adam optimizer;
              Tensor points, labels, loss;
              explicit State(const ImageNetwork& n)
                  : net(n),
                    optimizer(net.w, torch::optim::AdamOptions(adam_rate)),
                    points(tensor(n.points(), {n.batch, 1, 28, 28})),
                    labels(torch::tensor(n.labels(), at::kLong)) {}
            };
            auto s = std::make_shared<State>(network);
            return Running{[=] {
                             for (Tensor& t : s->net.w) t.mutable_grad() = Tensor();
                             s->loss = at::cross_entropy_loss(s->net(s->points), s->labels);
                             s->loss.backward();
                             s->optimizer.step();
                           },
                           [=] {
                             std::vector<double> numbers{s->loss.template item<double>()};
                             for (const Tensor& t : s->net.w)
                               numbers.push_back(at::mean(at::abs(t)).template item<double>());
                             return numbers;
                           }};
          }};
}

Work layer_norm() {
  return {"norm.256x1024", [] {
            struct State {
              std::vector<Tensor> in;  // x, weight, bias
              Tensor g, y;
            };
            auto s = std::make_shared<State>();
            s->in = {tensor(Norm::x(), {Norm::rows, Norm::width}), tensor(Norm::weight(), {Norm::width}),
                     tensor(Norm::bias(), {Norm::width})};
            for (Tensor& t : s->in) t.requires_grad_(true);
            s->g = tensor(Norm::cotangent(), {Norm::rows, Norm::width});
            return Running{[=] {
                             for (Tensor& t : s->in) t.mutable_grad() = Tensor();
                             s->y = at::layer_norm(s->in[0], {Norm::width}, s->in[1], s->in[2]);
                             s->y.backward(s->g);
                           },
                           [=] {
                             std::vector<double> numbers;
                             for (const Tensor& t : {s->y.detach(), s->in[0].grad(), s->in[1].grad(), s->in[2].grad()})
                               for (const double number :
                                    sample(t.contiguous().data_ptr<float>(), static_cast<std::size_t>(t.numel())))
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
