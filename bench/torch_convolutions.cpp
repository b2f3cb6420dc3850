// libtorch's side: convolutions.
#include <torch/csrc/autograd/autograd.h>
#include <torch/torch.h>

#include "bench/torch.hpp"

namespace bench {
namespace {

using at::Tensor;

struct State {
  Tensor x, w, b, g, y;
  std::vector<Tensor> gradients;
};

std::vector<double> sample_of(const Tensor& t) {
  const Tensor dense = t.contiguous();
  return sample(dense.data_ptr<float>(), static_cast<std::size_t>(dense.numel()));
}

void add(std::vector<Work>& works, const Convolution& c) {
  const auto start = [c] {
    auto s = std::make_shared<State>();
    s->x = tensor(c.image(), {c.images, c.in, c.side, c.side}).requires_grad_(true);
    s->w = tensor(c.weight(), {c.out, c.in, 3, 3}).requires_grad_(true);
    s->b = tensor(c.bias(), {c.out}).requires_grad_(true);
    s->g = tensor(c.cotangent(), {c.images, c.out, c.side, c.side});
    return s;
  };
  const auto result = [](const State& s) {
    std::vector<double> numbers = sample_of(s.y.detach());
    for (const Tensor& g : s.gradients)
      for (const double number : sample_of(g)) numbers.push_back(number);
    return numbers;
  };
  works.push_back({c.name, [=] {
                     auto s = start();
                     return Running{[=] {
                                      s->y = at::conv2d(s->x, s->w, s->b, 1, 1);
                                      for (Tensor* t : {&s->x, &s->w, &s->b}) t->mutable_grad() = Tensor();
                                      s->y.backward(s->g);
                                    },
                                    [=] {
                                      s->gradients = {s->x.grad(), s->w.grad(), s->b.grad()};
                                      return result(*s);
                                    }};
                   }});
  works.push_back({c.name, [=] {
                     auto s = start();
                     return Running{[=] {
                                      s->y = at::conv2d(s->x, s->w, s->b, 1, 1);
                                      s->gradients = torch::autograd::grad({s->y}, {s->x, s->w, s->b}, {s->g});
                                    },
                                    [=] { return result(*s); }};
                   }});
}

}  // namespace

void add_convolutions(std::vector<Work>& works) {
  for (const Convolution& c : convolutions) add(works, c);
}

}  // namespace bench
