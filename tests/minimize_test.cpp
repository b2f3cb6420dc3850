// Minimisers: every method on every problem, trajectories of other people's programs, stopping, counts, failures.
#define BOOST_TEST_MODULE minimize
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include "helpers.hpp"
#include "minimize_problems.hpp"

using namespace xgrad;
using namespace helpers;
using optim::Reason;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();

std::vector<double> numbers(const Tensor& x) { return x.to_vector<double>(); }

// The greatest difference, to the greater of 1e-3 and the number.
double off(const std::vector<double>& x, const std::vector<double>& from) {
  double most = 0;
  for (std::size_t i = 0; i < from.size(); ++i)
    most = std::max(most, std::abs(x[i] - from[i]) / std::max(1e-3, std::abs(from[i])));
  return most;
}

// ---- methods, and what they owe

using Make = std::function<std::unique_ptr<optim::Method>(Parameter& x)>;
template <class Method, class Options = typename std::decay_t<decltype(std::declval<Method>().options())>>
Make method(Options options = {}) {
  return [=](Parameter& x) { return std::make_unique<Method>(Parameters{x}, options); };
}

struct Row {
  const char* name;
  Make make;
  bool of_residuals;
  Size most_iterations;
  std::set<std::string> too_hard = {};  // problems that the method is known to be slow at
};
const Row rows[] = {
    {"LBFGS", method<optim::LBFGS>(), false, 200},
    {"Newton", method<optim::Newton>(), false, 120},
    // Residuals that stay large: the second derivatives that the method leaves out are what counts.
    {"LevenbergMarquardt", method<optim::LevenbergMarquardt>(), true, 120, {"Brown-Dennis (16)", "Freudenstein-Roth (2)"}},
};

