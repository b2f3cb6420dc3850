// Minimisers within bounds, and what bounds and penalties refuse.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

#include "helpers.hpp"
#include "minimize_problems.hpp"
#include "references/references.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(),
                 not_a_number = std::numeric_limits<double>::quiet_NaN();

struct Row {
  const char* name;
  std::function<std::unique_ptr<optim::Method>(const Parameters&, const optim::Bounds&)> make;
  std::set<int> too_hard = {};
};
const Row rows[] = {
    {"LBFGSB",
     [](const Parameters& p, const optim::Bounds& b) {
       return std::make_unique<optim::LBFGSB>(p, optim::LBFGSBRule{.bounds = b});
     },
     {3}},
    {"ProjectedNewton",
     [](const Parameters& p, const optim::Bounds& b) {
       return std::make_unique<optim::ProjectedNewton>(p, optim::ProjectedNewtonRule{.bounds = b});
     }},
    {"ProximalGradient",
     [](const Parameters& p, const optim::Bounds& b) {
       return std::make_unique<optim::ProximalGradient>(p, optim::ProximalGradientRule{.bounds = b});
     },
     {3, 14, 18, 24}},
    {"FISTA",
     [](const Parameters& p, const optim::Bounds& b) {
       return std::make_unique<optim::FISTA>(p, optim::FISTARule{.bounds = b});
     },
     {3, 14, 24}},
};

}  // namespace

// Gay's bounds (1984) for the problems of Moré, Garbow & Hillstrom, and some more: the value that SciPy finds, a point
// within bounds at each iteration, and a gradient that points out of them at the end.
BOOST_AUTO_TEST_CASE(every_method_within_bounds) {
  const references::File scipy("minimisers");
  std::string table;
  for (const Row& row : rows) {
    table += fmt::format("{:18}", row.name);
    for (int number = 1; number <= 35; ++number) {
      const auto key = [&](const char* what) { return fmt::format("{:02}.{}", number, what); };
      if (!scipy.has(key("box.least"))) continue;
      const problems::Problem& p = problems::more_garbow_hillstrom()[static_cast<std::size_t>(number - 1)];
      const Tensor lower = scipy[key("lower")], upper = scipy[key("upper")];
      Parameter x = parameter(tensor(p.start));
      const auto within = [&] { return all(logical_and(x >= lower, x <= upper)).item() != 0; };
      bool always = true;
      const auto made = row.make({x}, {{x, lower, upper}});
      const auto loss = [&] {
        always = always && within();
        return sum(square(p.residuals(x)));
      };
      const optim::Result fit = optim::minimize(*made, loss, {.max_iterations = 6000, .gradient_tolerance = 1e-8});
      const double least = scipy[key("box.least")].item();
      const bool right = std::abs(fit.value - least) <= 1e-7 * least + 1e-11;
      table += fmt::format("  {}:{}/{}{}", number, fit.iterations, fit.evaluations.value,
                           right ? "" : fmt::format(" {:.3g} {}", fit.value, to_string(fit.reason)));
      BOOST_TEST(always, row.name << " on " << p.name);
      if (row.too_hard.count(number)) continue;
      BOOST_TEST(right, row.name << " on " << p.name << ": " << fit.value << ", not " << least << ": "
                                 << to_string(fit.reason));
      const Tensor g = grad(loss(), x)[0];
      const double residual = amax(abs(clamp(g, x - upper, x - lower))).item();
      BOOST_TEST(std::abs(fit.gradient_norm - residual) <= 1e-12 * (1 + residual), row.name << " on " << p.name);
    }
    table += "\n";
  }
  BOOST_TEST_MESSAGE(table);
}

// No method says that it has converged where it has not: boxes that hold the minimum of one number, and not of the other.
BOOST_AUTO_TEST_CASE(converged_is_a_minimum) {
  for (const Row& row : rows)
    for (const double weight : {0.03, 0.1, 0.3, 1.0, 3.0, 10.0})
      for (const double centre : {-3.0, -1.0, -0.1, 2.0, 6.0})
        for (const double begin : {5.0, 2.5}) {
          Parameter x = parameter(tensor({begin, 5.0}));
          const auto made = row.make({x}, {{x, 0.0, 5.0}});
          const Tensor w = tensor({1.0, weight}), c = tensor({centre, -centre});
          const optim::Result fit = optim::minimize(*made, [&] { return sum(w * square(x - c)); });
          const double least = sum(w * square(clamp(c, 0.0, 5.0) - c)).item();
          BOOST_TEST((fit.converged && std::abs(fit.value - least) <= 1e-10 * (1 + least)),
                     row.name << " " << weight << " " << centre << " " << begin << ": " << fit.value << ", not "
                              << least << ": " << to_string(fit.reason));
        }
}

