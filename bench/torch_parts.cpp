// libtorch's side: parts of networks, a table of which few rows are picked, and inference.
#include <torch/torch.h>

#include <memory>

#include "bench/pair.hpp"
#include "bench/torch.hpp"

namespace bench {
namespace {

using at::Tensor;

std::vector<double> samples(std::initializer_list<Tensor> tensors) {
  std::vector<double> numbers;
  for (const Tensor& t : tensors)
    for (const double number : sample(t.detach().contiguous().data_ptr<float>(), static_cast<std::size_t>(t.numel())))
      numbers.push_back(number);
  return numbers;
}

Work cross_entropy() {
  return {"cross_entropy.256x1000", [] {
            struct State {
              Tensor x = tensor(Logits::x(), {Logits::rows, Logits::classes}).requires_grad_(true);
              Tensor labels = torch::tensor(Logits::labels(), at::kLong), loss;
            };
            auto s = std::make_shared<State>();
            return Running{[=] {
                             s->x.mutable_grad() = Tensor();
                             s->loss = at::cross_entropy_loss(s->x, s->labels);
                             s->loss.backward();
                           },
                           [=] {
                             return samples({s->loss, s->x.grad()});
                           }};
          }};
}

Work bias_gelu() {
  return {"bias_gelu.256x4096", [] {
            struct State {
              Tensor x = tensor(Biased::x(), {Biased::rows, Biased::width}).requires_grad_(true),
                     bias = tensor(Biased::bias(), {Biased::width}).requires_grad_(true),
                     g = tensor(Biased::cotangent(), {Biased::rows, Biased::width}), y;
            };
            auto s = std::make_shared<State>();
            return Running{[=] {
                             s->x.mutable_grad() = Tensor(), s->bias.mutable_grad() = Tensor();
                             s->y = at::gelu(s->x + s->bias);
                             s->y.backward(s->g);
                           },
                           [=] {
                             return samples({s->y, s->x.grad(), s->bias.grad()});
                           }};
          }};
}

Work embedding(const char* name, bool sparse) {
  return {name, [=] {
            struct State {
              Tensor table = tensor(Table::numbers(), {Table::rows, Table::width}).requires_grad_(true),
                     index = torch::tensor(Table::picked(), at::kLong);
              torch::optim::SGD optimizer{std::vector<Tensor>{table}, torch::optim::SGDOptions(adam_rate)};
            };
            auto s = std::make_shared<State>();
            return Running{[=] {
                             s->table.mutable_grad() = Tensor();
                             (0.5 * at::embedding(s->table, s->index, -1, false, sparse).square().sum()).backward();
                             s->optimizer.step();
                           },
                           [=] { return samples({s->table}); }};
          }};
}

struct Inference {
  std::vector<Tensor> w;
  Tensor x = tensor(uniform(static_cast<std::size_t>(mnist_network.in), -1, 1, 5), {1, mnist_network.in}), y;
  Inference() {
    const Network& n = mnist_network;
    w = {tensor(n.weight1(), {n.hidden, n.in}), tensor(n.bias1(), {n.hidden}), tensor(n.weight2(), {n.out, n.hidden}),
         tensor(n.bias2(), {n.out})};
    for (Tensor& t : w) t.requires_grad_(true);
  }
  void some(Tensor& y) const {
    const c10::InferenceMode inference;
    for (int i = 0; i < inferences; ++i) y = at::linear(at::relu(at::linear(x, w[0], w[1])), w[2], w[3]);
  }
};
Work inference() {
  return {"inference.784-128-10", [] {
            auto s = std::make_shared<Inference>();
            return Running{[=] { s->some(s->y); }, [=] { return samples({s->y}); }};
          }};
}
Work inference_of_two() {
  return {"inference.two", [] {
            auto s = std::make_shared<Inference>();
            auto other = std::make_shared<Beside>([=] {
              Tensor y;
              s->some(y);
            });
            return Running{[=] {
                             other->begin();
                             s->some(s->y);
                             other->end();
                           },
                           [=] { return samples({s->y}); }};
          }};
}

}  // namespace

void add_parts(std::vector<Work>& works) {
  works.push_back(cross_entropy());
  works.push_back(bias_gelu());
  works.push_back(embedding("embedding.256", false));
  works.push_back(embedding("embedding_sparse.256", true));
  works.push_back(inference());
  works.push_back(inference_of_two());
}

}  // namespace bench
