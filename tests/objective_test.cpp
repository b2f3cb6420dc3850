// Objective: each answer is right, given once a point, and counted.
#include <boost/test/unit_test.hpp>
#include <set>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "helpers.hpp"
#include "minimize_problems.hpp"

using namespace xgrad;
using namespace helpers;
using problems::off;
using problems::Row;
using problems::rows;

BOOST_AUTO_TEST_CASE(an_objective_answers_once_and_rightly) {
  Parameter a = parameter(tensor({1.0, 2.0})), b = parameter(3.0);
  int calls = 0;
  // f = a0^2 b + a1 b^2: gradient (2 a0 b, b^2, a0^2 + 2 a1 b)
  optim::Objective f(
      "test", {a, b},
      [&] {
        ++calls;
        return square(a[0]) * b + a[1] * square(b);
      },
      optim::Objective::Kind::loss);
  BOOST_TEST(f.size() == 3);
  BOOST_TEST(allclose(f.x(), tensor({1.0, 2.0, 3.0}), 0, 0));
  BOOST_TEST(calls == 0);
  for (int again = 0; again < 2; ++again) {
    BOOST_TEST(f.value() == 21);
    BOOST_TEST(allclose(f.gradient(), tensor({6.0, 9.0, 13.0}), 1e-15));
    BOOST_TEST(f.gradient_norm() == 13);
    BOOST_TEST(allclose(f.hessian(), tensor({{6.0, 0.0, 2.0}, {0.0, 0.0, 6.0}, {2.0, 6.0, 4.0}}), 1e-15));
  }
  BOOST_TEST(allclose(f.hvp(tensor({1.0, -1.0, 2.0})), tensor({10.0, 12.0, 4.0}), 1e-15));
  BOOST_TEST(calls == 1);
  const optim::Objective::Point here = f.here();
  f.move_to(tensor({0.0, 1.0, -1.0}));
  BOOST_TEST(a[1].item() == 1);
  BOOST_TEST(b.item() == -1);
  BOOST_TEST(allclose(f.hvp(tensor({1.0, 0.0, 0.0})), tensor({-2.0, 0.0, 0.0}), 1e-15));
  BOOST_TEST(allclose(f.gradient(), tensor({0.0, 1.0, -2.0}), 1e-15));
  f.move_to(here);
  BOOST_TEST(allclose(f.hessian()[0], tensor({6.0, 0.0, 2.0}), 1e-15));
  BOOST_TEST(calls == 2);
  const optim::Evaluations& e = f.evaluations();
  BOOST_TEST((e.value == 2 && e.gradient == 2 && e.hessian == 1 && e.hvp == 2 && e.jacobian == 0));
  BOOST_CHECK_EXCEPTION(f.residuals(), Error, says("[test] this method works on residuals"));
  BOOST_CHECK_EXCEPTION(f.move_to(tensor({1.0})), Error, says("expected a point of shape (3,), got (1,)"));

  // a loss that is linear has a Hessian of zeros
  optim::Objective line(
      "test", {a, b}, [&] { return sum(2.0 * a) + b; }, optim::Objective::Kind::loss);
  BOOST_TEST(allclose(line.hessian(), zeros({3, 3}, f64), 0, 0));
  BOOST_TEST(allclose(line.hvp(ones({3}, f64)), zeros({3}, f64), 0, 0));
}

// A point is where the parameters are, which f32 may not quite hold.
BOOST_AUTO_TEST_CASE(points_are_what_parameters_hold) {
  Parameter a = parameter(1.0f), b = parameter(1.0);
  optim::Objective f(
      "test", {a, b}, [&] { return square(a) + square(b); }, optim::Objective::Kind::loss);
  f.move_to(tensor({0.1, 0.1}));
  BOOST_TEST(f.x()[0].item() == static_cast<double>(0.1f));
  BOOST_TEST(f.x()[1].item() == 0.1);
}

