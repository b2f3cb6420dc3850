// Least squares against NIST's certified fits: parameters, sums of squares and standard deviations; what uncertainty
// refuses.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numbers>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "helpers.hpp"
#include "nist_strd/nist_strd.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

// Digits that all numbers have in common with the certified ones, which have 11.
double digits(const std::vector<double>& got, const std::vector<double>& certified) {
  double least = 11;
  for (std::size_t i = 0; i < got.size(); ++i)
    least = std::min(least, -std::log10(std::abs(got[i] / certified[i] - 1) + 1e-11));
  return std::isfinite(least) ? least : -99;
}

// What is wrong with a fit; nothing: it is as certified.
std::string complaint(const nist::Problem& p, const Tensor& b, const optim::Result& fit,
                      const optim::Uncertainty& error) {
  const bool exact = p.name == "Lanczos1";  // its residuals are the rounding of its data, and so are their sums
  if (!fit.converged) return fmt::format("{} ends: {}", p.name, fit.reason);
  if (const double d = digits(b.to_vector<double>(), p.certified); !(d >= 10))
    return fmt::format("{}: {:.1f} digits", p.name, d);
  const double squares = digits({2 * fit.value}, {p.sum_of_squares}),
               deviations = digits(error.standard_errors[0].to_vector<double>(), p.deviations),
               residual = digits({std::sqrt(error.variance)}, {p.residual_deviation});
  if (!(squares >= (exact ? 2 : 9.5))) return fmt::format("{}: {:.1f} digits of the sum of squares", p.name, squares);
  if (!(deviations >= (exact ? 2 : 9.5))) return fmt::format("{}: {:.1f} digits of the deviations", p.name, deviations);
  if (!(residual >= (exact ? 2 : 9.5)))
    return fmt::format("{}: {:.1f} digits of the residual deviation", p.name, residual);
  return {};
}

template <class Method, class Options = typename std::decay_t<decltype(std::declval<Method>().options())>>
std::string fit_and_compare(const nist::Model& model, int start, Size iterations, Options options = {}) {
  const nist::Problem p = nist::read(model.name);
  Parameter b = parameter(tensor(p.starts[start]));
  const auto residuals = [&] { return model.residuals(b, p); };
  Method method({b}, options);
  try {
    const optim::Result fit =
        optim::least_squares(method, residuals, {.max_iterations = iterations, .gradient_tolerance = 1e-300});
    return complaint(p, b, fit, optim::uncertainty(fit, residuals, {b}));
  } catch (const Error& e) {
    return e.what();
  }
}

