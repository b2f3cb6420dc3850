// L-BFGS's direction against -H g with the matrix H that the pairs stand for, and which pairs are kept.
#include <boost/test/unit_test.hpp>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "optim/methods/two_loops.hpp"
#include "optim/methods/vectors.hpp"

using namespace xgrad;

namespace {

Tensor column(const std::vector<double>& x) { return reshape(tensor(x), {-1, 1}); }

// H <- (I - rho s y^T) H (I - rho y s^T) + rho s s^T, from (s^T y / y^T y) I of the last pair   (Nocedal & Wright 2006, 7.16)
Tensor inverse(const std::vector<optim::LBFGSRule::State::Pair>& pairs, Size n) {
  const Tensor one = eye(n, f64);
  if (pairs.empty()) return one;
  Tensor h;
  for (const auto& pair : pairs) {
    const Tensor s = column(pair.s), y = column(pair.y), last_s = column(pairs.back().s),
                 last_y = column(pairs.back().y);
    const Tensor rho = 1.0 / sum(s * y);
    if (!h.defined()) h = sum(last_s * last_y) / sum(last_y * last_y) * one;
    h = matmul(matmul(one - rho * matmul(s, transpose(y)), h), one - rho * matmul(y, transpose(s))) +
        rho * matmul(s, transpose(s));
  }
  return h;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_direction_is_that_of_the_matrix) {
  const Size n = 7;
  const Tensor weights = arange(1.0, n + 1.0);
  Parameter x = parameter(zeros({n}, f64));
  optim::Objective f(
      "test", {x}, [&] { return sum(weights * square(x)) + 0.1 * sum(exp(x)); }, optim::Objective::Kind::loss);
  optim::LBFGSRule::State state;
  for (int step = 0; step < 9; ++step) {
    BOOST_TEST(state.pairs.size() == static_cast<std::size_t>(std::min(step, 4)));
    const Tensor from = f.x(), g = f.gradient();
    const optim::Direction along(optim::numbers(g), n, state.pairs);
    const Tensor d = -matmul(inverse(state.pairs, n), g);
    BOOST_TEST(allclose(along.d, d, 1e-12, 1e-12), step);
    BOOST_TEST(std::abs(along.slope - sum(d * g).item()) <= 1e-12 * std::abs(along.slope));
    f.move_to(from + sin(arange(0.0, static_cast<double>(n)) * (step + 1)));
    optim::remember(f, from, g, 1e-3, 4, state);
  }
}

// Along a step on which the slope fell there is no pair, and the oldest stays.
BOOST_AUTO_TEST_CASE(what_is_not_kept_moves_nothing_out) {
  Parameter x = parameter(tensor({1.0}));
  optim::Objective f(
      "test", {x}, [&] { return sum(cos(x)); }, optim::Objective::Kind::loss);  // convex from pi / 2 to 3 pi / 2
  optim::LBFGSRule::State state;
  const auto go = [&](double to) {
    const Tensor from = f.x(), g = f.gradient();
    f.move_to(tensor({to}));
    optim::remember(f, from, g, 1e-3, 2, state);
  };
  go(1.1);
  BOOST_TEST(state.pairs.empty());
  go(2.5);
  go(3.0);
  const std::vector<double> oldest = state.pairs[0].s;
  f.move_to(tensor({1.0}));
  go(1.2);
  BOOST_TEST(state.pairs.size() == 2);
  BOOST_TEST(state.pairs[0].s == oldest);
  go(2.0);
  BOOST_TEST((state.pairs.size() == 2 && state.pairs[0].s != oldest));
}
