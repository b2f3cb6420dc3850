// libtorch's side: formulas. Each is differentiated in the ways that libtorch offers; the fastest counts.
#include <torch/csrc/autograd/autograd.h>
#include <torch/torch.h>

#include "bench/torch.hpp"

namespace bench {
namespace {

using at::Tensor;
using Formula = Tensor (*)(const Tensor&);

Tensor chain(const Tensor& x) {
  Tensor y = x;
  for (int i = 0; i < chain_length; ++i) y = 0.99 * y + x;
  return y.sum();
}

Tensor chain_fused(const Tensor& x) {  // libtorch's one op for x + 0.99 y
  Tensor y = x;
  for (int i = 0; i < chain_length; ++i) y = at::add(x, y, 0.99);
  return y.sum();
}

Tensor chain_product(const Tensor& x) {
  Tensor y = x;
  for (int i = 0; i < chain_length; ++i) y = y * x + x;
  return y.sum();
}

Tensor gelu_products(const Tensor& x) { return (0.5 * x * (1 + at::tanh(0.79788 * (x + 0.044715 * x * x * x)))).sum(); }

Tensor gelu_power(const Tensor& x) { return (0.5 * x * (1 + at::tanh(0.79788 * (x + 0.044715 * x.pow(3))))).sum(); }

template <int steps>
Tensor loop(const Tensor& x) {
  Tensor h = x;
  for (int i = 0; i < steps; ++i) h = h + at::tanh(h - h.mean());
  return h.sum();
}

struct State {
  Tensor x, loss, grad;
};

void add(std::vector<Work>& works, const std::string& name, Formula formula, std::size_t n) {
  const auto start = [n] {
    auto state = std::make_shared<State>();
    state->x = tensor(uniform(n, -0.9, 0.9, 1), {static_cast<std::int64_t>(n)}).requires_grad_(true);
    return state;
  };
  const auto result = [](const State& s) {
    std::vector<double> numbers = sample(s.grad.data_ptr<float>(), static_cast<std::size_t>(s.grad.numel()));
    numbers.push_back(s.loss.item<double>());
    return numbers;
  };
  works.push_back({name, [=] {
                     auto s = start();
                     return Running{[=] {
                                      s->loss = formula(s->x);
                                      s->x.mutable_grad() = Tensor();
                                      s->loss.backward();
                                    },
                                    [=] {
                                      s->grad = s->x.grad().contiguous();
                                      return result(*s);
                                    }};
                   }});
  works.push_back({name, [=] {
                     auto s = start();
                     return Running{[=] {
                                      s->loss = formula(s->x);
                                      s->grad = torch::autograd::grad({s->loss}, {s->x})[0];
                                    },
                                    [=] {
                                      s->grad = s->grad.contiguous();
                                      return result(*s);
                                    }};
                   }});
}

}  // namespace

void add_ops(std::vector<Work>& works) {
  add(works, "chain.1", chain, 1);
  add(works, "chain_fused.1", chain_fused, 1);
  add(works, "chain_product.1", chain_product, 1);
  add(works, "chain.4096", chain, 4096);
  add(works, "chain.2^20", chain, million);
  add(works, "chain_fused.2^20", chain_fused, million);
  add(works, "chain_product.2^20", chain_product, million);
  add(works, "gelu.2^20", gelu_products, million);
  add(works, "gelu.2^20", gelu_power, million);
  add(works, "loop.100", loop<loop_steps[0]>, loop_size);
  add(works, "loop.200", loop<loop_steps[1]>, loop_size);
  add(works, "loop.400", loop<loop_steps[2]>, loop_size);
  add(works, "loop.800", loop<loop_steps[3]>, loop_size);
}

Tensor tensor(const std::vector<float>& numbers, at::IntArrayRef shape) {
  return torch::from_blob(const_cast<float*>(numbers.data()), shape).clone();
}

}  // namespace bench
