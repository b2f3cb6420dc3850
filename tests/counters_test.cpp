// The engine's own counts: none of them comes round in a program's life.
#include <boost/test/unit_test.hpp>
#include <limits>

#include <xgrad/autodiff.hpp>
#include "autodiff/engine/thread.hpp"
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

// Forward, backward, evaluations of what waits and a look at an intermediate.
Tensors step(Size n) {
  Parameter p = parameter(linspace(0.1, 1, n, f64));
  const Tensor a = tanh(p * 2.0), b = exp(a) * p, c = sum(b / (1 + a * a));
  const Tensor sum_of_b = evaluate(sum(b));
  c.backward();
  const Tensor waiting = sqrt(square(p)) + 1;
  return {evaluate(c), p.grad(), sum_of_b, evaluate(waiting),
          value_and_grad([](const Tensor& x) { return sum(x * x * x); }, p).grad};
}

}  // namespace

// A walk is told by its number from those before, and from none.
BOOST_AUTO_TEST_CASE(walks_past_2_to_the_32) {
  auto& walks = engine::current().walks;
  for (const Size n : {Size{3}, Size{3000}}) {
    const Tensors expected = step(n);
    for (std::uint64_t before = 40; before > 0; --before) {
      walks = static_cast<std::decay_t<decltype(walks)>>((std::uint64_t{1} << 32) - before);
      const Tensors got = step(n);
      for (std::size_t i = 0; i < got.size(); ++i) BOOST_TEST(same_bits(got[i], expected[i]));
    }
  }
  BOOST_TEST(walks > std::numeric_limits<std::uint32_t>::max());
}

BOOST_AUTO_TEST_CASE(a_node_of_70000_uses) {
  constexpr int uses = 70000;
  for (const Size n : {Size{2}, Size{1500}}) {
    Parameter p = parameter(linspace(0.1, 1, n, f64));
    const Tensor h = tanh(p);
    Tensor total = zeros({n}, f64);
    for (int i = 0; i < uses; ++i) total = total + h * 0.5;
    BOOST_TEST(allclose(total, uses / 2 * tanh(p)));
    sum(total).backward();
    BOOST_TEST(allclose(p.grad(), uses / 2 * (1 - square(tanh(p)))));
  }
}

BOOST_AUTO_TEST_CASE(many_in_one_expression) {
  const Tensor x = evaluate(linspace(0.1, 1, 1500, f64));
  Tensor y = x;
  for (int i = 0; i < 300; ++i) y = std::move(y) + tanh(exp(x) * 0.5) * 1e-3;  // temporaries, lent
  BOOST_TEST(allclose(y, x + 0.3 * tanh(exp(x) * 0.5)));
  std::vector<Tensor> handles(70000, y);
  BOOST_TEST(allclose(sum(handles.back()), sum(y)));
  handles.clear();
  BOOST_TEST(allclose(y, x + 0.3 * tanh(exp(x) * 0.5)));
}

BOOST_AUTO_TEST_CASE(more_inputs_than_16_bits_count) {
  constexpr Size many = 70000;
  Parameter p = parameter(linspace(0.1, 1, many, f64));
  Tensors parts;
  for (Size i = 0; i < many; ++i) parts.push_back(p[i]);
  const Tensor joined = stack(parts);
  BOOST_TEST(allclose(joined, p));
  BOOST_TEST(allclose(grad(sum(square(joined)), {p})[0], 2 * p));
  const FunctionOfMany last = [](const Tensors& in) { return in[0] * in[in.size() - 1]; };
  BOOST_CHECK_EXCEPTION(checkpoint(last, parts), Error, says("at most 65535"));
  const CustomOp op(
      {.name = "mine", .forward = last, .vjp = [](const Tensor&, const Tensors&, const Tensor&) { return Tensors(); }});
  BOOST_CHECK_EXCEPTION(op(parts), Error, says("at most 65535"));
  Tensors values;
  for (Size i = 0; i < many; ++i) values.push_back(tensor(1.0 + static_cast<double>(i)));
  const ValueAndGrads all = value_and_grad(last, values);
  BOOST_TEST(all.value.item() == static_cast<double>(many));
  BOOST_TEST(all.grads[0].item() == static_cast<double>(many));
  BOOST_TEST(all.grads[many - 1].item() == 1);
}
