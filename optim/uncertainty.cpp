#include <fmt/core.h>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/optim/uncertainty.hpp>

#include "optim/methods/triangular.hpp"

namespace xgrad::optim {
namespace {

constexpr const char* op = "uncertainty";

// The name of the parameter that number i of x belongs to.
std::string owner(const Parameters& parameters, Size i) {
  for (const Parameters::Entry& entry : parameters) {
    const Size n = entry.value().numel();
    if (i < n) return n == 1 ? entry.name : fmt::format("{} (number {} of it)", entry.name, i);
    i -= n;
  }
  return "?";
}

// (J^T J)^-1 = R^-1 R^-T, of J with columns of length 1, so that units do not count.
Tensor inverse_of_squares(Objective& f, Source source) {
  const Tensor jacobian = f.jacobian();
  const Size n = f.size();
  const Tensor lengths = sqrt(sum(square(jacobian), 0));
  const std::vector<double> length = lengths.to_vector<double>();
  for (Size j = 0; j < n; ++j)
    if (!(length[static_cast<std::size_t>(j)] > 0) || !std::isfinite(length[static_cast<std::size_t>(j)]))
      fail(source.named(op),
           "the residuals do not change with the parameter {} here, or not by a finite number; a fit "
           "says nothing of it",
           owner(f.parameters(), j));
  const Size m = jacobian.size(0);
  std::vector<double> unused(static_cast<std::size_t>(m));
  const double least = 0x1p-52 * static_cast<double>(m);
  const Tensor scaled = contiguous(transpose(jacobian / lengths));
  const Matrix r = triangularise(static_cast<const double*>(readable(scaled)), m, n, unused);
  for (Size j = 0; j < n; ++j)
    if (r.rows <= j || std::abs(r[j][j]) <= least)
      fail(source.named(op),
           "the residuals do not determine the parameter {}: its effect is made of the others'; fix "
           "one of them",
           owner(f.parameters(), j));
  std::vector<double> inverse;  // R^-T, row by row: its rows are the columns of R^-1
  for (Size j = 0; j < n; ++j) {
    std::vector<double> unit(static_cast<std::size_t>(n));
    unit[static_cast<std::size_t>(j)] = 1;
    const std::vector<double> column = solve_upper(r, unit);
    inverse.insert(inverse.end(), column.begin(), column.end());
  }
  const Tensor columns = tensor(inverse, {n, n});
  return matmul(transpose(columns), columns) / outer(lengths, lengths);
}

Tensor inverse_hessian(Objective& f, Source source) {
  try {
    const Tensor lower = cholesky(f.hessian());
    const Tensor inverse = solve_triangular(lower, eye(f.size(), f64));
    return matmul(transpose(inverse), inverse);
  } catch (const Error&) {
    fail(source.named(op),
         "expected a positive definite Hessian, as at a minimum of a negative log likelihood, got another: "
         "the fit has not converged, or does not determine all parameters");
  }
}

}  // namespace

Uncertainty uncertainty(const Result& fit, const Callable<Tensor()>& function, const Parameters& parameters,
                        UncertaintyOptions options, Source source) {
  const NoGrad constant;
  Require{op, source}.not_negative("variance", options.variance);
  const auto kind = fit.of_residuals ? Objective::Kind::residuals : Objective::Kind::loss;
  Objective f(op, parameters, function, kind, source);
  if (!(std::abs(f.value() - fit.value) <= 1e-6 * std::abs(fit.value) + 1e-300))
    fail(source.named(op),
         "expected the function and the parameters of the fit, whose loss is {}, got a loss "
         "of {} here; call it "
         "before the parameters change",
         fit.value, f.value());
  if (fit.fitted > 0 && f.size() != fit.fitted)
    fail(
        source.named(op),
        "expected all parameters of the fit, which have {} numbers, got some of {}: errors are smaller where others are held "
        "fixed; give all, and look at those that you want",
        fit.fitted, f.size());
  Uncertainty made;
  if (fit.of_residuals) {
    made.degrees_of_freedom = f.residuals().numel() - f.size();
    made.variance = options.variance;
    made.known_variance = options.variance > 0;
    if (made.variance == 0) {
      if (made.degrees_of_freedom <= 0)
        fail(source.named(op),
             "expected more residuals than parameters, got {} and {}; with none to spare the variance "
             "must be given",
             f.residuals().numel(), f.size());
      made.variance = 2 * f.value() / static_cast<double>(made.degrees_of_freedom);
    }
    made.covariance = evaluate(made.variance * inverse_of_squares(f, source));
  } else {
    made.variance = 1;
    made.known_variance = true;
    made.covariance = evaluate(inverse_hessian(f, source));
  }
  const Tensor errors = sqrt(diagonal(made.covariance));
  Size begin = 0;
  for (const Parameters::Entry& entry : parameters) {
    const Shape& shape = entry.value().shape();
    made.standard_errors.push_back(evaluate(reshape(slice(errors, 0, begin, begin + shape.numel()), shape)));
    begin += shape.numel();
  }
  return made;
}

Intervals confidence_intervals(const Uncertainty& of, const Parameters& parameters, double level, Source source) {
  const NoGrad constant;
  const Require require{"confidence_intervals", source};
  require(level > 0 && level < 1, "a level between 0 and 1", level);
  require(of.standard_errors.size() == parameters.size(), "the parameters that the uncertainty is of",
          static_cast<double>(parameters.size()));
  const double part = (1 + level) / 2;
  const double q = of.known_variance ? boost::math::quantile(boost::math::normal(), part)
                                     : boost::math::quantile(
                                           boost::math::students_t(static_cast<double>(of.degrees_of_freedom)), part);
  Intervals made;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Tensor value = cast(parameters[i].value().detach(), f64), errors = of.standard_errors[i];
    if (value.shape() != errors.shape())
      fail(source.named("confidence_intervals"),
           "expected the parameters that the uncertainty is of, got {} of shape {} for {}", parameters[i].name,
           value.shape(), errors.shape());
    made.lower.push_back(evaluate(value - q * errors));
    made.upper.push_back(evaluate(value + q * errors));
  }
  return made;
}

}  // namespace xgrad::optim
