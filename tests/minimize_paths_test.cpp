// Minimisers step by step against other people's programs: SciPy 1.10.1, optax, and plain transcriptions.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "minimize_problems.hpp"
#include "references/references.hpp"

using namespace xgrad;
using problems::off;

namespace {

// The greatest difference of the points after each iteration from the rows of `path`; the start is where x is.
double apart(optim::Method& method, const Parameter& x, const Callable<Tensor()>& loss, const Tensor& path) {
  double most = 0;
  Size done = 0;
  optim::minimize(method, loss,
                  {.max_iterations = path.size(0), .gradient_tolerance = 1e-300, .when = [&](const optim::Progress& p) {
                     most = std::max(most, off(x, path[p.iteration - 1].to_vector<double>()));
                     done = p.iteration;
                     return false;
                   }});
  BOOST_TEST(done == path.size(0));
  return most;
}

struct Row {
  const char* scipy;
  problems::Make make;
  std::set<int> other = {};  // problems where the two go different ways
  Size points = 4;           // that are compared
};

const Row rows[] = {
    // SciPy asks for a point whose next direction leads down, and searches again by another method where it does not.
    {"CG", problems::method<optim::NonlinearCG>(), {1, 8, 15, 17, 21, 23}},
    // Badly scaled: rounding grows by 10^8 in four steps.
    {"BFGS", problems::method<optim::BFGS>(), {4, 10, 23}},
    {"L-BFGS-B", problems::method<optim::LBFGSB>(), {4}},
    // the first step is at most 1 here
    {"L-BFGS-B", problems::method<optim::LBFGS>(optim::LBFGSRule{.armijo = 1e-3}), {4, 9, 15, 26, 28, 29}},
    {"trust-ncg", problems::method<optim::NewtonCG>(), {}, 6},
};

}  // namespace

BOOST_AUTO_TEST_CASE(methods_go_where_scipy_goes) {
  const references::File scipy("minimisers");
  for (const Row& row : rows)
    for (int number = 1; number <= 35; ++number) {
      if (row.other.count(number)) continue;
      const problems::Problem& p = problems::more_garbow_hillstrom()[static_cast<std::size_t>(number - 1)];
      const Tensor path = scipy[fmt::format("{:02}.{}.path", number, row.scipy)];
      Parameter x = parameter(tensor(p.start));
      const auto made = row.make(x);
      const auto loss = [&] { return sum(square(p.residuals(x))); };
      const double most = apart(*made, x, loss, slice(path, 0, 0, std::min(row.points, path.size(0))));
      BOOST_TEST(most <= 1e-8, row.scipy << " on " << p.name << ": " << most);
    }
}

// Within bounds: L-BFGS-B's points, and the minimum that two of SciPy's methods agree on.
BOOST_AUTO_TEST_CASE(lbfgsb_goes_where_scipy_goes_within_bounds) {
  const references::File scipy("minimisers");
  int seen = 0;
  for (int number = 1; number <= 35; ++number) {
    const auto key = [&](const char* what) { return fmt::format("{:02}.{}", number, what); };
    if (!scipy.has(key("box.path")) || number == 4) continue;  // badly scaled
    ++seen;
    const problems::Problem& p = problems::more_garbow_hillstrom()[static_cast<std::size_t>(number - 1)];
    Parameter x = parameter(tensor(p.start));
    optim::LBFGSB method({x}, {.bounds = {{x, scipy[key("lower")], scipy[key("upper")]}}});
    const auto loss = [&] { return sum(square(p.residuals(x))); };
    const Tensor path = scipy[key("box.path")];
    const double most = apart(method, x, loss, slice(path, 0, 0, std::min<Size>(4, path.size(0))));
    BOOST_TEST(most <= 1e-8, p.name << ": " << most);
  }
  BOOST_TEST(seen == 11);
}

