#include <xgrad/optim/uncertainty.hpp>

#include <fmt/core.h>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "optim/methods/triangular.hpp"

namespace xgrad::optim {
namespace {

constexpr const char* op = "uncertainty";
// Units of rounding that a derivative may have; sums of 10^5 products were seen to have 4.
constexpr double some_ops = 8;

// The name of the parameter that number i of x belongs to.
std::string owner(const Parameters& parameters, Size i) {
  for (const Parameters::Entry& entry : parameters) {
    const Size n = entry.value().numel();
    if (i < n) return n == 1 ? entry.name : fmt::format("{} (number {} of it)", entry.name, i);
    i -= n;
  }
  return "?";
}

// `lengths`, one for each number of x, are above 0 and finite?
void check_lengths(Objective& f, const Tensor& lengths, const char* what, Source source) {
  Size j = 0;
  for (const double length : lengths.to_vector<double>()) {
    if (!(length > 0) || !std::isfinite(length))
      fail(source.named(op), "the {} with the parameter {} here, or not by a finite number; a fit says nothing of it",
           what, owner(f.parameters(), j));
    ++j;
  }
}

[[noreturn]] void undetermined(Objective& f, Size j, const char* what, Source source) {
  fail(source.named(op), "the {} not determine the parameter {}: its effect is made of the others'; fix one of them",
       what, owner(f.parameters(), j));
}

// (J^T J)^-1 = R^-1 R^-T, of J with columns of length 1, so that units do not count.
Tensor inverse_of_squares(Objective& f, Source source) {
  const Tensor jacobian = f.jacobian();
  const Size n = f.size();
  const Tensor lengths = sqrt(sum(square(jacobian), 0));
  check_lengths(f, lengths, "residuals do not change", source);
  const Size m = jacobian.size(0);
  std::vector<double> unused(static_cast<std::size_t>(m));
  // The columns' own rounding, and that of R.
  const double least = some_ops * f.rounding() + 0x1p-52 * static_cast<double>(m);
  const Tensor scaled = contiguous(transpose(jacobian / lengths));
  const Matrix r = triangularise(static_cast<const double*>(readable(scaled)), m, n, unused);
  for (Size j = 0; j < n; ++j)
    if (r.rows <= j || std::abs(r[j][j]) <= least) undetermined(f, j, "residuals do", source);
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

// H^-1 = D (L L^T)^-1 D, of D H D = L L^T with a diagonal of 1 (D_jj = H_jj^-1/2), so that units do not count. L_jj^2 is what the
// parameters before j leave of that 1.
Tensor inverse_hessian(Objective& f, Source source) {
  const Size n = f.size();
  const Tensor hessian = f.hessian(), lengths = sqrt(abs(diagonal(hessian)));
  check_lengths(f, lengths, "loss does not curve", source);
  Matrix scaled(n, n);
  scaled.numbers = (hessian / lengths / reshape(lengths, {n, 1})).to_vector<double>();
  const double least = some_ops * f.rounding() * static_cast<double>(n);
  if (const Size j = factorise(scaled, least); j < n) {
    if (std::abs(scaled[j][j]) <= least) undetermined(f, j, "loss does", source);
    fail(source.named(op),
         "expected a positive definite Hessian, as at a minimum of a negative log likelihood, got one that does not "
         "curve up with the parameter {}: the fit has not converged, or does not determine it",
         owner(f.parameters(), j));
  }
  const Tensor inverse = solve_triangular(tril(tensor(scaled.numbers, {n, n})), eye(n, f64));
  return matmul(transpose(inverse), inverse) / outer(lengths, lengths);
}

// Is x where the fit would end? `inverse`: of the Hessian.
void check_minimum(Objective& f, const Result& fit, const Tensor& inverse, const Tensor& errors, Source source) {
  if (fit.converged) return;
  const Tensor step = matmul(inverse, f.gradient()), moves = abs(step) / errors;
  const double gain = 0.5 * dot(step, f.gradient()).item();
  constexpr double much = 0.1, above_rounding = 100;
  if (!(gain > above_rounding * f.noise())) return;
  const Size i = static_cast<Size>(argmax(moves).item());
  if (const double moved = moves[i].item(); moved > much)
    fail(
        source.named(op),
        "expected a fit at its minimum, got one from which a step of Newton's moves the parameter {} by {:.2g} of its standard "
        "errors (it ended so: {}); let it run on",
        owner(f.parameters(), i), moved, to_string(fit.reason));
}

}  // namespace

Uncertainty uncertainty(const Result& fit, const Callable<Tensor()>& function, const Parameters& parameters,
                        UncertaintyOptions options, Source source) {
  const NoGrad constant;
  Require{op, source}.not_negative("variance", options.variance);
  if (fit.penalised)
    fail(
        source.named(op),
        "expected a fit without an L1 penalty, got one with: that draws numbers towards 0, and no covariance says how far they "
        "vary; fit many samples of the data (bootstrap), or fit again without it");
  if (fit.held > 0)
    fail(
        source.named(op),
        "expected a minimum within the bounds, got one that they hold {} of {} numbers at, which do not vary as others do; fit "
        "again with those fixed and left out of the parameters",
        fit.held, fit.fitted);
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
  check_minimum(f, fit, made.covariance / made.variance, errors, source);
  made.parameters = parameters;
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
  for (std::size_t i = 0; i < parameters.size() && i < of.parameters.size(); ++i)
    if (of.parameters[i].variable.get() != parameters[i].variable.get())
      fail(
          source.named("confidence_intervals"),
          "expected the parameters in the order that the uncertainty has them in, got another at place {}; give them as then",
          i);
  const double freedom = static_cast<double>(of.degrees_of_freedom), outside = (1 - level) / 2;
  require(of.known_variance || freedom > 0, "degrees of freedom above 0, or a variance that is known", freedom);
  using boost::math::complement;
  const double q = of.known_variance ? quantile(complement(boost::math::normal(), outside))
                                     : quantile(complement(boost::math::students_t(freedom), outside));
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
