#include <xgrad/optim/methods/gauss_newton.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/methods/searches.hpp>

#include "optim/methods/triangular.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {

void GaussNewtonRule::check(const Require& require) const {
  require(armijo > 0 && armijo < 0.5, "armijo to be above 0 and below 1/2", armijo);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance GaussNewtonRule::advance(Objective& f, State& state) const {
  const Tensor jacobian = f.columns(), g = f.gradient();
  const double* const columns = numbers(jacobian);
  const Size m = f.residuals().numel();
  if (!std::isfinite(largest(columns, jacobian.numel()))) return Advance::stuck;
  std::vector<double> qtr(numbers(f.residuals()), numbers(f.residuals()) + m), scale;
  for (Size j = 0; j < f.size(); ++j) scale.push_back(length(columns + j * m, m));
  const Matrix r = triangularise(columns, m, f.size(), qtr);
  const double least = 0x1p-52 * static_cast<double>(r.rows);
  bool full = r.rows == r.columns;
  for (Size j = 0; j < r.columns; ++j) {
    double& s = scale[static_cast<std::size_t>(j)];
    full = full && std::abs(r[j][j]) > least * s;
    if (s == 0) s = 1;  // no residual depends on it here
  }
  Matrix factor;
  const Tensor d = tensor(damped_step(r, qtr, full ? 0 : 1e-8, scale, factor));
  const double slope = dot(g, d).item(), promised = -0.5 * slope, noise = f.noise();
  if (state.rounding.reached(promised, noise)) return Advance::exact;
  const double a = armijo_search(f, d, 1, {.armijo = armijo, .max_trials = max_trials});
  return a > 0 ? Advance::moved : promised <= noise ? Advance::exact : Advance::stuck;
}

}  // namespace xgrad::optim