// A start outside moves in; bounds of f32 are what f32 holds; equal ones fix a number.
BOOST_AUTO_TEST_CASE(starts_dtypes_and_fixed_numbers) {
  for (const Row& row : rows) {
    Parameter a = parameter(tensor(std::vector<float>{5.0f, -5.0f})), b = parameter(3.0);
    const auto made = row.make({a, b}, {{a, 0.1, 0.7}, {b, 2.5, 2.5}});
    const optim::Result fit = optim::minimize(*made, [&] { return sum(square(a - 1.0)) + square(b) + a[1] * b; });
    BOOST_TEST(fit.converged, row.name << " " << to_string(fit.reason));
    BOOST_TEST((a[0].item() == 0.7f && a[1].item() == 0.1f && b.item() == 2.5), row.name << " " << a);
  }
}

BOOST_AUTO_TEST_CASE(ways_to_say_it) {
  Parameter a = parameter(tensor({{4.0, 5.0}, {6.0, 7.0}})), b = parameter(-3.0);
  const auto loss = [&] { return sum(square(a)) + square(b); };
  const auto ends = [&](const optim::Bounds& bounds) {
    a.assign(tensor({{4.0, 5.0}, {6.0, 7.0}}));
    b = -3.0;
    optim::LBFGSB method({a, b}, {.bounds = bounds});
    BOOST_TEST(optim::minimize(method, loss).converged);
    return concat({reshape(a, {4}), reshape(b, {1})});
  };
  BOOST_TEST(allclose(ends({}), zeros({5}, f64), 0, 1e-6));
  BOOST_TEST(allclose(ends({1.0, 2.0}), ones({5}, f64), 0, 0));
  BOOST_TEST(allclose(ends({{b, -infinity, -1.0}}), tensor({0.0, 0.0, 0.0, 0.0, -1.0}), 0, 1e-6));
  BOOST_TEST(allclose(ends({{a, 1.0}}), tensor({1.0, 1.0, 1.0, 1.0, 0.0}), 0, 1e-6));
  BOOST_TEST(allclose(ends({{a, tensor({1.0, 2.0})}, {b, -9.0, -2.0}}), tensor({1.0, 2.0, 1.0, 2.0, -2.0}), 0, 0));
  BOOST_TEST(allclose(ends({{a, tensor({{1.0}, {2.0}}), infinity}}), tensor({1.0, 1.0, 2.0, 2.0, 0.0}), 0, 1e-6));
  // by the names of a model
  nn::Linear layer(2, 1);
  const Parameters all = nn::parameters(layer);
  optim::LBFGSB method(all, {.bounds = {{all["weight"], 0.5, 1.0}}});
  optim::minimize(method, [&] { return sum(layer(ones({1, 2}, f32))) + sum(square(layer.bias)); });
  BOOST_TEST(allclose(layer.weight, full({1, 2}, 0.5f), 0, 0));
}