// What is wrong with a method's run on a problem; nothing: it is as it should be.
std::string complaint(const Row& row, const problems::Problem& p) {
  Parameter x = parameter(tensor(p.start));
  const auto residuals = [&] { return p.residuals(x); };
  const auto loss = [&] { return sum(square(p.residuals(x))); };
  const optim::Stop stop{.max_iterations = row.most_iterations, .gradient_tolerance = 1e-8};
  try {
    const auto made = row.make(x);
    const optim::Result fit = row.of_residuals ? optim::least_squares(*made, residuals, stop) : optim::minimize(*made, loss, stop);
    const double value = loss().item();
    if (!fit.converged) return fmt::format("ends: {}", fit.reason);
    if (std::abs((row.of_residuals ? 2 : 1) * fit.value - value) > 1e-14 * std::abs(value)) return "the value is not that of its point";
    if (!(std::abs(value - p.least) <= 1e-9 * std::abs(p.least) + 1e-11)) return fmt::format("ends at {}, not {}", value, p.least);
    double nearest = p.minima.empty() ? 0 : infinity;
    for (const auto& minimum : p.minima) nearest = std::min(nearest, off(numbers(x), minimum));
    if (!p.singular && !(nearest <= 2e-6)) return fmt::format("ends at {}", x);
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

// ---- methods that are wrong

struct NewtonAsItStands {  // not damped, and without a search
  static constexpr const char* name = "NewtonAsItStands";
  struct State {};
  void check(const optim::Require&) const {}
  optim::Advance advance(optim::Objective& f, State&) const {
    f.move_to(f.x() - solve(f.hessian(), f.gradient()));
    return optim::Advance::moved;
  }
};
struct TurnedAround {  // L-BFGS with the gradients' difference the wrong way round
  static constexpr const char* name = "TurnedAround";
  struct State {
    Tensor s, y;
  };
  void check(const optim::Require&) const {}
  optim::Advance advance(optim::Objective& f, State& state) const {
    const Tensor x = f.x(), g = f.gradient();
    const Tensor d = state.s.defined() ? -g * (dot(state.s, state.y) / dot(state.y, state.y)) : -g / norm(g);
    if (optim::wolfe_search(f, d, 1) == 0) return optim::Advance::stuck;
    state = {f.x() - x, g - f.gradient()};
    return optim::Advance::moved;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_method_on_every_problem) {
  for (const Row& row : rows)
    for (const problems::Problem& p : problems::all()) {
      if (row.too_hard.count(p.name)) continue;
      const std::string wrong = complaint(row, p);
      BOOST_TEST(wrong.empty(), row.name << " on " << p.name << ": " << wrong);
    }
}

BOOST_AUTO_TEST_CASE(wrong_methods_are_seen) {
  const Row wrong[] = {{"as it stands", method<optim::Minimiser<NewtonAsItStands>>(), false, 120},
                       {"turned around", method<optim::Minimiser<TurnedAround>>(), false, 200},
                       {"too few iterations", method<optim::Newton>(), false, 3}};
  for (const Row& row : wrong) {
    int seen = 0;
    for (const problems::Problem& p : problems::all()) seen += !complaint(row, p).empty();
    BOOST_TEST(seen >= 3, row.name << " is seen on " << seen << " problems");
  }
}

// SciPy 1.10.1's L-BFGS-B (default options) on the same problems: points after 1 and 5 iterations. Without bounds it is this
// method, with the same search and first step.
BOOST_AUTO_TEST_CASE(lbfgs_goes_where_scipy_goes) {
  struct Path {
    const char* problem;
    std::vector<double> first, fifth;
  };
  const Path paths[] = {
      {"Rosenbrock (1)", {-1.0174097957, 1.074526614}, {-1.02138516, 1.0392943881}},
      {"Beale (5)", {1, 0}, {2.2175255351, 0.39267523178}},
      {"Powell singular (13)", {2.3330087514, -0.68612176537, 0.0043594199254, 1.6757100884}, {1.8936778253, -0.12169376153, 0.64073158925, 1.3946850022}},
      {"helical valley (7)", {-1, 0.84673301596, 0.5320180445}, {0.065109185315, 1.3073375802, 2.5378288028}},
      {"Wood (14)", {-2.267676525, -0.87314849867, -2.3408600835, -0.88534575842}, {-0.65364676358, 0.0095494561055, -0.65987552758, -0.030187405456}},
      {"Brown-Dennis (16)", {24.463056368, 4.1687458874, -4.8810648471, -0.91899033643}, {15.091897193, 2.7536511571, -1.3585025826, 0.95670891349}},
  };
  for (const Path& path : paths)
    for (const problems::Problem& p : problems::all()) {
      if (std::string(path.problem) != p.name) continue;
      Parameter x = parameter(tensor(p.start));
      optim::LBFGS lbfgs({x}, {.history = 10, .armijo = 1e-3, .curvature = 0.9});
      const auto loss = [&] { return sum(square(p.residuals(x))); };
      optim::minimize(lbfgs, loss, {.max_iterations = 1, .gradient_tolerance = 1e-300});
      BOOST_TEST(off(numbers(x), path.first) <= 1e-9, p.name << ": " << fmt::format("{:.11}", x));
      x.assign(tensor(p.start));
      optim::minimize(lbfgs, loss, {.max_iterations = 5, .gradient_tolerance = 1e-300});
      BOOST_TEST(off(numbers(x), path.fifth) <= 1e-9, p.name << ": " << fmt::format("{:.11}", x));
    }
}

// The full Newton step from Rosenbrock's start, which SciPy's dogleg and trust-exact take, too; and quadratic convergence.
BOOST_AUTO_TEST_CASE(newton_steps) {
  const problems::Problem& p = problems::all()[0];
  Parameter x = parameter(tensor(p.start));
  optim::Newton newton({x});
  const auto loss = [&] { return sum(square(p.residuals(x))); };
  optim::minimize(newton, loss, {.max_iterations = 1});
  BOOST_TEST(off(numbers(x), {-1.1752808989, 1.3806741573}) <= 1e-10);
  Parameter y = parameter(tensor({2.0, -1.0}));
  optim::Newton quadratic({y});
  const optim::Result fit = optim::minimize(quadratic, [&] { return 3.0 * square(y[0]) + y[0] * y[1] + square(y[1] - 1.0); });
  BOOST_TEST(fit.iterations == 1);
}

// Maximum entropy (Berger, Della Pietra & Della Pietra 1996), SciPy's own test of its minimisers.
BOOST_AUTO_TEST_CASE(maximum_entropy) {
  const Tensor f = tensor({{1.0, 1.0, 1.0}, {1.0, 1.0, 0.0}, {1.0, 0.0, 1.0}, {1.0, 0.0, 0.0}, {1.0, 0.0, 0.0}}),
               k = tensor({1.0, 0.3, 0.5});
  for (const Row& row : rows) {
    if (row.of_residuals) continue;
    Parameter x = parameter(zeros({3}, f64));
    const auto made = row.make(x);
    const optim::Result fit = optim::minimize(*made, [&] { return logsumexp(matmul(f, x), 0) - dot(k, x); });
    BOOST_TEST(fit.converged);
    BOOST_TEST(off(numbers(x), {0, -0.524869316, 0.487525860}) <= 1e-5, row.name);
    BOOST_TEST(fit.evaluations.value <= 11, row.name);
  }
}

// Walls and plateaus: a step that gives infinity is too far; one that lands on the plateau of a Morse potential is not taken.
BOOST_AUTO_TEST_CASE(walls_and_plateaus) {
  for (const Row& row : rows) {
    if (row.of_residuals) continue;
    Parameter x = parameter(10.0);
    auto made = row.make(x);
    const optim::Result fit = optim::minimize(*made, [&] { return where(x > 0.0, x + 1.0 / x, infinity); });
    BOOST_TEST(fit.converged, row.name << " " << to_string(fit.reason));
    BOOST_TEST(x.item() == 1, boost::test_tools::tolerance(1e-6));
    for (int i = 0; i <= 70; ++i) {
      Parameter r = parameter(-0.75 + 3.75 * i / 70);
      made = row.make(r);
      const optim::Result morse = optim::minimize(*made, [&] { return 2.5 * square(1.0 - exp(-1.5 * (r - 0.5))); });
      BOOST_TEST(std::abs(r.item() - 0.5) < 1e-5, row.name << " from " << -0.75 + 3.75 * i / 70 << ": " << r.item() << ", " << to_string(morse.reason));
    }
  }
}

// ---- any optimizer is a method

// PyTorch 1.13.1's trajectories from Rosenbrock's start.
BOOST_AUTO_TEST_CASE(optimizers_are_methods) {
  const problems::Problem& p = problems::all()[0];
  struct Path {
    const char* name;
    std::function<std::unique_ptr<optim::Optimizer>(Parameter&)> make;
    std::vector<double> after_2, after_10;
  };
  const Path paths[] = {
      {"SGD", [](Parameter& x) { return std::make_unique<optim::SGD>(Parameters{x}, optim::SGDOptions{.lr = 1e-3}); },
       {-1.0272715665664, 1.064208672}, {-1.02141133426975, 1.05126226737604}},
      {"AdamW", [](Parameter& x) { return std::make_unique<optim::AdamW>(Parameters{x}, optim::AdamWOptions{.lr = 0.01, .weight_decay = 0.1}); },
       {-1.17764580056701, 1.01795998488613}, {-1.09388699157673, 1.08454481944002}},
  };
  for (const Path& path : paths)
    for (const auto& [steps, wanted] : {std::pair{2, path.after_2}, std::pair{10, path.after_10}}) {
      Parameter x = parameter(tensor(p.start));
      const auto optimizer = path.make(x);
      const optim::Result fit = optim::minimize(*optimizer, [&] { return sum(square(p.residuals(x))); },
                                                {.max_iterations = steps, .gradient_tolerance = 1e-300, .trace = true});
      BOOST_TEST(fit.iterations == steps);
      BOOST_TEST(fit.evaluations.gradient == steps + 1);
      BOOST_TEST(!x.grad().defined());
      // It ended by a limit, so it is at the best point: SGD's first, here, which overshoots later.
      double best = infinity;
      for (const auto& point : fit.trace) best = std::min(best, point.value);
      BOOST_TEST(fit.value == best);
      if (fit.trace.back().value == best) BOOST_TEST(off(numbers(x), wanted) <= 1e-12, path.name);
    }
  Parameter x = parameter(tensor(p.start));
  optim::Adam adam({x}, {.lr = 0.02});
  const optim::Result fit = optim::minimize(adam, [&] { return sum(square(p.residuals(x))); },
                                            {.max_iterations = 20000, .gradient_tolerance = 1e-7});
  BOOST_TEST(fit.converged);
  BOOST_TEST(off(numbers(x), {1, 1}) <= 1e-6);
}

// ---- parameters of any shape and dtype

BOOST_AUTO_TEST_CASE(shapes_and_dtypes) {
  manual_seed(3);
  const Tensor x = randn({40, 3}, f64), y = randn({40, 2}, f64);
  const auto solution = [&](DType first, DType second, const Row& row) {
    Parameter w = parameter(zeros({3, 2}, first)), b = parameter(zeros({}, second)), s = parameter(ones({2, 1, 1}, second));
    const auto residuals = [&] { return reshape(matmul(x, cast(w, f64)) + b - y, {-1}) * 0.5; };
    const auto loss = [&] { return sum(square(residuals())) + sum(square(s - 3.0)); };
    std::unique_ptr<optim::Method> made;
    if (std::string(row.name) == "LBFGS") made = std::make_unique<optim::LBFGS>(Parameters{w, b, s});
    else if (std::string(row.name) == "Newton") made = std::make_unique<optim::Newton>(Parameters{w, b, s});
    else made = std::make_unique<optim::LevenbergMarquardt>(Parameters{w, b, s});
    const optim::Stop stop{.gradient_tolerance = first == f64 && second == f64 ? 1e-12 : 1e-5};
    const optim::Result fit = row.of_residuals
                                  ? optim::least_squares(*made, [&] { return concat({residuals(), reshape(cast(s, f64) - 3.0, {-1})}); }, stop)
                                  : optim::minimize(*made, loss, stop);
    BOOST_TEST(fit.converged, row.name << " " << to_string(fit.reason));
    BOOST_TEST((w.dtype() == first && s.dtype() == second));
    BOOST_TEST((w.shape() == Shape{3, 2} && b.shape() == Shape{} && s.shape() == Shape{2, 1, 1}));
    BOOST_TEST(allclose(s, full({2, 1, 1}, 3.0), 1e-5));
    return concat({reshape(cast(w, f64), {-1}), reshape(cast(b, f64), {-1})});
  };
  for (const Row& row : rows) {
    const Tensor exact = solution(f64, f64, row);
    for (const auto& [first, second] : {std::pair{f32, f64}, std::pair{f64, f32}, std::pair{f32, f32}})
      BOOST_TEST(allclose(solution(first, second, row), exact, 1e-4, 1e-5), row.name);
  }
}

// f32 alone: a tolerance that its rounding cannot reach ends as exact, and not in an endless search.
BOOST_AUTO_TEST_CASE(f32_ends_at_its_rounding) {
  for (const Row& row : rows) {
    Parameter x = parameter(tensor(std::vector<float>{-1.2f, 1.0f}));
    const auto residuals = [&] { return stack({10.0 * (x[1] - square(x[0])), 1.0 - x[0], 1.0 + 0.3 * x[1]}); };
    const auto loss = [&] { return sum(square(residuals())); };
    const auto made = row.make(x);
    const optim::Stop stop{.max_iterations = 300, .gradient_tolerance = 1e-30};
    const optim::Result fit = row.of_residuals ? optim::least_squares(*made, residuals, stop) : optim::minimize(*made, loss, stop);
    BOOST_TEST((fit.reason == Reason::exact), row.name << " " << to_string(fit.reason));
    BOOST_TEST(fit.gradient_norm < 0.01, row.name << " " << fit.gradient_norm);
  }
}

// ---- the objective

BOOST_AUTO_TEST_CASE(an_objective_answers_once_and_rightly) {
  Parameter a = parameter(tensor({1.0, 2.0})), b = parameter(3.0);
  int calls = 0;
  // f = a0^2 b + a1 b^2: gradient (2 a0 b, b^2, a0^2 + 2 a1 b)
  optim::Objective f("test", {a, b}, [&] {
    ++calls;
    return square(a[0]) * b + a[1] * square(b);
  }, optim::Objective::Kind::loss);
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
  optim::Objective line("test", {a, b}, [&] { return sum(2.0 * a) + b; }, optim::Objective::Kind::loss);
  BOOST_TEST(allclose(line.hessian(), zeros({3, 3}, f64), 0, 0));
  BOOST_TEST(allclose(line.hvp(ones({3}, f64)), zeros({3}, f64), 0, 0));
}

BOOST_AUTO_TEST_CASE(jacobians_tall_and_wide) {
  manual_seed(4);
  for (const Size m : {1, 2, 3, 7}) {
    Parameter a = parameter(randn({2}, f64)), b = parameter(0.7);
    const Tensor c = randn({m}, f64);
    optim::Objective f("test", {a, b}, [&] { return a[0] * exp(b * c) + square(a[1]) + 0.0 * c; }, optim::Objective::Kind::residuals);
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
        seen.insert(numbers(x));
        return p.residuals(x);
      };
      const auto made = row.make(x);
      const optim::Stop stop{.max_iterations = row.most_iterations, .gradient_tolerance = 1e-8};
      const optim::Result fit = row.of_residuals ? optim::least_squares(*made, residuals, stop)
                                                 : optim::minimize(*made, [&] { return sum(square(residuals())); }, stop);
      BOOST_TEST(fit.evaluations.value == calls);
      BOOST_TEST(static_cast<Size>(seen.size()) == calls, row.name << seen.size() << " of " << calls << " on " << p.name);
      BOOST_TEST(fit.evaluations.gradient <= calls);
      BOOST_TEST(fit.evaluations.hessian <= fit.iterations + 1);
    }
}

// ---- when it stops

BOOST_AUTO_TEST_CASE(every_reason) {
  const problems::Problem& rosenbrock = problems::all()[0];
  const auto ends = [&](const optim::Stop& stop, const Callable<Tensor(const Parameter&)>& f = nullptr) {
    Parameter x = parameter(tensor(rosenbrock.start));
    optim::LBFGS lbfgs({x});
    const optim::Result fit = optim::minimize(lbfgs, [&] { return f ? f(x) : sum(square(rosenbrock.residuals(x))) + 1.0; }, stop);
    BOOST_TEST(fit.converged == (fit.reason <= Reason::exact));
    BOOST_TEST(fmt::format("{}", fit.reason) == to_string(fit.reason));
    return fit;
  };
  const auto check = [&](const optim::Result& fit, Reason reason) {
    BOOST_TEST((fit.reason == reason), to_string(fit.reason) << ", not " << to_string(reason));
  };
  optim::Result fit = ends({});
  check(fit, Reason::gradient);
  BOOST_TEST(fit.gradient_norm <= 1e-6);
  fit = ends({.gradient_tolerance = 1.0});
  check(fit, Reason::gradient);
  BOOST_TEST((fit.gradient_norm <= 1 && fit.gradient_norm > 1e-6));

  fit = ends({.loss_tolerance = 1e-4});
  check(fit, Reason::loss);
  const optim::Result patient = ends({.loss_tolerance = 1e-4, .patience = 3, .trace = true});
  check(patient, Reason::loss);
  BOOST_TEST(patient.iterations > fit.iterations);
  for (std::size_t back = 1; back <= 3; ++back) {
    const auto n = patient.trace.size();
    BOOST_TEST(std::abs(patient.trace[n - back].value - patient.trace[n - back - 1].value) <= 1e-4 * patient.trace[n - back - 1].value);
  }
  check(ends({.step_tolerance = 1e-2}), Reason::step);
  fit = ends({.target = 2.0});
  check(fit, Reason::target);
  BOOST_TEST((fit.value <= 2 && fit.value > 1));
  const problems::Problem& jennrich = problems::all()[7];  // whose gradient is not quite 0 anywhere near
  check(ends({.gradient_tolerance = 1e-300}, [&](const Parameter& x) { return sum(square(jennrich.residuals(0.2 * x))); }), Reason::exact);
  Size last = 0;
  fit = ends({.when = [&](const optim::Progress& p) {
    BOOST_TEST(p.iteration == ++last);
    BOOST_TEST(p.evaluations.gradient >= p.iteration);
    return p.value < 3;
  }});
  check(fit, Reason::asked);
  BOOST_TEST((fit.value < 3 && fit.iterations == last));
  fit = ends({.max_iterations = 7, .trace = true});
  check(fit, Reason::iterations);
  BOOST_TEST((fit.iterations == 7 && fit.trace.size() == 8));
  BOOST_TEST(fit.trace[0].value == 25.2, boost::test_tools::tolerance(1e-12));
  BOOST_TEST((fit.trace[7].value == fit.value && fit.trace[7].gradient_norm == fit.gradient_norm));
  check(ends({.max_iterations = 0}), Reason::iterations);
  fit = ends({.max_evaluations = 9});
  check(fit, Reason::evaluations);
  BOOST_TEST((fit.evaluations.value >= 9 && fit.evaluations.value < 15));
  check(ends({.max_seconds = 1e-9}), Reason::seconds);

  // a derivative that points the wrong way
  const CustomOp wrong({.name = "wrong",
                        .forward = [](const Tensors& in) { return sum(square(in[0])); },
                        .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) { return Tensors{-2.0 * g * in[0]}; }});
  check(ends({}, [&](const Parameter& x) { return wrong(x); }), Reason::stuck);
  // NaN at the start; and behind every step
  check(ends({}, [&](const Parameter& x) { return sum(log(x)); }), Reason::not_finite);
  const std::vector<double> start = rosenbrock.start;
  check(ends({}, [&](const Parameter& x) { return sum(where(x == tensor(start), x * x, not_a_number)); }), Reason::not_finite);
  // down without an end
  fit = ends({.max_iterations = 50}, [&](const Parameter& x) { return sum(x); });
  BOOST_TEST(!fit.converged);
  // a gradient of 0 at once
  check(ends({.loss_tolerance = 1e-3}, [&](const Parameter& x) { return sum(square(x - tensor(start))); }), Reason::gradient);
}

BOOST_AUTO_TEST_CASE(limits_and_failures_leave_the_best_point) {
  Parameter x = parameter(tensor({3.0}));
  optim::SGD wild({x}, {.lr = 1.1});  // goes up and up
  const optim::Result fit = optim::minimize(wild, [&] { return sum(square(x)); }, {.max_iterations = 20});
  BOOST_TEST((fit.value == 9 && x[0].item() == 3));
  x.assign(tensor({3.0}));
  optim::SGD off_limits({x}, {.lr = 0.6});  // 3, -0.6, 0.12: the root of a negative number
  const optim::Result ended = optim::minimize(off_limits, [&] { return sum(square(x) + 0.0 * sqrt(x)); });
  BOOST_TEST((ended.reason == Reason::not_finite));
  BOOST_TEST((x[0].item() == 3 && ended.value == 9));
}

// An exception in the loss, or in `when`, is passed on, and the parameters are at the best point.
BOOST_AUTO_TEST_CASE(exceptions_pass) {
  const problems::Problem& p = problems::all()[0];
  for (const Row& row : rows)
    for (const int at : {0, 1, 2, 5, 9}) {
      Parameter x = parameter(tensor(p.start));
      double best = infinity;
      int calls = 0;
      const auto residuals = [&] {
        const Tensor r = p.residuals(x);
        if (calls++ == at) throw std::runtime_error("no more");
        return r;
      };
      const auto made = row.make(x);
      const auto value = [&] { return sum(square(p.residuals(x))).item(); };
      const optim::Stop stop{.when = [&](const optim::Progress&) {
        best = std::min(best, value());
        return false;
      }};
      BOOST_CHECK_THROW(row.of_residuals ? optim::least_squares(*made, residuals, stop)
                                         : optim::minimize(*made, [&] { return sum(square(residuals())); }, stop),
                        std::runtime_error);
      BOOST_TEST(value() == std::min(best, 24.2), boost::test_tools::tolerance(1e-12));
      const optim::Stop fails{.when = [](const optim::Progress& progress) -> bool {
        if (progress.iteration == 3) throw std::runtime_error("enough");
        return false;
      }};
      BOOST_CHECK_THROW(row.of_residuals ? optim::least_squares(*made, [&] { return p.residuals(x); }, fails)
                                         : optim::minimize(*made, [&] { return sum(square(p.residuals(x))); }, fails),
                        std::runtime_error);
      // and it goes on from there
      const optim::Result fit = row.of_residuals ? optim::least_squares(*made, [&] { return p.residuals(x); })
                                                 : optim::minimize(*made, [&] { return sum(square(p.residuals(x))); });
      BOOST_TEST(fit.converged);
    }
}

BOOST_AUTO_TEST_CASE(bad_input) {
  Parameter x = parameter(tensor({1.0, 2.0})), y = parameter(1.0), empty;
  const auto loss = [&] { return sum(square(x)); };
  optim::LBFGS lbfgs({x});
  const auto refused = [](const std::function<void()>& call, const std::string& part) {
    std::string message = "nothing";
    try {
      call();
    } catch (const Error& e) {
      message = e.what();
    }
    BOOST_TEST(message.find(part) != std::string::npos, message << ", not " << part);
  };
  refused([&] { optim::LBFGS({}); }, "[LBFGS] expected at least one parameter, got none");
  refused([&] { optim::LBFGS({x, x}); }, "[LBFGS] the parameter 0 is there twice");
  refused([&] { optim::Newton({x, empty}); }, "1 is empty; give it a value first");
  refused([&] { optim::LBFGS({x}, {.history = 0}); }, "[LBFGS] expected a history of 1 pair or more, got 0");
  refused([&] { optim::LBFGS({x}, {.armijo = 0.95}); }, "armijo");
  refused([&] { optim::LBFGS({x}, {.curvature = 1}); }, "curvature");
  refused([&] { optim::LBFGS({x}, {.max_trials = 0}); }, "1 trial or more");
  refused([&] { optim::Newton({x}, {.armijo = not_a_number}); }, "armijo");
  refused([&] { optim::Newton({x}, {.least = 0}); }, "least eigenvalue");
  refused([&] { optim::LevenbergMarquardt({x}, {.damping = 0}); }, "damping above 0");
  refused([&] { optim::minimize(lbfgs, [&] { return square(x); }); }, "expected a loss of one element, got shape (2,)");
  refused([&] { optim::minimize(lbfgs, [] { return Tensor(); }); }, "expected a loss, got an empty Tensor");
  refused([&] { optim::minimize(lbfgs, [&] { return cast(sum(x), i64); }); }, "expected a loss of f32 or f64, got i64");
  refused([&] { optim::minimize(lbfgs, nullptr); }, "expected a function that gives a Tensor, got an empty one");
  refused([&] { optim::minimize(lbfgs, [&] { return square(y); }); }, "the loss does not depend on the parameter 0");
  refused([&] { optim::minimize(lbfgs, [&] { const NoGrad none; return sum(square(x)); }); }, "does not depend on the parameter 0");
  refused([&] { optim::minimize(lbfgs, [&, x] { return sum(square(x)); }); }, "does not depend on the parameter 0");
  refused([&] { optim::LBFGS both({x, y}); optim::minimize(both, loss); }, "does not depend on the parameter 1");
  refused([&] { optim::minimize(lbfgs, loss, {.max_iterations = -1}); }, "max_iterations of 0 or more, got -1");
  refused([&] { optim::minimize(lbfgs, loss, {.gradient_tolerance = not_a_number}); }, "gradient_tolerance of 0 or more, got nan");
  refused([&] { optim::minimize(lbfgs, loss, {.loss_tolerance = -1e-3}); }, "loss_tolerance");
  refused([&] { optim::minimize(lbfgs, loss, {.patience = 0}); }, "a patience of 1 or more, got 0");
  refused([&] { optim::minimize(lbfgs, loss, {.step_tolerance = infinity}); }, "step_tolerance");
  refused([&] { optim::minimize(lbfgs, loss, {.target = not_a_number}); }, "target");
  refused([&] { optim::minimize(lbfgs, loss, {.max_evaluations = -2}); }, "max_evaluations");
  refused([&] { optim::minimize(lbfgs, loss, {.max_seconds = not_a_number}); }, "max_seconds");
  optim::LevenbergMarquardt marquardt({x});
  refused([&] { optim::minimize(marquardt, loss); }, "[LevenbergMarquardt] this method works on residuals");
  refused([&] { optim::least_squares(marquardt, [&] { return reshape(x, {2, 1})[0][0] * zeros({0}, f64); }); }, "expected residuals, got none");
  int calls = 0;
  refused([&] { optim::least_squares(marquardt, [&] { return slice(x, 0, calls++ ? 1 : 0); }); }, "expected 2 residuals, as at the first point, got 1");
  BOOST_TEST(allclose(x, tensor({1.0, 2.0}), 0, 0));
  BOOST_TEST(line_of_error([&] { optim::minimize(lbfgs, [&] { return square(x); }); }) == __LINE__);
}

// ---- where it is called

BOOST_AUTO_TEST_CASE(scopes_around_it) {
  const problems::Problem& p = problems::all()[2];
  for (const Row& row : rows) {
    const auto run = [&](bool no_grad, bool eager) {
      Parameter x = parameter(tensor(p.start));
      const auto made = row.make(x);
      std::optional<NoGrad> none;
      std::optional<Eager> at_once;
      if (no_grad) none.emplace();
      if (eager) at_once.emplace();
      const auto residuals = [&] { return p.residuals(x); };
      const optim::Result fit = row.of_residuals ? optim::least_squares(*made, residuals)
                                                 : optim::minimize(*made, [&] { return sum(square(residuals())); });
      BOOST_TEST(fit.converged);
      return x.value();
    };
    const Tensor plain = run(false, false);
    BOOST_TEST(same_bits(run(true, false), plain), row.name);
    BOOST_TEST(same_bits(run(false, true), plain), row.name);
  }
}

// A method starts afresh each time, and nothing of a run stays on the tape.
BOOST_AUTO_TEST_CASE(runs_leave_nothing_behind) {
  const problems::Problem& p = problems::all()[5];
  for (const Row& row : rows) {
    Parameter x = parameter(tensor(p.start));
    const auto made = row.make(x);
    const auto run = [&] {
      x.assign(tensor(p.start));
      const auto residuals = [&] { return p.residuals(x); };
      return row.of_residuals ? optim::least_squares(*made, residuals)
                              : optim::minimize(*made, [&] { return sum(square(residuals())); });
    };
    const optim::Result first = run();
    const Tensor once = x.value();
    const Counters grown = during([&] {
      const optim::Result second = run();
      BOOST_TEST((second.iterations == first.iterations && second.value == first.value));
    });
    BOOST_TEST(same_bits(x, once), row.name);
    BOOST_TEST(grown.taped == 0u, row.name);
    BOOST_TEST(grown.pending == 0u, row.name);
  }
}

// A loss that branches on values may leave a parameter out later on.
BOOST_AUTO_TEST_CASE(a_loss_with_branches) {
  Parameter x = parameter(3.0), y = parameter(5.0);
  optim::LBFGS lbfgs({x, y});
  const optim::Result fit = optim::minimize(lbfgs, [&] { return y.item() > 4 ? square(x) + square(y) : square(x) + 0.5; });
  BOOST_TEST(fit.converged);
  BOOST_TEST(std::abs(x.item()) < 1e-6);
}