BOOST_AUTO_TEST_CASE(jacobians_tall_and_wide) {
  manual_seed(4);
  for (const Size m : {1, 2, 3, 7}) {
    Parameter a = parameter(randn({2}, f64)), b = parameter(0.7);
    const Tensor c = randn({m}, f64);
    optim::Objective f(
        "test", {a, b}, [&] { return a[0] * exp(b * c) + square(a[1]) + 0.0 * c; }, optim::Objective::Kind::residuals);
    const Tensor grown = exp(b.value() * c);
    const Tensor expected = stack({grown, 2.0 * a[1].detach() * ones({m}, f64), a[0].detach() * c * grown}, 1);
    BOOST_TEST(allclose(f.jacobian(), expected, 1e-14), m);
    BOOST_TEST(allclose(f.gradient(), matmul(transpose(expected), f.residuals()), 1e-13), m);
    BOOST_TEST(f.value() == 0.5 * sum(square(f.residuals())).item());
    // J^T J + sum r d2r: symmetric, and what differences of the gradient say
    const Tensor h = f.hessian(), x = f.x(), g = f.gradient();
    for (Size i = 0; i < 3; ++i) {
      const Tensor step = pad(full({1}, 1e-6), 0, i, 2 - i);
      f.move_to(x + step);
      const Tensor up = f.gradient();
      f.move_to(x - step);
      BOOST_TEST(allclose(h[i], (up - f.gradient()) / 2e-6, 1e-6, 1e-7), m);
      f.move_to(x);
    }
    BOOST_TEST(f.evaluations().jacobian == 1);
  }
}

// A record that is not kept is gone with the gradient; what needs it calls the function again.
BOOST_AUTO_TEST_CASE(records_are_kept_where_they_are_needed) {
  Parameter a = parameter(tensor({1.0, 2.0}));
  for (const bool keep : {false, true})
    for (const auto kind : {optim::Objective::Kind::loss, optim::Objective::Kind::residuals}) {
      const bool loss = kind == optim::Objective::Kind::loss;
      optim::Objective f(
          "test", {a}, [&] { return loss ? sum(square(square(a))) : square(a); }, kind);
      f.keep_record(keep);
      const Counters grown = during([&] { (void)f.gradient(); });
      BOOST_TEST((grown.taped == 0) == !keep);
      BOOST_TEST(f.value() == (loss ? 17 : 8.5));
      BOOST_TEST(f.evaluations().value == 1);
      if (loss) BOOST_TEST(allclose(f.hessian(), tensor({{12.0, 0.0}, {0.0, 48.0}}), 1e-15));
      else BOOST_TEST(allclose(f.jacobian(), tensor({{2.0, 0.0}, {0.0, 4.0}}), 1e-15));
      BOOST_TEST(f.evaluations().value == (keep ? 1 : 2));
    }
}

// Each point is evaluated once: calls of the loss are what is counted, and no two are at the same place.
BOOST_AUTO_TEST_CASE(no_point_is_evaluated_twice) {
  for (const Row& row : rows)
    for (const problems::Problem& p : problems::all()) {
      if (row.too_hard.count(p.name)) continue;
      Parameter x = parameter(tensor(p.start));
      std::set<std::vector<double>> seen;
      Size calls = 0;
      const auto residuals = [&] {
        ++calls;
        seen.insert(x.value().to_vector<double>());
        return p.residuals(x);
      };
      const auto made = row.make(x);
      const optim::Stop stop{.max_iterations = row.most_iterations, .gradient_tolerance = 1e-8};
      const optim::Result fit = row.of_residuals ? optim::least_squares(*made, residuals, stop)
                                                 : optim::minimize(
                                                       *made, [&] { return sum(square(residuals())); }, stop);
      BOOST_TEST(fit.evaluations.value == calls);
      BOOST_TEST(static_cast<Size>(seen.size()) == calls,
                 row.name << seen.size() << " of " << calls << " on " << p.name);
      BOOST_TEST(fit.evaluations.gradient <= calls);
      BOOST_TEST(fit.evaluations.hessian <= fit.iterations + 1);
    }
}
