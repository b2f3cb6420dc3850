// Minimisers on problems with known ends, in so many steps at most: quadratics by condition, valleys, many minima,
// regressions.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

#include "minimize_problems.hpp"

using namespace xgrad;
using problems::Row;
using problems::rows;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

optim::Result run(const Row& row, Parameter& x, const Callable<Tensor()>& loss, double tolerance = 1e-8,
                  Size most = 5000) {
  const auto made = row.make(x);
  return optim::minimize(*made, loss, {.max_iterations = most, .gradient_tolerance = tolerance});
}

bool is(const Row& row, const char* name) { return std::string(row.name).find(name) == 0; }

}  // namespace

// 1/2 sum l_i (x_i - 1)^2 of 20 numbers, l from 1 to the condition. Newton's methods take one step; conjugate gradients
// end in 20 steps by the book, where searches are exact; these are not, and a bad condition costs its root times as
// many.
BOOST_AUTO_TEST_CASE(quadratics_by_condition) {
  for (const double condition : {1.0, 10.0, 100.0, 1e4}) {
    const Tensor l = exp(linspace(0.0, std::log(condition), 20, f64));
    for (const Row& row : rows) {
      if (row.of_residuals) continue;
      Parameter x = parameter(zeros({20}, f64));
      const optim::Result fit = run(row, x, [&] { return 0.5 * sum(l * square(x - 1.0)); });
      BOOST_TEST(fit.converged, row.name << " " << condition << ": " << to_string(fit.reason));
      BOOST_TEST(allclose(x, ones({20}, f64), 0, 1e-7), row.name << " " << condition);
      const Size most = is(row, "Newton") && !is(row, "NewtonCG") ? 1
                        : is(row, "ProjectedNewton")              ? 1
                        : is(row, "NewtonCG")                     ? 25
                        : is(row, "BFGS")                         ? 200
                                                                  : static_cast<Size>(60 + 20 * std::sqrt(condition));
      BOOST_TEST(fit.iterations <= most, row.name << " " << condition << ": " << fit.iterations);
    }
  }
}

struct Known {
  const char* name;
  std::vector<double> start;
  std::function<Tensor(const Tensor& x)> loss;
  double least;
  double other = infinity;  // another minimum's
};

// The ends of ensmallen's tests (tests/*.cpp), from its starts.
BOOST_AUTO_TEST_CASE(known_ends) {
  const Known known[] = {
      {"Himmelblau",
       {5, -5},
       [](const Tensor& x) { return square(square(x[0]) + x[1] - 11.0) + square(x[0] + square(x[1]) - 7.0); },
       0},
      {"Booth",
       {-9, -9},
       [](const Tensor& x) { return square(x[0] + 2.0 * x[1] - 7.0) + square(2.0 * x[0] + x[1] - 5.0); },
       0},
      {"Matyas", {-3, 3}, [](const Tensor& x) { return 0.26 * sum(square(x)) - 0.48 * x[0] * x[1]; }, 0},
      {"Beale",
       {2.8, 0.35},
       [](const Tensor& x) { return sum(square(problems::more_garbow_hillstrom()[4].residuals(x))); },
       0},
      {"three-hump camel",
       {1, 1},
       [](const Tensor& x) {
         const Tensor s = square(x[0]);
         return 2.0 * s - 1.05 * s * s + s * s * s / 6.0 + x[0] * x[1] + square(x[1]);
       },
       0,
       0.29863844},
      {"Styblinski-Tang",
       {-5, -5},
       [](const Tensor& x) {
         const Tensor s = square(x);
         return 0.5 * sum(s * s - 16.0 * s + 5.0 * x);
       },
       -78.33233140754282},
      {"Colville",
       {-5, 3, 1, -9},
       [](const Tensor& x) { return sum(square(problems::more_garbow_hillstrom()[13].residuals(x))); },
       0},
  };
  for (const Known& k : known)
    for (const Row& row : rows) {
      if (row.of_residuals) continue;
      Parameter x = parameter(tensor(k.start));
      const optim::Result fit = run(row, x, [&] { return k.loss(x); });
      BOOST_TEST(fit.converged, row.name << " on " << k.name << ": " << to_string(fit.reason));
      BOOST_TEST((std::abs(fit.value - k.least) <= 1e-8 || std::abs(fit.value - k.other) <= 1e-8),
                 row.name << " on " << k.name << ": " << fit.value);
      BOOST_TEST(fit.iterations <= (is(row, "CG") || is(row, "Gradient") ? 2000 : 150),
                 row.name << " on " << k.name << ": " << fit.iterations);
    }
}

