// Parameters that are not trained for a while.
#include <boost/test/unit_test.hpp>

#include <xgrad/xgrad.hpp>
#include "helpers.hpp"

using namespace xgrad;
using helpers::same_bits;

namespace {
struct Net {
  nn::Linear hidden{3, 4}, output{4, 2};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};
}  // namespace

BOOST_AUTO_TEST_CASE(a_constant_for_a_while) {
  Parameter a = parameter(tensor({1.0, 2.0})), b = parameter(3.0);
  const Tensor before = sum(a * b);
  b.requires_grad(false);
  BOOST_TEST(!b.requires_grad());
  BOOST_TEST(a.requires_grad());
  sum(a * b).backward();
  BOOST_TEST(same_bits(a.grad(), tensor({3.0, 3.0})));
  BOOST_TEST(!b.grad().defined());
  BOOST_CHECK_THROW(grad(sum(b * b), b), Error);
  BOOST_TEST(grad(before, b)[0].item() == 3.0);  // what was recorded stays
  b = 4.0;
  BOOST_TEST(!b.requires_grad());  // another value changes nothing
  Parameter copy = b;
  BOOST_TEST(!copy.requires_grad());
  b.requires_grad(true);
  BOOST_TEST(!copy.requires_grad());
  a.zero_grad();
  sum(a * b).backward();
  BOOST_TEST(b.grad().item() == 3.0);
  b.requires_grad(false);
  BOOST_TEST(!b.grad().defined());
  Parameter empty;
  BOOST_CHECK_EXCEPTION(empty.requires_grad(false), Error, helpers::says("[requires_grad] of an empty Parameter"));
}

BOOST_AUTO_TEST_CASE(part_of_a_model) {
  manual_seed(1);
  Net net;
  const Tensor x = randn({16, 3}), labels = randint(0, 2, {16}), hidden = net.hidden.weight, output = net.output.weight;
  optim::Adam optimizer(nn::parameters(net));
  const auto work = [&] {
    optimizer.zero_grad();
    const Tensor loss = nn::cross_entropy(net(x), labels);
    nn::verify(net, loss);
    loss.backward();
    optimizer.step();
  };
  const std::uint64_t all = helpers::during(work).recorded;
  const Tensor trained = net.hidden.weight;
  BOOST_TEST(!same_bits(trained, hidden));
  freeze(nn::parameters(net).where([](const std::string& name) { return name.find("hidden") == 0; }));
  const std::uint64_t some = helpers::during(work).recorded;
  BOOST_TEST(some < all);  // the frozen gradients' work is saved
  BOOST_TEST(same_bits(net.hidden.weight, trained));
  BOOST_TEST(!same_bits(net.output.weight, output));
  freeze(nn::parameters(net), false);
  work();
  BOOST_TEST(!same_bits(net.hidden.weight, trained));
  freeze(nn::parameters(net));
  BOOST_CHECK_THROW(work(), Error);  // nothing is left to train
  BOOST_CHECK_EXCEPTION(
      nn::cross_entropy(net(x), labels).backward(), Error,
      helpers::says("no parameter leads here; it was made from tensors alone, or from Parameters that are frozen"));
}
