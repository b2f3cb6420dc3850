// An optimizer of one's own, and something of one's own around it: two structs, with the formulas as they stand in a paper.
// Prints:
//   loss 1.2 to 0.3; the greatest weight is 2.0
#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

// Lion (Chen et al. 2023):  p <- p - lr sign(b1 m + (1 - b1) g),  m <- b2 m + (1 - b2) g
struct Lion {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.99;
  static constexpr const char* name = "Lion";
  static constexpr const char* slots[] = {"exp_avg"};
  static constexpr bool elementwise = true;
  void update(Tensor& p, const Tensor& g, Tensor& m, const optim::Step& step) const {
    p = p - step.lr * sign(beta1 * m + (1 - beta1) * g);
    m = beta2 * m + (1 - beta2) * g;
  }
};

// After each step no weight is greater than `most`.
struct Bounded {
  double most = 1;
  static constexpr const char* name = "Bounded";
  void after(Tensor& p, Size) const { p = clamp(p, -most, most); }
};

struct Net {
  nn::Linear hidden{2, 32}, output{32, 3};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

int main() {
  manual_seed(1);
  const auto [points, labels] = data::spirals({.points_per_class = 100, .seed = 1});
  Net net;
  optim::Descent<Lion> lion(nn::parameters(net), {.lr = 3e-3});
  optim::Around<Bounded> bounded(lion, {.most = 2});
  double first = 0, last = 0, greatest = 0;
  for (int step = 0; step < 500; ++step) {
    lion.zero_grad();
    const Tensor loss = nn::cross_entropy(net(points), labels);
    loss.backward();
    lion.step();
    (step == 0 ? first : last) = loss.item();
  }
  for (const auto& p : nn::parameters(net)) greatest = std::max(greatest, amax(abs(p.value())).item());
  fmt::print("loss {:.1f} to {:.1f}; the greatest weight is {:.1f}\n", first, last, greatest);
  return last < 0.5 && greatest <= 2 ? 0 : 1;
}
