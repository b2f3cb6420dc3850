// xgrad's side: convolutions.
#include <memory>

#include <xgrad/autodiff.hpp>
#include "bench/worker.hpp"

namespace bench {
namespace {

using namespace xgrad;

std::vector<double> sample_of(const Tensor& t) {
  return sample(t.to_vector<float>().data(), static_cast<std::size_t>(t.numel()));
}

Work work(const Convolution& c) {
  return {c.name, [=] {
            struct State {
              Parameter x, w, b;
              Tensor g, y;
            };
            auto s = std::make_shared<State>(State{parameter(tensor(c.image(), {c.images, c.in, c.side, c.side})),
                                                   parameter(tensor(c.weight(), {c.out, c.in, 3, 3})),
                                                   parameter(tensor(c.bias())),
                                                   tensor(c.cotangent(), {c.images, c.out, c.side, c.side}),
                                                   {}});
            return Running{[=] {
                             s->y = conv2d(s->x, s->w, s->b, {.padding = 1});
                             s->x.zero_grad(), s->w.zero_grad(), s->b.zero_grad();
                             s->y.backward(s->g);
                           },
                           [=] {
                             std::vector<double> numbers = sample_of(s->y);
                             for (const Tensor& g : {s->x.grad(), s->w.grad(), s->b.grad()})
                               for (const double number : sample_of(g)) numbers.push_back(number);
                             return numbers;
                           }};
          }};
}

}  // namespace

void add_convolutions(std::vector<Work>& works) {
  for (const Convolution& c : convolutions) works.push_back(work(c));
}

}  // namespace bench
