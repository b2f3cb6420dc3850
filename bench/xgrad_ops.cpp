// xgrad's side: formulas, as a user writes them.
#include <memory>

#include <xgrad/autodiff.hpp>
#include "bench/worker.hpp"

namespace bench {
namespace {

using namespace xgrad;

Tensor chain(const Tensor& x) {
  Tensor y = x;
  for (int i = 0; i < chain_length; ++i) y = 0.99 * y + x;
  return sum(y);
}

Tensor chain_product(const Tensor& x) {
  Tensor y = x;
  for (int i = 0; i < chain_length; ++i) y = y * x + x;
  return sum(y);
}

Tensor gelu(const Tensor& x) { return sum(0.5 * x * (1 + tanh(0.79788 * (x + 0.044715 * x * x * x)))); }

template <int steps>
Tensor loop(const Tensor& x) {
  Tensor h = x;
  for (int i = 0; i < steps; ++i) h = h + tanh(h - mean(h));
  return sum(h);
}

Work work(const std::string& name, Tensor (*formula)(const Tensor&), std::size_t n) {
  return {name, [=] {
            struct State {
              Parameter x;
              Tensor loss;
            };
            auto s = std::make_shared<State>(State{parameter(tensor(uniform(n, -0.9, 0.9, 1))), {}});
            const auto repeat = [=] {
              s->loss = formula(s->x);
              s->x.zero_grad();
              s->loss.backward();
            };
            return Running{repeat,
                           [=] {
                             std::vector<double> numbers = sample(s->x.grad().to_vector<float>().data(), n);
                             numbers.push_back(s->loss.item());
                             return numbers;
                           },
                           [=] {
                             const std::uint64_t before = counters().evaluated;
                             repeat();
                             return static_cast<double>(counters().evaluated - before);
                           }};
          }};
}

}  // namespace

void add_ops(std::vector<Work>& works) {
  works.push_back(work("chain.1", chain, 1));
  works.push_back(work("chain_product.1", chain_product, 1));
  works.push_back(work("chain.4096", chain, 4096));
  works.push_back(work("chain.2^20", chain, million));
  works.push_back(work("chain_product.2^20", chain_product, million));
  works.push_back(work("gelu.2^20", gelu, million));
  works.push_back(work("loop.100", loop<loop_steps[0]>, loop_size));
  works.push_back(work("loop.200", loop<loop_steps[1]>, loop_size));
  works.push_back(work("loop.400", loop<loop_steps[2]>, loop_size));
  works.push_back(work("loop.800", loop<loop_steps[3]>, loop_size));
}

}  // namespace bench
