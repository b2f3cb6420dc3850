#include <xgrad/optim/methods/levenberg_marquardt.hpp>

#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/memory.hpp>

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

// x + h d
Tensor ahead(const Tensor& x, double h, const std::vector<double>& d) {
  return filled(x.shape(), f64,
                [&](void* to) { combine(static_cast<double*>(to), numbers(x), h, d.data(), x.numel()); });
}

// d + a, a = -1/2 (J^T J + u D^2)^-1 J^T r'', r'' the second derivative of r along d, by a difference; d where a is not
// small beside it.
std::vector<double> accelerated(Objective& f, const Tensor& x, const Tensor& residuals, const double* columns,
                                const std::vector<double>& d, const Matrix& factor, const std::vector<double>& scale,
                                double limit) {
  constexpr double h = 0.1;
  const Size m = residuals.numel();
  f.move_to(ahead(x, h, d));
  if (!std::isfinite(f.value())) return d;
  std::vector<double> second(at(m));  // r'' / 2 = ((r(x + h d) - r) / h - J d) / h
  combine(second.data(), numbers(f.residuals()), -1, numbers(residuals), m);
  for (std::size_t k = 0; k < d.size(); ++k)
    combine(second.data(), second.data(), -h * d[k], columns + static_cast<Size>(k) * m, m);
  std::vector<double> b;
  for (std::size_t k = 0; k < d.size(); ++k)
    b.push_back(-dot(columns + static_cast<Size>(k) * m, second.data(), m) / (h * h));
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
  const Tensor x = f.x(), residuals = f.residuals(), jacobian = f.columns();
  const double* const columns = numbers(jacobian);
  const Size m = residuals.numel();
  std::vector<double> qtr(numbers(residuals), numbers(residuals) + m);

  state.scale.resize(at(f.size()), 0.0);
  for (std::size_t j = 0; j < state.scale.size(); ++j) {
    const double now = length(columns + static_cast<Size>(j) * m, m);
    if (!std::isfinite(now)) return Advance::stuck;
    state.scale[j] = std::max(state.scale[j] / 2, now);
  }
  std::vector<double> scale = state.scale;
  for (double& s : scale)
    if (s == 0) s = 1;  // no residual has depended on it yet
  const Matrix r = triangularise(columns, m, f.size(), qtr);

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
      d = accelerated(f, x, residuals, columns, d, factor, scale, acceleration);
    f.move_to(ahead(x, 1, d));
    if (!std::isfinite(f.value())) continue;
    const double ratio = 0.5 * fall_of_squares(numbers(residuals), numbers(f.residuals()), m) / gain;
    if ((gain <= noise || ratio > 1e-3) && f.finite()) {
      const double t = 2 * ratio - 1;
      state.damping = std::max(1e-30, u * (gain <= noise ? 0.1 : std::max(1.0 / 3, 1 - t * t * t)));
      return Advance::moved;
    }
  }
  f.move_to(start);
  return state.rounding.stalled > 0 ? Advance::exact : Advance::stuck;
}

}  // namespace xgrad::optim
