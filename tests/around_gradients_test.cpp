// What works on the gradients before a step: noise, lent gradients, those that are not finite, those by rows.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <optional>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "around_rules.hpp"
#include "autodiff/engine/variable.hpp"
#include "helpers.hpp"

using namespace xgrad;
using around_rules::around;
using around_rules::Elementwise;
using around_rules::Held;
using helpers::same_bits;
using helpers::says;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
}  // namespace

// Noise: of the variance that is told, each number its own, the same again with the same seed.
BOOST_AUTO_TEST_CASE(noise) {
  const auto noise_of = [](std::uint64_t seed, Size steps) {
    Parameter a = parameter(zeros({20000}, f64)), b = parameter(zeros({20000})), c = a;
    optim::Descent<Elementwise> plain({a, b, c}, {.lr = 1});
    optim::GradientNoise noise(plain, {.eta = 0.3, .gamma = 0.55, .seed = seed});
    for (Size t = 0; t < steps; ++t) {
      for (Parameter* p : {&a, &b, &c}) {
        *p = zeros_like(*p);
        p->set_grad(zeros_like(*p));
      }
      plain.step();
    }
    return Tensors{a, cast(b, f64), c};
  };
  for (const Size t : {1, 9}) {
    const Tensors n = noise_of(1, t);
    const double variance = 0.3 / std::pow(static_cast<double>(t), 0.55);
    for (const Tensor& x : n) {
      BOOST_TEST(std::abs(mean(x).item()) < 5 * std::sqrt(variance / 20000));
      BOOST_TEST(std::abs(mean(square(x)).item() / variance - 1) < 5 * std::sqrt(2.0 / 20000));
      BOOST_TEST(std::abs(mean(pow(x, 4)).item() / (variance * variance) - 3) < 5 * std::sqrt(96.0 / 20000));  // normal
    }
    for (const Tensor& other : {n[1], n[2]})
      BOOST_TEST(std::abs(mean(n[0] * other).item()) < 5 * variance / std::sqrt(20000));
    BOOST_TEST(same_bits(noise_of(1, t)[0], n[0]));
    BOOST_TEST(std::abs(mean(noise_of(2, t)[0] * n[0]).item()) < 5 * variance / std::sqrt(20000));
  }
  BOOST_TEST(!same_bits(noise_of(1, 1)[0], noise_of(1, 2)[0]));
}

// A gradient that is shorter than is allowed keeps its bits; and .grad() always shows what backward() has left there.
BOOST_AUTO_TEST_CASE(gradients_are_lent) {
  Parameter a = parameter(tensor({1.0, -2.0}));
  optim::SGD sgd({a}, {.lr = 1});
  optim::ClipNorm clip(sgd, {.max_norm = 5});
  const Tensor g = tensor({0.3, 0.4});
  a.set_grad(g);
  sgd.step();
  BOOST_TEST(same_bits(a, tensor({1.0 - 0.3, -2.0 - 0.4})));
  BOOST_TEST(clip.shared()[0].item() == 0.5);
  a.set_grad(100 * g);
  sgd.step();
  BOOST_TEST(same_bits(a.grad(), 100 * g));
  BOOST_TEST(clip.shared()[0].item() == 50);
  clip.rule().max_norm = -1;
  BOOST_CHECK_EXCEPTION(sgd.step(), Error, says("[ClipNorm] expected a max_norm above 0, got -1"));
  BOOST_TEST(same_bits(a.grad(), 100 * g));
}

// Not finite: the parameter is named, or the step left out; nothing has changed.
BOOST_AUTO_TEST_CASE(gradients_that_are_not_finite) {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const double bad : {infinity, -infinity, std::nan("")})
      for (const Size at : {0, 4095, 5000}) {
        Parameters list;
        Parameter a = parameter(ones({3}, dtype)), b = parameter(ones({5001}, dtype));
        list.add("layer.a", a);
        list.add("layer.b", b);
        optim::Adam adam(list, {.lr = 0.1});
        std::vector<double> numbers(5001, 0.5);
        a.set_grad(ones({3}, dtype));
        b.set_grad(cast(tensor(numbers), dtype));
        std::optional<optim::RequireFinite> finite;
        finite.emplace(adam);
        adam.step();
        numbers[static_cast<std::size_t>(at)] = bad;
        b.set_grad(cast(tensor(numbers), dtype));
        const Tensor before[] = {a, b};
        const NamedTensors state = adam.state();
        BOOST_CHECK_EXCEPTION(adam.step(), Error,
                              says("[RequireFinite] the gradient of layer.b has a NaN or an infinity"));
        finite->rule() = {.skip = true, .most = 2};
        adam.step();
        adam.step();
        BOOST_TEST(finite->shared()[1].item() == 2);
        BOOST_CHECK_EXCEPTION(adam.step(), Error, says("and 2 steps before this have been left out"));
        BOOST_TEST((same_bits(a, before[0]) && same_bits(b, before[1])));
        const NamedTensors now = adam.state();
        for (std::size_t i = 0; i < state.size(); ++i)
          BOOST_TEST(same_bits(state[i].value, now[i].value), state[i].name);
        b.set_grad(full({5001}, 3e38, dtype));  // great, and finite
        adam.step();
        BOOST_TEST(finite->shared()[0].item() == 0);
        BOOST_TEST(finite->steps() == 2);
      }
}

// Rows of an embedding stay rows where that is possible, with the bits that the dense gradient gives.
BOOST_AUTO_TEST_CASE(gradients_by_rows) {
  using namespace optim;
  struct Way {
    std::function<Held(Optimizer&)> attach;
    bool rows;
  };
  for (const Way& way :
       {Way{around(ClipNormRule{.max_norm = 0.1}), true}, Way{around(ClipValueRule{.clip_value = 0.01}), true},
        Way{around(CentralizeRule{}), true}, Way{around(RequireFiniteRule{}, ClipNormRule{.max_norm = 0.1}), true},
        Way{around(ClipAdaptiveRule{}), false}, Way{around(GradientNoiseRule{}), false},
        Way{around(ClipValueRule{.clip_value = 0.01}, AccumulateRule{.steps = 2}), false}}) {
    manual_seed(2);
    const Tensor start = randn({6, 3}, f64), index = tensor({4, 1, 4});
    Parameter picked = parameter(start), dense = parameter(start);
    SGD by_rows({picked}, {.lr = 0.5}), plain({dense}, {.lr = 0.5});
    const Held a = way.attach(by_rows), b = way.attach(plain);
    for (int t = 0; t < 4; ++t) {
      by_rows.zero_grad(), plain.zero_grad();
      sum(square(index_select(picked, 0, index))).backward();
      dense.set_grad(grad(sum(square(index_select(dense, 0, index))), dense)[0]);
      by_rows.step(), plain.step();
      BOOST_TEST(picked.variable()->grad.defined() == false);  // nobody has made it dense
    }
    BOOST_TEST(same_bits(picked, dense));
    BOOST_TEST(!same_bits(picked, start));
  }
}