// f = sum x^2 from (1, 2, 3), as optax prints it after each step (google-deepmind/optax,
// scale_by_backtracking_linesearch).
BOOST_AUTO_TEST_CASE(gradient_descent_as_optax) {
  Parameter x = parameter(tensor({1.0, 2.0, 3.0}));
  optim::GradientDescent method({x}, {.first = 1, .longest = 1});
  const optim::Result fit =
      optim::minimize(method, [&] { return sum(square(x)); }, {.max_iterations = 5, .trace = true});
  const double printed[] = {14.0, 5.04, 1.81, 0.653, 0.235, 0.0847};
  for (std::size_t i = 0; i < 6; ++i)
    BOOST_TEST(std::abs(fit.trace[i].value / printed[i] - 1) < 3e-3, fit.trace[i].value);
}

// 1/2 |A x - b|^2 + 4 |x|_1: proximal gradient and FISTA with steps of 1 / |A|^2, and what coordinate descent finds.
BOOST_AUTO_TEST_CASE(lasso) {
  const references::File numpy("minimisers");
  const Tensor a = numpy["lasso.a"], b = numpy["lasso.b"];
  const double step = numpy["lasso.step"].item();
  Parameter x = parameter(zeros({12}, f64));
  const auto loss = [&] { return 0.5 * sum(square(matmul(a, x) - b)); };
  optim::ProximalGradient ista({x}, {.l1 = 4.0, .first = step, .grow = 1});
  BOOST_TEST(apart(ista, x, loss, numpy["lasso.ista"]) <= 1e-11);
  x.assign(zeros({12}, f64));
  optim::FISTA fista({x}, {.l1 = 4.0, .first = step, .grow = 1, .restart = false});
  BOOST_TEST(apart(fista, x, loss, numpy["lasso.fista"]) <= 1e-11);

  const auto solved = [&](optim::Method& method) {
    x.assign(zeros({12}, f64));
    const optim::Result fit = optim::minimize(method, loss, {.gradient_tolerance = 1e-10});
    BOOST_TEST(fit.converged, to_string(fit.reason));
    BOOST_TEST(allclose(x, numpy["lasso.solution"], 1e-9, 1e-10), fmt::format("{:.12}", x));
    BOOST_TEST(fit.value == (loss() + 4.0 * sum(abs(x))).item(), boost::test_tools::tolerance(1e-14));
    BOOST_TEST(sum(cast(x.value() == 0.0, i64)).item() == sum(cast(numpy["lasso.solution"] == 0.0, i64)).item());
    return fit.iterations;
  };
  optim::ProximalGradient plain({x}, {.l1 = 4.0});
  optim::FISTA with_momentum({x}, {.l1 = {{x, 4.0}}});
  optim::OWLQN orthant_wise({x}, {.l1 = 4.0});
  solved(plain);
  solved(with_momentum);
  solved(orthant_wise);
}

// X = (-1, 0, 1), y = X, 1/6 |y - X w|^2 + alpha |w|: w = max(2/3 - alpha, 0) / (2/3) (scikit-learn's own test of its
// Lasso)
BOOST_AUTO_TEST_CASE(lasso_in_closed_form) {
  const Tensor x = tensor({-1.0, 0.0, 1.0});
  for (const auto& [alpha, exact] : {std::pair{0.1, 0.85}, {0.5, 0.25}, {1.0, 0.0}}) {
    Parameter w = parameter(2.0), offset = parameter(1.0);  // no penalty on the offset
    optim::FISTA method({w, offset}, {.l1 = {{w, alpha}}});
    const auto loss = [&] { return sum(square(x - x * w - offset)) / 6.0; };
    const optim::Result fit = optim::minimize(method, loss, {.gradient_tolerance = 1e-12});
    BOOST_TEST(fit.converged);
    BOOST_TEST(std::abs(w.item() - exact) < 1e-11, w.item());
    BOOST_TEST(std::abs(offset.item()) < 1e-11);
  }
}