// OWL-QN ends where FISTA does, at the same zeros, in fewer calls: logistic regression of 30 columns, of which 4 matter, and an
// intercept without a penalty; from zeros, and from far away.
BOOST_AUTO_TEST_CASE(orthant_wise) {
  manual_seed(5);
  const Tensor x = randn({200, 30}, f64) * exp(linspace(-1.5, 1.5, 30, f64)),
               labels = cast(matmul(slice(x, 1, 12, 16), tensor({2.0, -1.0, 1.5, 0.5})) + randn({200}, f64) > 0.3, f64);
  for (const double weight : {0.1, 0.02, 0.002})
    for (const double start : {0.0, 3.0}) {
      Parameter w = parameter(full({30}, start, f64)), b = parameter(start);
      const auto loss = [&] { return nn::binary_cross_entropy_with_logits(matmul(x, w) + b, labels); };
      const optim::Stop stop{.max_iterations = 20000, .gradient_tolerance = 1e-9};
      optim::FISTA fista({w, b}, {.l1 = {{w, weight}}});
      const optim::Result by_fista = optim::minimize(fista, loss, stop);
      const Tensor there = w.value(), intercept = b.value();
      w = full({30}, start, f64);
      b = start;
      optim::OWLQN owlqn({w, b}, {.l1 = {{w, weight}}});
      const optim::Result fit = optim::minimize(owlqn, loss, stop);
      const std::string what = fmt::format("{} from {}: {} after {} calls, {} after {}", weight, start, fit.reason,
                                           fit.evaluations.value, by_fista.reason, by_fista.evaluations.value);
      BOOST_TEST_MESSAGE(what);
      BOOST_TEST((fit.converged && by_fista.converged), what);
      BOOST_TEST(std::abs(fit.value - by_fista.value) <= 1e-12 * fit.value, what);
      BOOST_TEST((allclose(w, there, 0, 1e-5) && allclose(b, intercept, 0, 1e-5)), what);
      BOOST_TEST(all((w == 0.0) == (there == 0.0)).item(), what << ": " << w << " and " << there);
      BOOST_TEST(fit.evaluations.value < by_fista.evaluations.value, what);
    }
  // without a penalty it is L-BFGS
  Parameter x1 = parameter(tensor({-1.2, 1.0}));
  optim::OWLQN plain({x1});
  BOOST_TEST(
      optim::minimize(plain, [&] { return 100.0 * square(x1[1] - square(x1[0])) + square(1.0 - x1[0]); }).converged);
  BOOST_TEST(allclose(x1, ones({2}, f64), 0, 1e-5));
}

BOOST_AUTO_TEST_CASE(bad_input) {
  Parameter x = parameter(tensor({1.0, 2.0})), y = parameter(1.0), other = parameter(0.0);
  const auto refused = [&](const std::function<void()>& call, const std::string& part) {
    BOOST_CHECK_EXCEPTION(call(), Error, says(part));
  };
  refused(
      [&] {
        optim::LBFGSB({x, y}, {.bounds = {2.0, 1.0}});
      },
      "[LBFGSB] expected a lower bound that is at most the upper one, got 2 and 1 for the parameter 0");
  refused(
      [&] {
        optim::ProjectedNewton({x, y}, {.bounds = {{x, 0.0}, {y, 3.0, tensor(2.0)}}});
      },
      "got 3 and 2 for the parameter 1");
  refused([&] { optim::FISTA({x}, {.bounds = {{x, tensor({0.0, 5.0}), 4.0}}}); }, "got 5 and 4");
  refused([&] { optim::LBFGSB({x}, {.bounds = {not_a_number, 1.0}}); }, "got nan and 1");
  refused([&] { optim::LBFGSB({x}, {.bounds = {infinity, infinity}}); }, "got inf and inf");
  refused(
      [&] {
        optim::LBFGSB({x}, {.bounds = {{x, tensor({1.0, 2.0, 3.0})}}});
      },
      "expected bounds of the shape of the parameter 0, (2,), or one number, got shape (3,)");
  refused([&] { optim::LBFGSB({x}, {.bounds = {{x, zeros({1, 2}, f64)}}}); }, "got shape (1, 2)");
  refused(
      [&] {
        optim::LBFGSB({x}, {.bounds = {{other, 0.0}}});
      },
      "[LBFGSB] bounds are given for a parameter that is not one of the method's");
  refused([&] { optim::LBFGSB({x}, {.bounds = {{x, 0.0}, {x, 1.0}}}); }, "bounds of the parameter 0 are there twice");
  refused([&] { optim::ProximalGradient({x}, {.l1 = -1.0}); },
          "[ProximalGradient] expected a finite l1 of 0 or more, got -1");
  refused([&] { optim::FISTA({x}, {.l1 = {{x, not_a_number}}}); }, "l1 of 0 or more");
  refused([&] { optim::OWLQN({x}, {.l1 = -1.0}); }, "[OWLQN] expected a finite l1 of 0 or more, got -1");
  refused([&] { optim::OWLQN({x}, {.history = 0}); }, "a history of 1 pair or more, got 0");
  refused([&] { optim::OWLQN({x}, {.armijo = 1}); }, "armijo");
  refused([&] { optim::OWLQN({x}, {.max_trials = 0}); }, "1 trial or more");
  refused([&] { optim::FISTA({x}, {.l1 = {{other, 1.0}}}); }, "weights are given for a parameter that is not");
  BOOST_TEST(line_of_error([&] { optim::LBFGSB({x}, {.bounds = {2.0, 1.0}}); }) == __LINE__);
}
