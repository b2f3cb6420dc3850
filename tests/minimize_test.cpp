// Minimisers: every method on every problem, trajectories of other people's programs, any optimizer, shapes and dtypes.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "helpers.hpp"
#include "minimize_problems.hpp"

using namespace xgrad;
using namespace helpers;
using optim::Reason;
using problems::off;
using problems::Row;
using problems::rows;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// What is wrong with a method's run on a problem; nothing: it is as it should be.
std::string complaint(const Row& row, const problems::Problem& p) {
  Parameter x = parameter(tensor(p.start));
  const auto residuals = [&] { return p.residuals(x); };
  const auto loss = [&] { return sum(square(p.residuals(x))); };
  const optim::Stop stop{.max_iterations = row.most_iterations, .gradient_tolerance = 1e-8};
  try {
    const auto made = row.make(x);
    const optim::Result fit =
        row.of_residuals ? optim::least_squares(*made, residuals, stop) : optim::minimize(*made, loss, stop);
    const double value = loss().item();
    if (!fit.converged) return fmt::format("ends: {}", fit.reason);
    if (std::abs((row.of_residuals ? 2 : 1) * fit.value - value) > 1e-14 * std::abs(value))
      return "the value is not that of its point";
    for (const double other : p.others)
      if (std::abs(value - other) <= 1e-9 * other + 1e-11) return {};
    if (!(std::abs(value - p.least) <= 1e-9 * std::abs(p.least) + 1e-11))
      return fmt::format("ends at {}, not {}", value, p.least);
    double nearest = p.minima.empty() ? 0 : infinity;
    for (const auto& minimum : p.minima) nearest = std::min(nearest, off(x, minimum));
    if (!p.singular && !(nearest <= 5e-6)) return fmt::format("ends at {}", x);
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
  const Row wrong[] = {{"as it stands", problems::method<optim::Minimiser<NewtonAsItStands>>(), false, 120},
                       {"turned around", problems::method<optim::Minimiser<TurnedAround>>(), false, 200},
                       {"too few iterations", problems::method<optim::Newton>(), false, 3}};
  for (const Row& row : wrong) {
    int seen = 0;
    for (const problems::Problem& p : problems::all()) seen += !complaint(row, p).empty();
    BOOST_TEST(seen >= 3, row.name << " is seen on " << seen << " problems");
  }
}

// SciPy 1.10.1's L-BFGS-B (default options) on the same problems: points after 1 and 5 iterations. Without bounds it is
// this method, with the same search and first step.
BOOST_AUTO_TEST_CASE(lbfgs_goes_where_scipy_goes) {
  struct Path {
    const char* problem;
    std::vector<double> first, fifth;
  };
  const Path paths[] = {
      {"Rosenbrock (1)", {-1.0174097957, 1.074526614}, {-1.02138516, 1.0392943881}},
      {"Beale (5)", {1, 0}, {2.2175255351, 0.39267523178}},
      {"Powell singular (13)",
       {2.3330087514, -0.68612176537, 0.0043594199254, 1.6757100884},
       {1.8936778253, -0.12169376153, 0.64073158925, 1.3946850022}},
      {"helical valley (7)", {-1, 0.84673301596, 0.5320180445}, {0.065109185315, 1.3073375802, 2.5378288028}},
      {"Wood (14)",
       {-2.267676525, -0.87314849867, -2.3408600835, -0.88534575842},
       {-0.65364676358, 0.0095494561055, -0.65987552758, -0.030187405456}},
      {"Brown-Dennis (16)",
       {24.463056368, 4.1687458874, -4.8810648471, -0.91899033643},
       {15.091897193, 2.7536511571, -1.3585025826, 0.95670891349}},
  };
  for (const Path& path : paths)
    for (const problems::Problem& p : problems::all()) {
      if (std::string(path.problem) != p.name) continue;
      Parameter x = parameter(tensor(p.start));
      optim::LBFGS lbfgs({x}, {.history = 10, .armijo = 1e-3, .curvature = 0.9});
      const auto loss = [&] { return sum(square(p.residuals(x))); };
      optim::minimize(lbfgs, loss, {.max_iterations = 1, .gradient_tolerance = 1e-300});
      BOOST_TEST(off(x, path.first) <= 1e-9, p.name << ": " << fmt::format("{:.11}", x));
      x.assign(tensor(p.start));
      optim::minimize(lbfgs, loss, {.max_iterations = 5, .gradient_tolerance = 1e-300});
      BOOST_TEST(off(x, path.fifth) <= 1e-9, p.name << ": " << fmt::format("{:.11}", x));
    }
}

// The full Newton step from Rosenbrock's start, which SciPy's dogleg and trust-exact take, too; and quadratic
// convergence.
BOOST_AUTO_TEST_CASE(newton_steps) {
  const problems::Problem& p = problems::all()[0];
  Parameter x = parameter(tensor(p.start));
  optim::Newton newton({x});
  const auto loss = [&] { return sum(square(p.residuals(x))); };
  optim::minimize(newton, loss, {.max_iterations = 1});
  BOOST_TEST(off(x, {-1.1752808989, 1.3806741573}) <= 1e-10);
  Parameter y = parameter(tensor({2.0, -1.0}));
  optim::Newton quadratic({y});
  const optim::Result fit =
      optim::minimize(quadratic, [&] { return 3.0 * square(y[0]) + y[0] * y[1] + square(y[1] - 1.0); });
  BOOST_TEST(fit.iterations == 1);
}

// Where the Hessian is not positive definite, the absolute values of its eigenvalues count: at (1, 0.1) H is diag(1, 3
// y^2 - 2) and the step (-1, g_y / (2 - 3 y^2)), away from the saddle at 0.
BOOST_AUTO_TEST_CASE(newton_leaves_saddles) {
  Parameter x = parameter(1.0), y = parameter(0.1);
  optim::Newton newton({x, y});
  const auto loss = [&] { return 0.5 * square(x) - square(y) + 0.25 * square(square(y)); };
  optim::minimize(newton, loss, {.max_iterations = 1});
  BOOST_TEST(std::abs(x.item()) < 1e-14);
  BOOST_TEST(y.item() == 0.1 + (0.2 - 0.001) / (2 - 0.03), boost::test_tools::tolerance(1e-14));
  BOOST_TEST(optim::minimize(newton, loss).converged);
  BOOST_TEST(y.item() == std::sqrt(2.0), boost::test_tools::tolerance(1e-6));
}

// Where the value is rounded to 1e-10, steps are judged by slopes, and gradients still become as small as they can.
BOOST_AUTO_TEST_CASE(gradients_shrink_where_values_are_rounded) {
  const Tensor f = tensor({{1.0, 1.0, 1.0}, {1.0, 1.0, 0.0}, {1.0, 0.0, 1.0}, {1.0, 0.0, 0.0}}),
               k = tensor({1.0, 0.3, 0.5});
  for (const Row& row : rows) {
    if (row.of_residuals) continue;
    Parameter x = parameter(zeros({3}, f64));
    const auto made = row.make(x);
    const optim::Result fit = optim::minimize(*made, [&] { return 1e6 + logsumexp(matmul(f, x), 0) - dot(k, x); },
                                              {.gradient_tolerance = 1e-13});
    BOOST_TEST((fit.reason == Reason::gradient), row.name << " " << to_string(fit.reason) << " " << fit.gradient_norm);
  }
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
    BOOST_TEST(off(x, {0, -0.524869316, 0.487525860}) <= 1e-5, row.name);
    BOOST_TEST(fit.evaluations.value <= row.entropy_calls, row.name << ": " << fit.evaluations.value);
  }
}

