// When minimize stops, what it says, where it leaves the parameters; exceptions and bad input.
#include <boost/test/unit_test.hpp>
#include <limits>
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
constexpr double infinity = std::numeric_limits<double>::infinity(),
                 not_a_number = std::numeric_limits<double>::quiet_NaN();
}

BOOST_AUTO_TEST_CASE(every_reason) {
  const problems::Problem& rosenbrock = problems::all()[0];
  const auto ends = [&](const optim::Stop& stop, const Callable<Tensor(const Parameter&)>& f = nullptr) {
    Parameter x = parameter(tensor(rosenbrock.start));
    optim::LBFGS lbfgs({x});
    const optim::Result fit = optim::minimize(
        lbfgs, [&] { return f ? f(x) : sum(square(rosenbrock.residuals(x))) + 1.0; }, stop);
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
    BOOST_TEST(std::abs(patient.trace[n - back].value - patient.trace[n - back - 1].value) <=
               1e-4 * patient.trace[n - back - 1].value);
  }
  check(ends({.step_tolerance = 1e-2}), Reason::step);
  fit = ends({.target = 2.0});
  check(fit, Reason::target);
  BOOST_TEST((fit.value <= 2 && fit.value > 1));
  const problems::Problem& jennrich = problems::all()[7];  // whose gradient is not quite 0 anywhere near
  check(ends({.gradient_tolerance = 1e-300},
             [&](const Parameter& x) { return sum(square(jennrich.residuals(0.2 * x))); }),
        Reason::exact);
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
  const CustomOp wrong(
      {.name = "wrong",
       .forward = [](const Tensors& in) { return sum(square(in[0])); },
       .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) { return Tensors{-2.0 * g * in[0]}; }});
  check(ends({}, [&](const Parameter& x) { return wrong(x); }), Reason::stuck);
  // NaN at the start; and behind every step
  check(ends({}, [&](const Parameter& x) { return sum(log(x)); }), Reason::not_finite);
  const std::vector<double> start = rosenbrock.start;
  check(ends({}, [&](const Parameter& x) { return sum(where(x == tensor(start), x * x, not_a_number)); }),
        Reason::not_finite);
  // down without an end
  fit = ends({.max_iterations = 50}, [&](const Parameter& x) { return sum(x); });
  BOOST_TEST(!fit.converged);
  // a gradient of 0 at once
  check(ends({.loss_tolerance = 1e-3}, [&](const Parameter& x) { return sum(square(x - tensor(start))); }),
        Reason::gradient);
}

// A method that goes where it is told.
struct Scripted {
  static constexpr const char* name = "Scripted";
  std::vector<double> path;
  struct State {
    std::size_t at = 0;
  };
  void check(const optim::Require&) const {}
  optim::Advance advance(optim::Objective& f, State& state) const {
    if (state.at == path.size()) return optim::Advance::stuck;
    f.move_to(tensor({path[state.at++]}));
    return optim::Advance::moved;
  }
};

BOOST_AUTO_TEST_CASE(patience_is_for_changes_in_a_row) {
  Parameter x = parameter(10.0);
  optim::Minimiser<Scripted> method({x}, {.path = {10, 5, 5, 3, 3, 3, 1}});
  const optim::Result fit = optim::minimize(method, [&] { return x + 0.0; }, {.loss_tolerance = 1e-3, .patience = 2});
  BOOST_TEST((fit.reason == Reason::loss && fit.iterations == 6));
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
                                         : optim::minimize(
                                               *made, [&] { return sum(square(residuals())); }, stop),
                        std::runtime_error);
      BOOST_TEST(value() == std::min(best, 24.2), boost::test_tools::tolerance(1e-12));
      const optim::Stop fails{.when = [](const optim::Progress& progress) -> bool {
        if (progress.iteration == 3) throw std::runtime_error("enough");
        return false;
      }};
      BOOST_CHECK_THROW(row.of_residuals ? optim::least_squares(
                                               *made, [&] { return p.residuals(x); }, fails)
                                         : optim::minimize(
                                               *made, [&] { return sum(square(p.residuals(x))); }, fails),
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
  optim::LevenbergMarquardt marquardt({x});
  refused([&] { optim::least_squares(marquardt, [&] { return cast(x, i64); }); },
          "expected residuals of f32 or f64, got i64");
  refused([&] { optim::minimize(lbfgs, nullptr); }, "expected a function that gives a Tensor, got an empty one");
  refused([&] { optim::minimize(lbfgs, [&] { return square(y); }); }, "the loss does not depend on the parameter 0");
  refused(
      [&] {
        optim::minimize(lbfgs, [&] {
          const NoGrad none;
          return sum(square(x));
        });
      },
      "does not depend on the parameter 0");
  refused([&] { optim::minimize(lbfgs, [&, x] { return sum(square(x)); }); }, "does not depend on the parameter 0");
  refused(
      [&] {
        optim::LBFGS both({x, y});
        optim::minimize(both, loss);
      },
      "does not depend on the parameter 1");
  refused([&] { optim::minimize(lbfgs, loss, {.max_iterations = -1}); }, "max_iterations of 0 or more, got -1");
  refused([&] { optim::minimize(lbfgs, loss, {.gradient_tolerance = not_a_number}); },
          "gradient_tolerance of 0 or more, got nan");
  refused([&] { optim::minimize(lbfgs, loss, {.loss_tolerance = -1e-3}); }, "loss_tolerance");
  refused([&] { optim::minimize(lbfgs, loss, {.patience = 0}); }, "a patience of 1 or more, got 0");
  refused([&] { optim::minimize(lbfgs, loss, {.step_tolerance = infinity}); }, "step_tolerance");
  refused([&] { optim::minimize(lbfgs, loss, {.target = not_a_number}); }, "target");
  refused([&] { optim::minimize(lbfgs, loss, {.max_evaluations = -2}); }, "max_evaluations");
  refused([&] { optim::minimize(lbfgs, loss, {.max_seconds = not_a_number}); }, "max_seconds");
  refused([&] { optim::minimize(marquardt, loss); }, "[LevenbergMarquardt] this method works on residuals");
  refused([&] { optim::least_squares(marquardt, [&] {
                  return reshape(x, {2, 1})[0][0] * zeros({0}, f64);
                }); },
          "expected residuals, got none");
  int calls = 0;
  refused([&] { optim::least_squares(marquardt, [&] { return slice(x, 0, calls++ ? 1 : 0); }); },
          "expected 2 residuals, as at the first point, got 1");
  BOOST_TEST(allclose(x, tensor({1.0, 2.0}), 0, 0));
  BOOST_TEST(line_of_error([&] { optim::minimize(lbfgs, [&] { return square(x); }); }) == __LINE__);
}
