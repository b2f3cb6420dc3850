// Optimizers against numbers that other programs gave: PyTorch 1.13 and the authors' own, in f64, on Rosenbrock's function
// and on a quadratic of a matrix.
#define BOOST_TEST_MODULE trajectories
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>
#include "own_rules.hpp"

using namespace xgrad;

namespace {

struct Seen {
  Size step;
  std::vector<double> numbers;
};

// 100 (y - x^2)^2 + (1 - x)^2 from (-1.2, 1)
template <class Optimizer>
void rosenbrock(const char* program, const typename Optimizer::Options& options, const std::vector<Seen>& wanted) {
  Parameter p = parameter({-1.2, 1.0});
  Optimizer optimizer({p}, options);
  Size step = 0;
  for (const Seen& at : wanted) {
    for (; step < at.step; ++step) {
      const double x = p.value()[0].item(), y = p.value()[1].item();
      p.set_grad(tensor({-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)}));
      optimizer.step();
    }
    const std::vector<double> got = p.value().to_vector<double>();
    for (std::size_t i = 0; i < 2; ++i)
      BOOST_TEST(std::abs(got[i] - at.numbers[i]) <= 1e-12 * std::abs(at.numbers[i]),
                 fmt::format("{}, step {}: {} instead of {}", program, step, got[i], at.numbers[i]));
  }
}