// Of little curvature on the way, and much at the minimum: that is no kink.
BOOST_AUTO_TEST_CASE(curvature_that_grows) {
  const Tensor w = tensor({1.0, 1000.0}), c = tensor({1.0, 2.0});
  const std::pair<const char*, problems::Make> along_gradients[] = {
      {"GradientDescent", problems::method<optim::GradientDescent>()},
      {"FISTA", problems::method<optim::FISTA>()},
      {"ProximalGradient", problems::method<optim::ProximalGradient>()},
      {"NonlinearCG", problems::method<optim::NonlinearCG>()}};
  for (const auto& [name, make] : along_gradients) {
    Parameter p = parameter(tensor({1e7, 1e6}));
    const auto made = make(p);
    const optim::Result fit =
        optim::minimize(*made, [&] { return 1e3 * (1 + log(1 + sum(w * square(p - c)))); }, {.max_iterations = 20'000});
    BOOST_TEST(fit.converged, name << ": " << fit.value << " " << to_string(fit.reason));
    BOOST_TEST(fit.value - 1e3 < 1e-6, name << ": " << fit.value);
  }
}

// Losses with kinks are not for these methods; but what says that it has converged is a minimum.
BOOST_AUTO_TEST_CASE(kinks) {
  const Tensor t = linspace(-1.0, 2.0, 15, f64), y = 0.7 * t + 0.4 + 0.5 * sin(9.0 * t), c = tensor({0.9, -0.4, 2.0});
  const Known kinked[] = {
      {"x and 10 y", {3.3, -0.7}, [](const Tensor& x) { return abs(x[0]) + 10.0 * abs(x[1]); }, 0},
      {"deviations", {5.0, 0.0}, [&](const Tensor& x) { return mean(abs(x[0] * t + x[1] - y)); }, 0},
      {"a penalty", {1.0, 1.0, 1.0}, [&](const Tensor& x) { return sum(square(x - c)) + sum(abs(x)); }, 0}};
  std::vector<Row> all(std::begin(rows), std::end(rows));
  std::erase_if(all, [](const Row& row) { return row.of_residuals; });
  all.push_back({"GradientDescent", problems::method<optim::GradientDescent>(), false, 500});
  all.push_back({"FISTA", problems::method<optim::FISTA>(), false, 500});
  all.push_back({"ProximalGradient", problems::method<optim::ProximalGradient>(), false, 500});
  for (Known problem : kinked) {
    // The least value: by steps in every direction that become shorter.
    Parameter best = parameter(tensor(problem.start));
    problem.least = problem.loss(best).item();
    for (double length = 1; length > 1e-9; length *= 0.9)
      for (int k = 0; k < 64; ++k) {
        const Tensor to = best + length * sin(cast(arange(best.value().numel()), f64) * (0.7 + 0.41 * k) + 1.3 * k);
        if (const double value = problem.loss(to).item(); value < problem.least) problem.least = value, best = to;
      }
    for (const Row& row : all) {
      Parameter x = parameter(tensor(problem.start));
      const optim::Result fit = run(row, x, [&] { return problem.loss(x); });
      BOOST_TEST((!fit.converged || fit.value <= problem.least + 1e-6),
                 row.name << " on " << problem.name << ": " << fit.value << ", not " << problem.least << ": "
                          << to_string(fit.reason));
    }
  }
}

// Across a stretch where the slope falls along the step: (1/a - 2)^2 / 2 is steep at 0.01, overshot to 1, and concave from 3/4 on;
// log(1 + 10^4 a^2) is concave but next to 0. What was learnt where it was steep must not make steps short for ever.
BOOST_AUTO_TEST_CASE(negative_curvature_on_the_way) {
  std::vector<Row> all(std::begin(rows), std::end(rows));
  const auto add = [&](const char* name, problems::Make make) { all.push_back({name, std::move(make), false, 0}); };
  add("GradientDescent", problems::method<optim::GradientDescent>());
  add("GradientDescent, Barzilai-Borwein, memory 1",
      problems::method<optim::GradientDescent>(optim::GradientDescentRule{.barzilai_borwein = true}));
  add("OWLQN", problems::method<optim::OWLQN>());
  add("OWLQN, L1", problems::method<optim::OWLQN>(optim::OWLQNRule{.l1 = 1e-4}));
  add("FISTA, L1", problems::method<optim::FISTA>(optim::FISTARule{.l1 = 1e-4}));
  add("ProximalGradient", problems::method<optim::ProximalGradient>());
  for (const Row& row : all) {
    if (row.of_residuals) continue;
    const auto ends = [&](double start, double least, const std::function<Tensor(const Tensor& a)>& loss) {
      Parameter a = parameter(start);
      const auto made = row.make(a);
      const optim::Result fit = optim::minimize(*made, [&] { return loss(a); }, {.max_iterations = 100});
      BOOST_TEST(fit.converged, row.name << " from " << start << ": " << to_string(fit.reason) << " at " << a.item());
      BOOST_TEST(std::abs(a.item() - least) < 1e-4, row.name << " from " << start << ": " << a.item());
    };
    for (const double start : {0.01, 0.03})
      ends(start, 0.5, [](const Tensor& a) { return 0.5 * square(1.0 / a - 2.0); });
    ends(3, 0, [](const Tensor& a) { return log1p(1e4 * square(a)); });
  }
}

// Rosenbrock's function of 100 parameters, coupled (each x_i with the next), from (-1.2, 1, ..): to 1s, or to the other
// minimum that it has.
BOOST_AUTO_TEST_CASE(rosenbrock_of_100) {
  for (const Row& row : rows) {
    if (row.of_residuals || is(row, "CG, Fl") || is(row, "CG, Dai")) continue;
    std::vector<double> start;
    for (int i = 0; i < 50; ++i) start.insert(start.end(), {-1.2, 1.0});
    Parameter x = parameter(tensor(start));
    const optim::Result fit = run(
        row, x,
        [&] {
          const Tensor a = slice(x, 0, 0, 99), b = slice(x, 0, 1, 100);
          return sum(100.0 * square(b - square(a)) + square(1.0 - a));
        },
        1e-7, 20000);
    BOOST_TEST(fit.converged, row.name << " " << to_string(fit.reason));
    BOOST_TEST((fit.value <= 1e-10 || std::abs(fit.value - 3.98662) < 1e-4), row.name << " " << fit.value);
  }
}

// Logistic regression with a ridge: all methods agree on the minimum, to the digits of Newton's.
BOOST_AUTO_TEST_CASE(logistic_regression) {
  manual_seed(12);
  const Tensor features = randn({300, 4}, f64),
               labels = cast(matmul(features, tensor({1.5, -1.0, 0.5, 0.0})) + 0.5 * randn({300}, f64) > 0.0, f64);
  Tensor exact;
  for (const bool first : {true, false})
    for (const Row& row : rows) {
      if (row.of_residuals || first != (std::string(row.name) == "Newton")) continue;
      Parameter w = parameter(zeros({4}, f64));
      const optim::Result fit = run(
          row, w,
          [&] { return nn::binary_cross_entropy_with_logits(matmul(features, w), labels) + 1e-3 * sum(square(w)); },
          1e-9);
      BOOST_TEST(fit.converged, row.name << " " << to_string(fit.reason));
      if (first) exact = w.value();
      BOOST_TEST(allclose(w, exact, 1e-6), row.name);
      BOOST_TEST(fit.iterations <= (first ? 9 : 120), row.name << " " << fit.iterations);
    }
}

// An optimizer that something stands around: a call that it only waits in is no iteration, and no end.
BOOST_AUTO_TEST_CASE(optimizers_that_wait) {
  for (const optim::Stop& stop : {optim::Stop{.loss_tolerance = 1e-9}, optim::Stop{.step_tolerance = 1e-9}}) {
    Parameter w = parameter(5.0);
    optim::SGD sgd({w}, {.lr = 0.1});
    const optim::Accumulate parts(sgd, {.steps = 4});
    const optim::Result fit = optim::minimize(
        sgd, [&] { return square(w - 1.0); }, stop);
    BOOST_TEST(fit.converged);
    BOOST_TEST(fit.iterations == sgd.steps());
    BOOST_TEST(std::abs(w.item() - 1) < 1e-6);
  }
  Parameter w = parameter(0.0);
  optim::SGD sgd({w}, {.lr = 0.1});
  const optim::Accumulate parts(sgd, {.steps = 200'000});
  BOOST_CHECK_EXCEPTION(optim::minimize(sgd, [&] { return square(w - 1.0); }), Error, [](const Error& e) {
    return std::string(e.what()).find("[minimize] expected a step, but in 100000 calls") != std::string::npos;
  });
  BOOST_TEST(w.item() == 0);
}

// A loss that throws: the best point is back, and the optimizer knows.
BOOST_AUTO_TEST_CASE(best_points_after_an_exception) {
  Parameter w = parameter(5.0);
  int calls = 0;
  optim::ScheduleFreeSGD free({w}, {.lr = 0.9});
  BOOST_CHECK_THROW(optim::minimize(free,
                                    [&] {
                                      if (++calls > 20) throw std::runtime_error("mine");
                                      return square(w - 1.0);
                                    },
                                    {.gradient_tolerance = 1e-300}),
                    std::runtime_error);
  const double best = w.item();
  BOOST_TEST(free.holds_best());
  free.eval();
  BOOST_TEST(w.item() == best);
}
