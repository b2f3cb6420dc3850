// xgrad's side: parts of networks, a table of which few rows are picked, and inference, as a user writes them.
#include <memory>

#include <xgrad/autodiff.hpp>
#include "bench/pair.hpp"
#include "bench/worker.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

namespace bench {
namespace {

using namespace xgrad;

std::vector<double> samples(std::initializer_list<Tensor> tensors) {
  std::vector<double> numbers;
  for (const Tensor& t : tensors)
    for (const double number : sample(t.to_vector<float>().data(), static_cast<std::size_t>(t.numel())))
      numbers.push_back(number);
  return numbers;
}

Work cross_entropy() {
  return {"cross_entropy.256x1000", [] {
            struct State {
              Parameter x{tensor(Logits::x(), {Logits::rows, Logits::classes})};
              Tensor labels = tensor(Logits::labels()), loss;
            };
            auto s = std::make_shared<State>();
            return Running{[=] {
                             s->x.zero_grad();
                             s->loss = nn::cross_entropy(s->x, s->labels);
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
              Parameter x{tensor(Biased::x(), {Biased::rows, Biased::width})}, bias{tensor(Biased::bias())};
              Tensor g = tensor(Biased::cotangent(), {Biased::rows, Biased::width}), y;
            };
            auto s = std::make_shared<State>();
            return Running{[=] {
                             s->x.zero_grad(), s->bias.zero_grad();
                             s->y = nn::gelu(s->x + s->bias);
                             s->y.backward(s->g);
                           },
                           [=] {
                             return samples({s->y, s->x.grad(), s->bias.grad()});
                           }};
          }};
}

Work embedding() {
  return {"embedding.256", [] {
            struct State {
              nn::Embedding table{Table::rows, Table::width};
              Tensor index = tensor(Table::picked());
              optim::SGD optimizer;
              State() : optimizer(nn::parameters(table), {.lr = adam_rate}) {
                table.weight = tensor(Table::numbers(), {Table::rows, Table::width});
              }
            };
            auto s = std::make_shared<State>();
            return Running{[=] {
                             s->optimizer.zero_grad();
                             (0.5f * sum(square(s->table(s->index)))).backward();
                             s->optimizer.step();
                           },
                           [=] { return samples({s->table.weight.value()}); }};
          }};
}

// One example at a time, without a record: by one thread, and by two at once that share the network.
struct Inference {
  nn::Sequential net{nn::Linear(mnist_network.in, mnist_network.hidden), nn::ReLU{},
                     nn::Linear(mnist_network.hidden, mnist_network.out)};
  Tensor x = tensor(uniform(static_cast<std::size_t>(mnist_network.in), -1, 1, 5), {1, mnist_network.in}), y;

  Inference() {
    const Network& n = mnist_network;
    nn::load_state_dict(net, {{"0.weight", tensor(n.weight1(), {n.hidden, n.in})},
                              {"0.bias", tensor(n.bias1())},
                              {"2.weight", tensor(n.weight2(), {n.out, n.hidden})},
                              {"2.bias", tensor(n.bias2())}});
    nn::eval(net);
  }
  void some(Tensor& y) const {
    const NoGrad inference;
    for (int i = 0; i < inferences; ++i) y = evaluate(net(x));
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
  works.push_back(embedding());
  works.push_back(inference());
  works.push_back(inference_of_two());
}

}  // namespace bench
