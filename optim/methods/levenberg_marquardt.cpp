#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/methods/levenberg_marquardt.hpp>

#include "optim/methods/triangular.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {

std::size_t at(Size i) { return static_cast<std::size_t>(i); }

double squared_length(const std::vector<double>& x) {
  double sum = 0;
  for (const double e : x) sum += e * e;
  return sum;
}

// f - f(x + d) by the linear model: 1/2 |J d|^2 + u |D d|^2
double promised(const Matrix& r, const std::vector<double>& d, double u, const std::vector<double>& scale) {
  double gain = 0;
  for (Size i = 0; i < r.rows; ++i) {
    double jd = 0;
    for (Size j = i; j < r.columns; ++j) jd += r[i][j] * d[at(j)];
    gain += jd * jd / 2;
  }
  for (std::size_t i = 0; i < d.size(); ++i) gain += u * (scale[i] * d[i]) * (scale[i] * d[i]);
  return gain;
}

// d + a, a = -1/2 (J^T J + u D^2)^-1 J^T r'', r'' the second derivative of r along d, by a difference; d where a is not
// small beside it.
std::vector<double> accelerated(Objective& f, const Tensor& x, const Tensor& residuals, const Tensor& jacobian,
                                const std::vector<double>& d, const Matrix& factor, const std::vector<double>& scale,
                                double limit) {
  constexpr double h = 0.1;
  const Size m = jacobian.size(0), n = jacobian.size(1);
  f.move_to(x + h * tensor(d));
  if (!std::isfinite(f.value())) return d;
  const double *j = numbers(jacobian), *r = numbers(residuals), *ahead = numbers(f.residuals());
  std::vector<double> b(d.size());
  for (Size i = 0; i < m; ++i) {
    double along = 0;
    for (Size k = 0; k < n; ++k) along += j[i * n + k] * d[at(k)];
    const double second = 2 / h * ((ahead[i] - r[i]) / h - along);
    for (Size k = 0; k < n; ++k) b[at(k)] -= 0.5 * j[i * n + k] * second;
  }
  std::vector<double> a = solve_normal(factor, std::move(b));
  double lengths[2] = {0, 0};
  for (std::size_t k = 0; k < d.size(); ++k) {
    lengths[0] += scale[k] * scale[k] * a[k] * a[k];
    lengths[1] += scale[k] * scale[k] * d[k] * d[k];
  }
  if (!(2 * std::sqrt(lengths[0]) <= limit * std::sqrt(lengths[1]))) return d;
  for (std::size_t k = 0; k < d.size(); ++k) a[k] += d[k];
  return a;
}

}  // namespace

void LevenbergMarquardtRule::check(const Require& require) const {
  require(damping > 0 && std::isfinite(damping), "a finite damping above 0", damping);
  require.not_negative("acceleration", acceleration);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance LevenbergMarquardtRule::advance(Objective& f, State& state) const {
  const double value = f.value();
  const Tensor x = f.x(), residuals = f.residuals(), jacobian = f.jacobian();
  if (!all(isfinite(jacobian)).item()) return Advance::stuck;
  Matrix r(jacobian.size(0), f.size());
  r.numbers = jacobian.to_vector<double>();
  std::vector<double> qtr = residuals.to_vector<double>();

  state.scale.resize(at(f.size()), 0.0);
  for (Size j = 0; j < r.columns; ++j) {
    double squares = 0;
    for (Size i = 0; i < r.rows; ++i) squares += r[i][j] * r[i][j];
    state.scale[at(j)] = std::max(state.scale[at(j)] / 2, std::sqrt(squares));
  }
  std::vector<double> scale = state.scale;
  for (double& s : scale)
    if (s == 0) s = 1;  // no residual has depended on it yet
  triangularise(r, qtr);

  Matrix factor;
  const Objective::Point start = f.here();
  const double noise = f.noise();
  double u = state.damping > 0 ? state.damping : damping, growth = 2;
  for (Size trial = 0; trial < max_trials; ++trial, u *= growth, growth *= 2) {
    std::vector<double> d = damped_step(r, qtr, u, scale, factor);
    if (!std::isfinite(squared_length(d))) continue;
    const double gain = promised(r, d, u, scale);
    if (trial == 0) {
      if (state.rounding.reached(gain, noise)) return Advance::exact;
      if (value < state.least) {
        state.least = value;
        state.since = 0;
      } else if (gain > noise && ++state.since == 40) {
        return Advance::exact;
      }
    }
    if (acceleration > 0 && gain > 1e3 * noise)
      d = accelerated(f, x, residuals, jacobian, d, factor, scale, acceleration);
    f.move_to(x + tensor(d));
    if (!std::isfinite(f.value())) continue;
    // f - f(x + d) = 1/2 sum (r - r') (r + r'), without the rounding of the sums themselves
    const double ratio = 0.5 * dot(residuals - f.residuals(), residuals + f.residuals()).item() / gain;
    if (gain <= noise || ratio > 1e-3) {
      const double t = 2 * ratio - 1;
      state.damping = std::max(1e-30, u * (gain <= noise ? 0.1 : std::max(1.0 / 3, 1 - t * t * t)));
      return Advance::moved;
    }
  }
  f.move_to(start);
  return state.rounding.stalled > 0 ? Advance::exact : Advance::stuck;
}

}  // namespace xgrad::optim