// tr X^T D X / 2 + tr X E X^T / 2 - <C, X>: elements (0, 0), (1, 1) and (2, 1) of X
template <class Optimizer>
void quadratic(const char* program, const typename Optimizer::Options& options, double tolerance, const std::vector<Seen>& wanted) {
  Parameter x = parameter({{1.0, -2.0, 0.5}, {0.3, 1.5, -1.0}, {-0.7, 0.2, 2.0}});
  const Tensor d = reshape(tensor({1.0, 2.0, 3.0}), {3, 1}), e = tensor({0.5, 1.0, 1.5}), c = tensor({{1.0, 0.0, 0.0}, {0.0, 2.0, 0.0}, {1.0, 1.0, 1.0}});
  Optimizer optimizer({x}, options);
  Size step = 0;
  for (const Seen& at : wanted) {
    for (; step < at.step; ++step) {
      x.set_grad(d * x.value() + x.value() * e - c);
      optimizer.step();
    }
    const Tensor v = x;
    const double got[] = {v[0][0].item(), v[1][1].item(), v[2][1].item()};
    for (std::size_t i = 0; i < 3; ++i)
      BOOST_TEST(std::abs(got[i] - at.numbers[i]) <= tolerance * std::max(std::abs(at.numbers[i]), 0.1),
                 fmt::format("{}, step {}: {} instead of {}", program, step, got[i], at.numbers[i]));
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_numbers) {
  using namespace optim;
  rosenbrock<SGD>("PyTorch's SGD", {}, {{1, {-0.9844, 1.088}}, {2, {-1.0272715665664, 1.064208672}}, {10, {-1.02141133426975, 1.05126226737604}}});
  rosenbrock<SGD>("PyTorch's SGD, momentum, dampening and decay", {.momentum = 0.9, .dampening = 0.3, .weight_decay = 0.01},
                  {{1, {-0.984388, 1.08799}}, {2, {-0.820343778552076, 1.15051754690616}}, {10, {-0.711878864874818, 0.844881638143262}}});
  rosenbrock<SGD>("PyTorch's SGD, Nesterov", {.lr = 5e-4, .momentum = 0.9, .nesterov = true},
                  {{1, {-0.99518, 1.0836}}, {2, {-0.939322793856464, 1.101528814156}}, {10, {-0.983962263303705, 0.984907952320535}}});
  rosenbrock<Adagrad>("PyTorch's Adagrad", {.lr = 0.1, .lr_decay = 0.01, .weight_decay = 0.01, .initial_accumulator_value = 0.1},
                      {{1, {-1.10000010755327, 1.09999935419822}}, {2, {-1.07652939669953, 1.12400408440583}}, {10, {-1.05900687221774, 1.12774957479608}}});
  rosenbrock<RMSprop>("PyTorch's RMSprop", {.lr = 0.01, .momentum = 0.9, .centered = true},
                      {{1, {-1.09949621852093, 1.10050378141114}}, {2, {-0.985369658275893, 1.21516612584169}}, {10, {-1.07239294741314, 0.961278935773341}}});
  rosenbrock<Adam>("PyTorch's Adam", {.lr = 0.01, .weight_decay = 0.01},
                   {{1, {-1.19000000000046, 1.00999999999886}}, {2, {-1.18003196063486, 1.01997110720346}}, {10, {-1.10495510848959, 1.0953335812528}}});
  rosenbrock<Adam>("PyTorch's AMSGrad", {.lr = 0.1, .amsgrad = true},
                   {{1, {-1.10000000000464, 1.09999999998864}}, {2, {-1.01725958278824, 1.18305975334581}}, {10, {-1.09890410469671, 1.01928588162612}}});
  rosenbrock<AdamW>("PyTorch's AdamW", {.lr = 0.01, .weight_decay = 0.1},
                    {{1, {-1.18880000000046, 1.00899999999886}}, {2, {-1.17764580056701, 1.01795998488613}}, {10, {-1.09388699157673, 1.08454481944002}}});
  rosenbrock<Adan>("its authors' Adan", {.lr = 0.01, .weight_decay = 0.1},
                   {{1, {-1.18881118881165, 1.00899100898987}}, {2, {-1.1776944304024, 1.01792051191347}}, {10, {-1.09191674857981, 1.0864498097278}}});
  rosenbrock<Descent<own_rules::Prodigy>>("its author's Prodigy", {.weight_decay = 0.01},
                               {{1, {-1.19999682572234, 1.00000315227765}}, {2, {-1.19999256413364, 1.00000739186658}}, {10, {-1.18883429434672, 1.01110780116583}}});
  rosenbrock<Descent<own_rules::ScheduleFree>>("its authors' Schedule-Free AdamW", {.lr = 0.01, .weight_decay = 0.01, .warmup = 10},
                                    {{1, {-1.19898800000005, 1.00098999999989}}, {2, {-1.19733529646928, 1.00260718020712}}, {10, {-1.16372303332794, 1.03562236607338}}});
}

BOOST_AUTO_TEST_CASE(of_a_matrix) {
  // Its norm is |u| + 1e-7, where ours is at least 1e-7: all but seven digits.
  quadratic<optim::Muon>("Jordan's Muon, in f64", {.lr = 0.02, .weight_decay = 0.1}, 1e-7,
                         {{1, {0.999285907582297, 1.49006361343607, 0.195250520643225}},
                          {2, {1.00045655135756, 1.48103374392028, 0.190810956208681}},
                          {10, {0.94987789239935, 1.38421507952508, 0.147357385244176}},
                          {50, {0.70019980903954, 0.983704286268664, -0.0253661404639562}}});
  quadratic<optim::Adafactor>("PyTorch's Adafactor", {.weight_decay = 0.1}, 1e-12,
                              {{1, {0.995010673712801, 1.4839371887233, 0.200383690589942}},
                               {2, {0.99006932431926, 1.46809296481968, 0.200763861558317}},
                               {10, {0.952210395181425, 1.34888896237175, 0.203683689473023}},
                               {50, {0.807475176774206, 0.94016533522358, 0.214741876721366}}});
  quadratic<optim::LAMB>("optax's formula of LAMB", {.lr = 0.01, .weight_decay = 0.1}, 1e-12,
                         {{1, {0.98792682824612, 1.4873780291531, 0.210756063150299}},
                          {2, {0.975948208553916, 1.4748466589245, 0.221292389099969}},
                          {10, {0.882288942766728, 1.37575640606355, 0.270385325989656}},
                          {50, {0.634256275614455, 0.949109298798816, 0.248646922813173}}});
}