// Walls and plateaus: a step that gives infinity is too far; one that lands on the plateau of a Morse potential is not
// taken.
BOOST_AUTO_TEST_CASE(walls_and_plateaus) {
  for (const Row& row : rows) {
    if (row.of_residuals) continue;
    Parameter x = parameter(10.0);
    auto made = row.make(x);
    const optim::Result fit = optim::minimize(*made, [&] { return where(x > 0.0, x + 1.0 / x, infinity); });
    BOOST_TEST(fit.converged, row.name << " " << to_string(fit.reason));
    BOOST_TEST(x.item() == 1, boost::test_tools::tolerance(1e-6));
    x = 10.0;
    made = row.make(x);
    BOOST_TEST(optim::minimize(*made, [&] { return x - 3.0 * log(x); }).converged, row.name);  // NaN behind 0
    BOOST_TEST(x.item() == 3, boost::test_tools::tolerance(1e-6));
    // the same wall as a constant, which does not lead to x: what a loss says that has caught an Error
    x = 10.0;
    made = row.make(x);
    BOOST_TEST(optim::minimize(*made, [&] { return x.item() > 0 ? x + 1.0 / x : Tensor(infinity); }).converged);
    BOOST_TEST(x.item() == 1, boost::test_tools::tolerance(1e-6));
    for (int i = 0; i <= 70; ++i) {
      Parameter r = parameter(-0.75 + 3.75 * i / 70);
      made = row.make(r);
      const optim::Result morse = optim::minimize(*made, [&] { return 2.5 * square(1.0 - exp(-1.5 * (r - 0.5))); });
      BOOST_TEST(std::abs(r.item() - 0.5) < 1e-5,
                 row.name << " from " << -0.75 + 3.75 * i / 70 << ": " << r.item() << ", " << to_string(morse.reason));
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
      {"SGD",
       [](Parameter& x) { return std::make_unique<optim::SGD>(Parameters{x}, optim::SGDRule{.lr = 1e-3}); },
       {-1.0272715665664, 1.064208672},
       {-1.02141133426975, 1.05126226737604}},
      {"AdamW",
       [](Parameter& x) {
         return std::make_unique<optim::AdamW>(Parameters{x}, optim::AdamWRule{.lr = 0.01, .weight_decay = 0.1});
       },
       {-1.17764580056701, 1.01795998488613},
       {-1.09388699157673, 1.08454481944002}},
  };
  for (const Path& path : paths)
    for (const auto& [steps, wanted] : {std::pair{2, path.after_2}, std::pair{10, path.after_10}}) {
      Parameter x = parameter(tensor(p.start));
      const auto optimizer = path.make(x);
      Tensor last;
      const optim::Result fit = optim::minimize(*optimizer, [&] { return sum(square(p.residuals(x))); },
                                                {.max_iterations = steps,
                                                 .gradient_tolerance = 1e-300,
                                                 .when =
                                                     [&](const optim::Progress&) {
                                                       last = x.value();
                                                       return false;
                                                     },
                                                 .trace = true});
      BOOST_TEST(off(last, wanted) <= 1e-12, path.name << " after " << steps << ": " << to_string(last, 16));
      BOOST_TEST(fit.iterations == steps);
      BOOST_TEST(fit.evaluations.gradient == steps + 1);
      BOOST_TEST(!x.grad().defined());
      // It ended by a limit, so it is at the best point, which SGD has gone past by then.
      double best = infinity;
      for (const auto& point : fit.trace) best = std::min(best, point.value);
      BOOST_TEST(fit.value == best);
      BOOST_TEST(sum(square(p.residuals(x))).item() == best);
    }
  Parameter x = parameter(tensor(p.start));
  optim::Adam adam({x}, {.lr = 0.02});
  const optim::Result fit = optim::minimize(adam, [&] { return sum(square(p.residuals(x))); },
                                            {.max_iterations = 20000, .gradient_tolerance = 1e-7});
  BOOST_TEST(fit.converged);
  BOOST_TEST(off(x, {1, 1}) <= 1e-6);
}

// ---- parameters of any shape and dtype

BOOST_AUTO_TEST_CASE(shapes_and_dtypes) {
  manual_seed(3);
  const Tensor x = randn({40, 3}, f64), y = randn({40, 2}, f64);
  const auto solution = [&](DType first, DType second, const Row& row) {
    Parameter w = parameter(zeros({3, 2}, first)), b = parameter(zeros({}, second)),
              s = parameter(ones({2, 1, 1}, second));
    const auto residuals = [&] { return reshape(matmul(x, cast(w, f64)) + b - y, {-1}) * 0.5; };
    const auto loss = [&] { return sum(square(residuals())) + sum(square(s - 3.0)); };
    const auto made = row.make(Parameters{w, b, s});
    const optim::Stop stop{.gradient_tolerance = first == f64 && second == f64 ? 1e-12 : 1e-5};
    const optim::Result fit = row.of_residuals ? optim::least_squares(
                                                     *made,
                                                     [&] {
                                                       return concat({residuals(), reshape(cast(s, f64) - 3.0, {-1})});
                                                     },
                                                     stop)
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
    const optim::Result fit =
        row.of_residuals ? optim::least_squares(*made, residuals, stop) : optim::minimize(*made, loss, stop);
    BOOST_TEST((fit.reason == Reason::exact), row.name << " " << to_string(fit.reason));
    BOOST_TEST(fit.gradient_norm < 0.01, row.name << " " << fit.gradient_norm);
  }
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
  const optim::Result fit =
      optim::minimize(lbfgs, [&] { return y.item() > 4 ? square(x) + square(y) : square(x) + 0.5; });
  BOOST_TEST(fit.converged);
  BOOST_TEST(std::abs(x.item()) < 1e-6);
}
