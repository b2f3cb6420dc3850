// libtorch's side: optimizers and training.
#include <torch/torch.h>

#include "bench/torch.hpp"

namespace bench {

using at::Tensor;

namespace {

// The gradients of the step before: dropped, or filled with zeros and added to.
enum class Clear { drop, zero };

struct Net {
  Network shape;
  std::vector<Tensor> w;  // weight, bias, weight, bias

  explicit Net(const Network& network) : shape(network) {
    w = {tensor(network.weight1(), {network.hidden, network.in}), tensor(network.bias1(), {network.hidden}),
         tensor(network.weight2(), {network.out, network.hidden}), tensor(network.bias2(), {network.out})};
    for (Tensor& t : w) t.requires_grad_(true);
  }
  Tensor operator()(const Tensor& x) const {
    const Tensor inner = at::linear(x, w[0], w[1]);
    return at::linear(shape.tanh ? at::tanh(inner) : at::relu(inner), w[2], w[3]);
  }
  void clear(Clear how) {
    for (Tensor& t : w)
      if (how == Clear::drop) t.mutable_grad() = Tensor();
      else if (t.grad().defined()) t.mutable_grad().zero_();
  }
};

// Adam by the ops that take a list of tensors.
class ForeachAdam {
 public:
  explicit ForeachAdam(std::vector<Tensor> parameters) : p_(std::move(parameters)) {
    for (const Tensor& p : p_) {
      m_.push_back(at::zeros_like(p));
      v_.push_back(at::zeros_like(p));
    }
  }
  void step() {
    torch::NoGradGuard no_grad;
    ++t_;
    g_.clear();
    for (const Tensor& p : p_) g_.push_back(p.grad());
    at::_foreach_mul_(m_, 0.9);
    at::_foreach_add_(m_, g_, 0.1);
    at::_foreach_mul_(v_, 0.999);
    at::_foreach_addcmul_(v_, g_, g_, 0.001);
    std::vector<Tensor> root = at::_foreach_sqrt(v_);
    at::_foreach_div_(root, std::sqrt(1 - std::pow(0.999, t_)));
    at::_foreach_add_(root, 1e-8);
    at::_foreach_addcdiv_(p_, m_, root, -adam_rate / (1 - std::pow(0.9, t_)));
  }

 private:
  std::vector<Tensor> p_, m_, v_, g_;
  int t_ = 0;
};

std::unique_ptr<torch::optim::Adam> adam(const std::vector<Tensor>& parameters) {
  return std::make_unique<torch::optim::Adam>(parameters, torch::optim::AdamOptions(adam_rate));
}

template <class Optimizer>
Work training(const Network& network, Clear clear, Optimizer make) {
  return {network.name, [=] {
            struct State {
              Net net;
              decltype(make(std::vector<Tensor>())) optimizer;
              Tensor points, labels, loss;
            };
            auto net = Net(network);
            auto optimizer = make(net.w);
            auto s = std::make_shared<State>(State{net, std::move(optimizer),
                                                   tensor(network.points(), {network.batch, network.in}),
                                                   torch::tensor(network.labels(), at::kLong), Tensor()});
            return Running{[=] {
                             s->loss = at::cross_entropy_loss(s->net(s->points), s->labels);
                             s->net.clear(clear);
                             s->loss.backward();
                             s->optimizer->step();
                           },
                           [=] {
                             std::vector<double> numbers{s->loss.template item<double>()};
                             for (const Tensor& t : s->net.w)
                               numbers.push_back(at::mean(at::abs(t)).template item<double>());
                             return numbers;
                           }};
          }};
}

template <class Optimizer>
Work steps_alone(const std::string& name, int count, std::size_t n, Optimizer make) {
  return {name, [=] {
            auto w = std::make_shared<std::vector<Tensor>>();
            for (int i = 0; i < count; ++i) {
              w->push_back(tensor(uniform(n, -1, 1, i), {static_cast<std::int64_t>(n)}).requires_grad_(true));
              w->back().mutable_grad() = tensor(uniform(n, -1, 1, 1000 + i), {static_cast<std::int64_t>(n)});
            }
            auto optimizer = std::shared_ptr(make(*w));
            return Running{[=] { optimizer->step(); }, [=] { return sample(w->back().data_ptr<float>(), n); }};
          }};
}

// The rows of each batch are picked from one tensor, the fastest loader that libtorch has.
Work mnist() {
  return {"mnist", [] {
            const Images read = read_mnist();
            const std::int64_t n = static_cast<std::int64_t>(read.labels.size());
            const Tensor pixels = tensor(read.pixels, {n, 784});
            const Tensor labels = torch::tensor(read.labels, at::kLong);
            auto accuracy = std::make_shared<double>(0);
            return Running{[=] {
                             torch::manual_seed(1);
                             Net net(mnist_network);
                             const auto optimizer = adam(net.w);
                             for (int epoch = 0; epoch < mnist_epochs; ++epoch) {
                               const Tensor order = at::randperm(mnist_train);
                               for (int at = 0; at < mnist_train; at += mnist_network.batch) {
                                 const Tensor rows = order.slice(0, at, at + mnist_network.batch);
                                 const Tensor loss = at::cross_entropy_loss(net(pixels.index_select(0, rows)),
                                                                            labels.index_select(0, rows));
                                 net.clear(Clear::drop);
                                 loss.backward();
                                 optimizer->step();
                               }
                             }
                             torch::NoGradGuard no_grad;
                             const Tensor picked = net(pixels.slice(0, mnist_train)).argmax(1);
                             *accuracy = picked.eq(labels.slice(0, mnist_train)).to(at::kFloat).mean().item<double>();
                           },
                           [=] { return std::vector<double>{*accuracy}; }};
          }};
}

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  if (const char* threads = std::getenv("OMP_NUM_THREADS")) at::set_num_threads(std::atoi(threads));
  const auto foreach = [](const std::vector<Tensor>& w) { return std::make_unique<ForeachAdam>(w); };
  std::vector<Work> works;
  add_ops(works);
  add_convolutions(works);
  add_layers(works);
  add_parts(works);
  add_sequences(works);
  for (const Network& network : networks) {
    works.push_back(training(network, Clear::drop, adam));
    works.push_back(training(network, Clear::zero, adam));
    works.push_back(training(network, Clear::drop, foreach));
  }
  works.push_back(steps_alone("adam.2^20", 1, million, adam));
  works.push_back(steps_alone("adam.2^20", 1, million, foreach));
  works.push_back(steps_alone("adam.200x64", 200, 64, adam));
  works.push_back(steps_alone("adam.200x64", 200, 64, foreach));
  const auto add_step = [&](const char* name, const auto& options, auto* optimizer) {
    using Optimizer = std::remove_pointer_t<decltype(optimizer)>;
    works.push_back(steps_alone(name, 1, million,
                                [=](const std::vector<Tensor>& p) { return std::make_unique<Optimizer>(p, options); }));
  };
  using namespace torch::optim;
  add_step("step.SGD", SGDOptions(1e-3).momentum(0.9), static_cast<SGD*>(nullptr));
  add_step("step.Adagrad", AdagradOptions(), static_cast<Adagrad*>(nullptr));
  add_step("step.RMSprop", RMSpropOptions(), static_cast<RMSprop*>(nullptr));
  add_step("step.AdamW", AdamWOptions(), static_cast<AdamW*>(nullptr));
  if (data_folder()) works.push_back(mnist());
  return serve(works);
}