// Marquardt's method where the step is not damped: Gauss-Newton.
struct Undamped {
  static constexpr const char* name = "Undamped";
  struct State {};
  void check(const optim::Require&) const {}
  optim::Advance advance(optim::Objective& f, State&) const {
    const Tensor j = f.jacobian();
    f.move_to(f.x() - solve(matmul(transpose(j), j), f.gradient()));
    return f.finite() ? optim::Advance::moved : optim::Advance::stuck;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(nist_is_met) {
  BOOST_TEST(nist::models().size() == 27u);
  for (const nist::Model& model : nist::models())
    for (const int start : {0, 1}) {
      const std::string wrong = fit_and_compare<optim::LevenbergMarquardt>(model, start, 10000);
      BOOST_TEST(wrong.empty(), wrong << " from start " << start + 1);
    }
}

BOOST_AUTO_TEST_CASE(a_method_that_does_not_damp_is_seen) {
  int seen = 0;
  for (const nist::Model& model : nist::models())
    for (const int start : {0, 1}) seen += !fit_and_compare<optim::Minimiser<Undamped>>(model, start, 100).empty();
  BOOST_TEST(seen >= 10);
}

BOOST_AUTO_TEST_CASE(a_wrong_covariance_is_seen) {
  const nist::Problem p = nist::read("Misra1a");
  Parameter b = parameter(tensor(p.starts[1]));
  const auto residuals = [&] { return b[0] * (1.0 - exp(-b[1] * p.x)) - p.y; };
  optim::LevenbergMarquardt method({b});
  const optim::Result fit = optim::least_squares(method, residuals, {.loss_tolerance = 1e-15});
  optim::Uncertainty error = optim::uncertainty(fit, residuals, {b});
  BOOST_TEST(complaint(p, b, fit, error) == "");
  error.standard_errors[0] = error.standard_errors[0] * std::sqrt(12.0 / 14.0);  // divided by n, and not by n less p
  BOOST_TEST(complaint(p, b, fit, error).find("of the deviations") != std::string::npos);
}

// y = a + c x: covariance s^2 (X^T X)^-1, in numbers; and the same as a likelihood of known variance.
BOOST_AUTO_TEST_CASE(a_line_in_closed_form) {
  const Tensor x = tensor({1.0, 2.0, 4.0, 7.0}), y = tensor({1.0, 2.5, 3.5, 8.0});
  Parameter a = parameter(0.0), c = parameter(tensor({{0.0}}));  // shapes stay
  const auto residuals = [&] { return a + c[0][0] * x - y; };
  optim::LevenbergMarquardt method({a, c});
  const optim::Result fit = optim::least_squares(method, residuals, {.gradient_tolerance = 1e-300});
  // n = 4, sum x = 14, sum x^2 = 70, sum y = 15, sum x y = 76: c = (4 76 - 14 15) / (4 70 - 14^2), a = (15 - 14 c) / 4
  const double slope = 94.0 / 84, offset = (15 - 14 * slope) / 4;
  BOOST_TEST(c[0][0].item() == slope, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(a.item() == offset, boost::test_tools::tolerance(1e-11));
  double squares = 0;
  for (const auto& [u, v] : {std::pair{1.0, 1.0}, {2.0, 2.5}, {4.0, 3.5}, {7.0, 8.0}})
    squares += (offset + slope * u - v) * (offset + slope * u - v);
  const double s2 = squares / 2;
  const optim::Uncertainty error = optim::uncertainty(fit, residuals, {a, c});
  BOOST_TEST(error.degrees_of_freedom == 2);
  BOOST_TEST(error.variance == s2, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(allclose(error.covariance, s2 / 84 * tensor({{70.0, -14.0}, {-14.0, 4.0}}), 1e-12));
  BOOST_TEST(error.standard_errors[0].item() == std::sqrt(s2 * 70 / 84), boost::test_tools::tolerance(1e-12));
  BOOST_TEST((error.standard_errors[1].shape() == Shape{1, 1}));
  BOOST_TEST(error.standard_errors[1].item() == std::sqrt(s2 * 4 / 84), boost::test_tools::tolerance(1e-12));

  const auto likelihood = [&] { return sum(square(residuals())) / (2 * 0.25); };
  optim::Newton newton({a, c});
  const optim::Result by_likelihood = optim::minimize(newton, likelihood);
  const optim::Uncertainty of_likelihood = optim::uncertainty(by_likelihood, likelihood, {a, c}),
                           known = optim::uncertainty(fit, residuals, {a, c}, {.variance = 0.25});
  BOOST_TEST(allclose(of_likelihood.covariance, 0.25 / 84 * tensor({{70.0, -14.0}, {-14.0, 4.0}}), 1e-12));
  BOOST_TEST(allclose(known.covariance, of_likelihood.covariance, 1e-10));
}

// Quantiles of Student's t (12 degrees of freedom) and of the normal distribution, as tables have them; NIST's certified
// parameters and deviations.
BOOST_AUTO_TEST_CASE(intervals) {
  const nist::Problem p = nist::read("Misra1a");
  Parameter a = parameter(p.starts[1][0]), c = parameter(tensor({{p.starts[1][1]}}));
  const auto residuals = [&] { return a * (1.0 - exp(-c[0][0] * p.x)) - p.y; };
  optim::LevenbergMarquardt method({a, c});
  const optim::Result fit = optim::least_squares(method, residuals, {.loss_tolerance = 1e-15});
  const auto check = [&](const optim::Uncertainty& u, double level, double quantile) {
    const optim::Intervals made = optim::confidence_intervals(u, {a, c}, level);
    const double deviation[] = {u.standard_errors[0].item(), u.standard_errors[1].item()};
    BOOST_TEST((made.lower[1].shape() == Shape{1, 1} && made.upper[0].shape() == Shape{}));
    const double values[] = {a.item(), c.item()};
    for (int i : {0, 1}) {
      BOOST_TEST((made.upper[i].item() - values[i]) / deviation[i] == quantile, boost::test_tools::tolerance(1e-9));
      BOOST_TEST((values[i] - made.lower[i].item()) / deviation[i] == quantile, boost::test_tools::tolerance(1e-9));
    }
  };
  const optim::Uncertainty estimated = optim::uncertainty(fit, residuals, {a, c});
  BOOST_TEST(digits({estimated.standard_errors[0].item(), estimated.standard_errors[1].item()}, p.deviations) > 9);
  BOOST_TEST(fit.fitted == 2);
  check(estimated, 0.95, 2.178812829663418);
  check(estimated, 0.99, 3.054539589392900);
  check(optim::uncertainty(fit, residuals, {a, c}, {.variance = 0.01}), 0.95, 1.959963984540054);
  BOOST_CHECK_EXCEPTION(optim::confidence_intervals(estimated, {a, c}, 1), Error,
                        says("a level between 0 and 1, got 1"));
  // Next to 1: of one degree of freedom it is 1 / tan(pi (1 - level) / 2).
  optim::Uncertainty one;
  one.standard_errors = {tensor(1.0)};
  Parameter zero = parameter(0.0);
  const double level = 1 - 0x1p-53;
  BOOST_CHECK_EXCEPTION(
      optim::confidence_intervals(one, {zero}), Error,
      says("[confidence_intervals] expected degrees of freedom above 0, or a variance that is known, got 0"));
  one.degrees_of_freedom = 1;
  BOOST_TEST(optim::confidence_intervals(one, {zero}, level).upper[0].item() == 2 / (std::numbers::pi * 0x1p-53),
             boost::test_tools::tolerance(1e-12));
  one.degrees_of_freedom = -1;  // of fewer residuals than parameters
  one.known_variance = true;
  BOOST_TEST(optim::confidence_intervals(one, {zero}, level).upper[0].item() == 8.292361075813595,
             boost::test_tools::tolerance(1e-12));
  BOOST_CHECK_EXCEPTION(optim::confidence_intervals(estimated, {a}), Error,
                        says("the parameters that the uncertainty is of"));
  BOOST_CHECK_EXCEPTION(
      optim::confidence_intervals(estimated, {c, a}), Error,
      says("expected the parameters in the order that the uncertainty has them in, got another at place 0"));
}

// A fit that was cut off is no minimum, and its curvature says nothing of errors there.
BOOST_AUTO_TEST_CASE(a_fit_that_was_cut_off) {
  const Tensor x = linspace(0.0, 1.0, 20, f64), y = 2.0 * exp(-1.5 * x) + 0.01 * sin(30.0 * x);
  Parameter a = parameter(1.0), b = parameter(0.0);
  const auto residuals = [&] { return a * exp(-b * x) - y; };
  const auto likelihood = [&] { return 5000.0 * sum(square(residuals())); };
  for (const bool of_residuals : {true, false}) {
    a = 1.0, b = 0.0;
    optim::LevenbergMarquardt marquardt({a, b});
    optim::Newton newton({a, b});
    const auto run = [&](const optim::Stop& stop) {
      return of_residuals ? optim::least_squares(marquardt, residuals, stop)
                          : optim::minimize(newton, likelihood, stop);
    };
    const auto errors_of = [&](const optim::Result& fit) {
      return of_residuals ? optim::uncertainty(fit, residuals, {a, b}) : optim::uncertainty(fit, likelihood, {a, b});
    };
    const optim::Result cut = run({.max_iterations = 2});
    BOOST_CHECK_EXCEPTION(
        errors_of(cut), Error,
        says("[uncertainty] expected a fit at its minimum, got one from which a step of Newton's moves"));
    BOOST_CHECK_NO_THROW(errors_of(run({})));
  }
}

// What has converged is a fit: from starts where residuals are huge, of data without noise, beside readings that no parameter
// reaches.
BOOST_AUTO_TEST_CASE(converged_is_a_fit) {
  const Tensor x = linspace(0.0, 9.0, 10, f64), y = exp(0.1 * x) + 0.01 * sin(5.0 * x);
  double best = 0;
  for (const double start : {0.1, 3.0, 6.0, 20.0}) {
    Parameter a = parameter(start);
    optim::LevenbergMarquardt method({a});
    const optim::Result fit = optim::least_squares(method, [&] { return exp(a * x) - y; });
    if (best == 0) best = a.item();
    BOOST_TEST((!fit.converged || std::abs(a.item() - best) < 1e-7), start << ": " << a.item());
  }
  for (const double start : {0.0, 1e3, 1e10, 1e13})
    for (const double noise : {0.0, 0.01}) {
      const auto line = [&](const Tensor& p, const Tensor& q) { return p + q * x; };
      Parameter p = parameter(start), q = parameter(-start);
      const Tensor data = line(tensor(2.0), tensor(3.0)) + noise * sin(7.0 * x);
      optim::LevenbergMarquardt method({p, q});
      const auto residuals = [&] { return line(p, q) - data; };
      const optim::Result fit = optim::least_squares(method, residuals);
      BOOST_TEST(fit.converged, start << " " << noise << ": " << to_string(fit.reason));
      BOOST_TEST((std::abs(p.item() - 2) < 0.02 && std::abs(q.item() - 3) < 0.01),
                 start << " " << noise << ": " << p.item() << " " << q.item());
      BOOST_CHECK_NO_THROW(optim::uncertainty(fit, residuals, {p, q}));
    }
  const Tensor t = concat({linspace(0.0, 1.0, 20, f64), tensor({1e5})});
  const Tensor decay = concat({2.0 * exp(-1.5 * linspace(0.0, 1.0, 20, f64)), tensor({3.0})});
  Parameter a = parameter(1.0), b = parameter(1.0);
  optim::LevenbergMarquardt method({a, b});
  optim::least_squares(method, [&] { return a * exp(-b * t) - decay; });
  BOOST_TEST((std::abs(a.item() - 2) < 1e-6 && std::abs(b.item() - 1.5) < 1e-6), a.item() << " " << b.item());
}

// Whatever the units of data and parameters: the same fit, in these units.
BOOST_AUTO_TEST_CASE(units_of_data_and_parameters) {
  const Tensor t = linspace(0.0, 1.0, 20, f64), y = 2.0 * exp(-1.5 * t) + 0.01 * sin(30.0 * t);
  for (const double of_y : {1e-12, 1e-8, 1e-6, 1e-4, 1.0, 1e4, 1e12})
    for (const double of_t : {1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9}) {
      Parameter a = parameter(of_y), b = parameter(1 / of_t);
      optim::LevenbergMarquardt method({a, b});
      const optim::Result fit = optim::least_squares(method, [&] { return a * exp(-b * (of_t * t)) - of_y * y; });
      BOOST_TEST(fit.converged, of_y << " " << of_t << ": " << to_string(fit.reason));
      BOOST_TEST(a.item() / of_y == 2.002048789, boost::test_tools::tolerance(1e-6));
      BOOST_TEST(b.item() * of_t == 1.502826114, boost::test_tools::tolerance(1e-6));
    }
}

// How often the other methods look at NIST's models: a report, and that the easy ones are met.
BOOST_AUTO_TEST_CASE(counts_of_other_methods) {
  std::string report = "model start: digits, iterations and calls of LBFGS; of NewtonCG\n";
  int met[2] = {0, 0};
  for (const nist::Model& model : nist::models())
    for (const int start : {0, 1}) {
      const nist::Problem p = nist::read(model.name);
      report += fmt::format("{:10} {}:", model.name, start + 1);
      for (const int which : {0, 1}) {
        Parameter b = parameter(tensor(p.starts[start]));
        optim::LBFGS lbfgs({b});
        optim::NewtonCG newton_cg({b});
        optim::Method& method = which == 0 ? static_cast<optim::Method&>(lbfgs) : newton_cg;
        const optim::Result fit = optim::least_squares(method, [&] { return model.residuals(b, p); },
                                                       {.max_iterations = 5000, .gradient_tolerance = 1e-300});
        const double d = digits(b.value().to_vector<double>(), p.certified);
        met[which] += d >= 4;
        report += fmt::format("  {:4.1f} {} {}", std::max(0.0, d), fit.iterations, fit.evaluations.value);
      }
      report += "\n";
    }
  BOOST_TEST_MESSAGE(report << "4 digits or more: LBFGS " << met[0] << ", NewtonCG " << met[1] << " of 54");
  BOOST_TEST(met[0] >= 20);
  BOOST_TEST(met[1] >= 20);
}

BOOST_AUTO_TEST_CASE(what_a_fit_does_not_say) {
  Parameter a = parameter(1.0), b = parameter(2.0), c = parameter(0.5);
  const Tensor x = tensor({0.0, 1.0, 2.0}), y = tensor({1.0, 2.0, 5.0});
  optim::Result fit;
  fit.of_residuals = true;
  const auto refused = [&](const Callable<Tensor()>& f, const Parameters& p, const std::string& part,
                           double variance = 0) {
    fit.value = 0.5 * sum(square(f())).item();
    if (!fit.of_residuals) fit.value = f().item();
    BOOST_CHECK_EXCEPTION(optim::uncertainty(fit, f, p, {.variance = variance}), Error, says(part));
  };
  refused([&] { return a + b * x + c * square(x) - y; }, {a, b, c},
          "expected more residuals than parameters, got 3 and 3");
  refused([&] { return (a + b) * x - y; }, {a, b}, "do not determine the parameter 1");
  refused([&] { return a * x + b * 0.0 - y; }, {a, b}, "do not change with the parameter 1");
  refused([&] { return a * x - y; }, {a}, "variance of 0 or more", -1);
  refused([&] { return a * x - y; }, {a, a}, "is there twice");
  refused([&] { return a * x - y; }, {}, "expected at least one parameter");
  refused([&] { return a * x - y; }, {b}, "do not depend on the parameter 0");
  b = 0.0, c = 1.0;
  BOOST_CHECK_NO_THROW(({
    fit.value = 0.5 * sum(square(a + b * x + c * square(x) - y)).item();
    optim::uncertainty(fit, [&] { return a + b * x + c * square(x) - y; }, {a, b, c}, {.variance = 1});
  }));
  b = 2.0, c = 0.5;
  fit.value = 77;
  BOOST_CHECK_EXCEPTION(optim::uncertainty(fit, [&] { return a * x - y; }, {a}), Error, says("whose loss is 77"));
  fit.fitted = 3;
  refused([&] { return a + b * x + c * square(x) - y; }, {a, b},
          "expected all parameters of the fit, which have 3 numbers");
  fit.fitted = 2;
  fit.of_residuals = false;
  refused([&] { return square(a) - square(b); }, {a, b},
          "does not curve up with the parameter 1: the fit has not converged");
  refused([&] { return -square(a) + square(b); }, {a, b}, "expected a positive definite Hessian");
  refused([&] { return square(a) + b; }, {a, b}, "the loss does not curve with the parameter 1 here");
}

// What is singular but for rounding is singular: as a likelihood and by residuals, in both dtypes, whatever the scales.
template <class T>
void cannot_be_told_apart(DType dtype) {
  manual_seed(8);
  const Tensor t = rand({50}, dtype), s = rand({50}, dtype), y = randn({50}, dtype);
  for (int k = 1; k <= 40; ++k) {
    Parameter w = parameter(ones({2}, dtype)), c = parameter(T(1));
    const Tensor made = T(0.3 * k) * t + T(1.7) * s;  // the column of w[1] or c, of the others'
    const auto determined = [&](const Parameters& p, const Callable<Tensor()>& residuals, const std::string& owner) {
      const auto likelihood = [&] { return T(0.1 * k) * sum(square(residuals())); };
      optim::Result fit;
      fit.value = likelihood().item();
      BOOST_CHECK_EXCEPTION(optim::uncertainty(fit, likelihood, p), Error,
                            says("[uncertainty] the loss does not determine the parameter " + owner + ": its effect"));
      fit.of_residuals = true;
      fit.value = 0.5 * sum(square(cast(residuals(), f64))).item();
      BOOST_CHECK_EXCEPTION(optim::uncertainty(fit, residuals, p), Error,
                            says("the residuals do not determine the parameter " + owner + ": its effect"));
    };
    determined(
        {w}, [&] { return w[0] * t + w[1] * (T(0.37 * k) * t) - y; }, "0 (number 1 of it)");
    determined(
        {w, c}, [&] { return w[0] * t + w[1] * s + c * made - y; }, "1");
  }
  Parameter a = parameter(T(1)), b = parameter(T(0));  // told apart, by what is left of 1/1000 of b's column
  const Tensor far = linspace(T(1000), T(1010), 50);
  const auto residuals = [&] { return a + b * far - 1.0; };
  const auto likelihood = [&] { return 0.5 * sum(square(residuals())); };
  optim::Result fit;
  fit.value = likelihood().item();
  const double error = optim::uncertainty(fit, likelihood, {a, b}).standard_errors[1].item();
  BOOST_TEST(error == 0.048020,
             boost::test_tools::tolerance(dtype == f32 ? 2e-2 : 1e-4));  // 1 / sqrt(sum (t - mean)^2)
}
BOOST_AUTO_TEST_CASE(parameters_that_cannot_be_told_apart) {
  cannot_be_told_apart<double>(f64);
  cannot_be_told_apart<float>(f32);
}

// A covariance is of a minimum of the function alone.
BOOST_AUTO_TEST_CASE(penalties_and_bounds) {
  Parameter w = parameter(tensor({0.5, 0.5}));
  const auto loss = [&] { return sum(square(w - tensor({2.0, -1.0}))); };
  const auto fitted = [&](optim::Method& method) {
    const optim::Result fit = optim::minimize(method, loss);
    BOOST_TEST(fit.converged);
    return fit;
  };
  const auto accepted = [&](const optim::Result& fit) {
    BOOST_TEST(allclose(optim::uncertainty(fit, loss, {w}).covariance, 0.5 * eye(2, f64), 1e-12));
  };
  optim::OWLQN penalised({w}, {.l1 = 0.1}), free({w}, {.l1 = 0.0}), none({w}, {.l1 = {{w, 0.0}}});
  BOOST_CHECK_EXCEPTION(optim::uncertainty(fitted(penalised), loss, {w}), Error,
                        says("[uncertainty] expected a fit without an L1 penalty, got one with"));
  accepted(fitted(free));
  accepted(fitted(none));
  optim::LBFGSB inside({w}, {.bounds = {-3.0, 3.0}}), at({w}, {.bounds = {0.0, 3.0}}),
      fixed({w}, {.bounds = {{w, tensor({-3.0, -1.0}), tensor({3.0, -1.0})}}});
  accepted(fitted(inside));
  for (optim::LBFGSB* method : {&at, &fixed})
    BOOST_CHECK_EXCEPTION(optim::uncertainty(fitted(*method), loss, {w}), Error,
                          says("expected a minimum within the bounds, got one that they hold 1 of 2 numbers at"));
}

// Where there are fewer residuals than parameters, the step is the least one.
BOOST_AUTO_TEST_CASE(fewer_residuals_than_parameters) {
  Parameter p = parameter(tensor({1.0, 1.0, 1.0}));
  optim::LevenbergMarquardt method({p});
  const optim::Result fit =
      optim::least_squares(method, [&] { return stack({p[0] + 2.0 * p[1] - 5.0}); }, {.gradient_tolerance = 1e-12});
  BOOST_TEST(fit.converged);
  BOOST_TEST((p[0] + 2.0 * p[1]).item() == 5, boost::test_tools::tolerance(1e-10));
  BOOST_TEST(p[2].item() == 1);
}

BOOST_AUTO_TEST_CASE(any_method_takes_residuals) {
  const nist::Problem p = nist::read("Chwirut2");
  const nist::Model& model = nist::models()[3];
  Parameter b = parameter(tensor(p.starts[1]));
  const auto residuals = [&] { return model.residuals(b, p); };
  optim::LBFGS lbfgs({b});
  optim::Result fit = optim::least_squares(lbfgs, residuals, {.gradient_tolerance = 1e-300});
  BOOST_TEST(fit.converged);
  BOOST_TEST(digits(b.value().to_vector<double>(), p.certified) > 7);
  b.assign(tensor(p.starts[1]));
  optim::Newton newton({b});
  fit = optim::least_squares(newton, residuals, {.gradient_tolerance = 1e-300});
  BOOST_TEST(complaint(p, b, fit, optim::uncertainty(fit, residuals, {b})) == "");
}
