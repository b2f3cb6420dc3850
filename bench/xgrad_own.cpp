// xgrad's side: what a user writes, or asks for, that no other library has ready: an optimizer, a Hessian, rows of a table.
#include <memory>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include "bench/worker.hpp"

namespace bench {
namespace {

using namespace xgrad;

struct Lion {
  double lr = lion_rate, beta1 = 0.9, beta2 = 0.99;
  static constexpr const char* slots[] = {"exp_avg"};
  static constexpr bool elementwise = true;
  void update(Tensor& p, const Tensor& g, Tensor& m, const optim::Step& step) const {
    const Tensor direction = sign(beta1 * m + (1 - beta1) * g);
    m = beta2 * m + (1 - beta2) * g;
    p = p - step.lr * direction;
  }
};

Work lion(const std::string& name, int count, std::size_t n) {
  return {name, [=] {
            auto w = std::make_shared<std::vector<Parameter>>();
            for (int i = 0; i < count; ++i) {
              w->push_back(parameter(tensor(uniform(n, -1, 1, i))));
              w->back().set_grad(tensor(uniform(n, -1, 1, 1000 + i)));
            }
            auto optimizer = std::make_shared<optim::Descent<Lion>>(*w);
            return Running{[=] { optimizer->step(); },
                           [=] { return sample(w->back().value().to_vector<float>().data(), n); }};
          }};
}

Work poisson(const std::string& name) {
  return {name, [] {
            struct State {
              Tensor x, y, w, h;
            };
            const Poisson p;
            auto s = std::make_shared<State>(
                State{tensor(p.x(), {p.rows, p.columns}), tensor(p.y()), tensor(p.w()), Tensor()});
            return Running{[=] {
                             s->h = evaluate(hessian(
                                 [&](const Tensor& w) {
                                   const Tensor r = matmul(s->x, w);
                                   return sum(exp(r) - s->y * r);
                                 },
                                 s->w));
                           },
                           [=] { return sample(s->h.to_vector<float>().data(), p.columns * p.columns); }};
          }};
}

Work rows(const std::string& name) {
  return {name, [] {
            struct State {
              nn::Embedding table{Table::rows, Table::width};
              Tensor index = tensor(Table::picked());
              optim::SparseAdam optimizer;
              State() : optimizer(nn::parameters(table), {.lr = adam_rate}) {
                table.weight = tensor(Table::numbers(), {Table::rows, Table::width});
              }
            };
            auto s = std::make_shared<State>();
            return Running{
                [=] {
                  s->optimizer.zero_grad();
                  (0.5f * sum(square(s->table(s->index)))).backward();
                  s->optimizer.step();
                },
                [=] { return sample(s->table.weight.value().to_vector<float>().data(), Table::rows * Table::width); }};
          }};
}

}  // namespace

void add_own(std::vector<Work>& works) {
  works.push_back(lion("lion.2^20", 1, million));
  works.push_back(lion("lion.200x64", 200, 64));
  works.push_back(poisson("hessian.400x91"));
  works.push_back(rows("rows.256"));
}

}  // namespace bench
