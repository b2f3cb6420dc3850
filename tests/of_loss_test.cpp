// Optimizers that look at the loss: step(loss), its value, its curvature.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include <xgrad/nn.hpp>
#include "helpers.hpp"
#include "optimizers/rows.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::same_bits;
using rows::Row;

// Each row of of_loss.def: the sum of 0.15 p^2 + 0.1 p^4 + noise p, whose Hessian is diagonal, so that signs do not matter.
BOOST_AUTO_TEST_CASE(a_hundred_steps_of_others) {
  const references::File file("optimizers100");
  for (const Row& r : rows::of_loss()) {
    manual_seed(3);
    Parameters list;
    std::vector<Parameter> p;
    const std::vector<std::string> names{"a", "b", "c", "d"};
    for (const std::string& name : names) list.add(name, p.emplace_back(parameter(file[name])));
    auto optimizer = r.make(list);
    Size seen = 0;
    for (Size t = 1; t <= 100; ++t) {
      if (t == 61) optimizer->set_lr(r.lr / 2);
      if (t % 17 == 0) {  // goes on from a file as if nothing had been
        optimizer->save("state.safetensors");
        optimizer = r.make(list);
        optimizer->load("state.safetensors");
      }
      Tensor loss = 0.0;
      for (std::size_t i = 0; i < p.size(); ++i) {
        if (names[i] == "b" && t % 3 == 0) continue;
        loss = loss + sum(0.15 * square(p[i]) + 0.1 * pow(p[i], 4) + file[names[i] + ".noise"][t - 1] * p[i]);
      }
      optimizer->step(loss);
      if (t != 1 && t != 2 && t != 10 && t != 100) continue;
      Tensors flat;
      for (const Parameter& x : p) flat.push_back(reshape(x, {x.numel()}));
      const Tensor wanted = file[r.key][seen++];
      const double off = (amax(abs(concat(flat) - wanted)) / amax(abs(wanted))).item();
      BOOST_TEST(off <= (t > 10 ? 1e-10 : 1e-13), r.key << " step " << t << ": off by " << off);
    }
  }
}

BOOST_AUTO_TEST_CASE(it_is_backward_and_step) {
  manual_seed(4);
  const Tensor x = randn({20, 3}), y = randn({20, 2});
  for (const Row& r : rows::all()) {
    if (r.key != r.name || r.of_matrices) continue;  // its defaults
    nn::Linear one(3, 2);
    nn::Linear other = one;
    const auto by_loss = r.make(nn::parameters(one)), by_hand = r.make(nn::parameters(other));
    for (int i = 0; i < 3; ++i) {
      by_loss->step(mean(square(one(x) - y)));
      by_hand->zero_grad();
      mean(square(other(x) - y)).backward();
      by_hand->step();
    }
    BOOST_TEST((same_bits(one.weight, other.weight) && same_bits(one.bias, other.bias)), r.name);
  }
}

namespace {

struct Keeps {
  double lr = 0;
  static constexpr bool of_loss = true;
  Tensor* total = nullptr;
  bool wants_curvature(const optim::Step& step) const { return step.t > 1; }
  void update(Tensor&, const Tensor&, const optim::Step& step) const {
    if (step.curvature.defined()) *total = *total + step.curvature;
  }
};

}  // namespace

// Of a Hessian that is not diagonal, the mean of the estimates is its diagonal.
BOOST_AUTO_TEST_CASE(curvature_is_estimated) {
  manual_seed(5);
  const Tensor half = randn({4, 4}, f64), h = matmul(half, transpose(half));
  Parameter p = parameter(randn({4}, f64));
  Tensor total = zeros({4}, f64);
  optim::Descent<Keeps> optimizer({p}, {.total = &total});
  constexpr int n = 4000;
  for (int i = 0; i <= n; ++i) optimizer.step(0.5 * sum(p * matmul(h, p)));
  const double noise = amax(abs(h)).item() * 4 / std::sqrt(static_cast<double>(n));
  BOOST_TEST(amax(abs(total / n - diagonal(h))).item() < 4 * noise);
  BOOST_TEST(amax(abs(total / n - diagonal(h))).item() > 0);
}

BOOST_AUTO_TEST_CASE(polyak_reaches_the_least_value) {
  // optax's documents: the sum of squares from (1, 2, 3), exact in binary
  Parameter x = parameter({1.0, 2.0, 3.0});
  optim::Polyak optimizer({x});
  for (const double wanted : {3.5, 0.875, 0.21875, 0.0546875, 0.013671875}) {
    optimizer.step(sum(square(x)));
    BOOST_TEST(sum(square(x)).item() == wanted);
  }
  // the authors' SPS on Rosenbrock's function
  Parameter p = parameter({-1.2, 1.0});
  optim::Polyak sps({p}, {.lr = 0.01});
  const std::vector<std::pair<int, std::vector<double>>> seen{{1, {-1.10378436272761, 1.03927168868261}},
                                                              {2, {-1.02643262655346, 1.07254048286025}},
                                                              {10, {-1.11217631914436, 0.951475932847893}}};
  int step = 0;
  for (const auto& [until, wanted] : seen) {
    for (; step < until; ++step) sps.step(100 * square(p[1] - square(p[0])) + square(1 - p[0]));
    for (Size i = 0; i < 2; ++i) {
      const double off = std::abs(p.value()[i].item() - wanted[static_cast<std::size_t>(i)]);
      BOOST_TEST(off < (until > 2 ? 1e-8 : 1e-12));  // rounding grows by 7e10 in 100 steps
    }
  }
}

// The authors' programs on Rosenbrock's function, after steps 1, 2 and 10.
BOOST_AUTO_TEST_CASE(momo_as_its_authors_have_it) {
  const auto meets = [](auto rule, const std::vector<double>& wanted) {
    Parameter p = parameter({-1.2, 1.0});
    optim::Descent<decltype(rule)> optimizer({p}, rule);
    std::size_t at = 0;
    for (int step = 1; step <= 10; ++step) {
      optimizer.step(100 * square(p[1] - square(p[0])) + square(1 - p[0]));
      if (step != 1 && step != 2 && step != 10) continue;
      for (const double x : p.value().to_vector<double>())
        BOOST_TEST(std::abs(x - wanted[at++]) < 1e-11, decltype(rule)::name << " step " << step << ": " << x);
    }
  };
  meets(optim::MoMoRule{.lr = 0.01},
        {-1.1037843627276, 1.03927168868261, -1.10055342030083, 1.04059335674602, -1.07226507054737, 1.05226790047554});
  meets(
      optim::MoMoRule{.lr = 0.01, .f_min = -1, .weight_decay = 0.1},
      {-1.09928778825601, 1.03961871759087, -1.09526273532847, 1.03977731430172, -1.05943943529141, 1.04267573870897});
  meets(optim::MoMoAdamRule{}, {-1.19000000000046, 1.00999999999886, -1.18003196279144, 1.01997111212516,
                                -1.10495554206445, 1.09533461720303});
  meets(optim::MoMoAdamRule{.lr = 0.1, .f_min = -1, .weight_decay = 0.1},
        {-1.11068237258358, 1.0675354491934, -1.08304874963901, 1.07372328601732, -0.920780462947578, 1.0391392862987});
}

BOOST_AUTO_TEST_CASE(what_is_wrong) {
  Parameter p = parameter({1.0, 2.0}), other = parameter(1.0);
  optim::Polyak polyak({p});
  optim::SophiaH sophia({p});
  sum(p).backward();
  CHECK_ERROR(polyak.step(), "[Polyak] looks at the loss: call step(loss)");
  CHECK_ERROR(sophia.step(), "[SophiaH] looks at the loss: call step(loss)");
  CHECK_ERROR(sophia.step(square(p)), "[SophiaH] expected a loss of one element, got f64 (2,)");
  CHECK_ERROR(sophia.step(Tensor()), "[SophiaH] expected a loss of one element, got an empty tensor");
  CHECK_ERROR(sophia.step(tensor(1.0)), "backward");
  CHECK_ERROR(sophia.step(square(other)), "[SophiaH] expected a gradient, but none of the 1 parameters");
  BOOST_TEST(same_bits(p, tensor({1.0, 2.0})));
  BOOST_TEST(sophia.state()[2].value.item() == 0);
  CHECK_ERROR(polyak.step(), "looks at the loss");  // what an earlier step was told is forgotten
  sophia.step(2 * sum(p));                          // without curvature
  CHECK_ERROR(optim::SophiaH({p}, {.every = 0}), "[SophiaH] expected every of 1 or more, got 0");
}
