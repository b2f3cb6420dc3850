#include <xgrad/optim/methods/nonlinear_cg.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/methods/searches.hpp>

#include "optim/methods/first_step.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
}

void NonlinearCGRule::check(const Require& require) const {
  require(formula >= CG::fletcher_reeves && formula <= CG::hager_zhang, "a formula of CG",
          static_cast<double>(formula));
  require(armijo > 0 && armijo < curvature, "armijo to be above 0 and below curvature", armijo);
  require(curvature > 0 && curvature < 1, "a curvature between 0 and 1", curvature);
  require(descent > 0 && descent < 1, "a descent between 0 and 1", descent);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance NonlinearCGRule::advance(Objective& f, State& state) const {
  Wolfe wolfe{.armijo = armijo, .curvature = curvature, .interval = 1e-6, .max_trials = max_trials};
  const Tensor tensor_g = f.gradient();
  const double *g = numbers(tensor_g), value = f.value();
  const Size n = f.size();
  const double gg = dot(g, g, n), noise = f.noise();
  std::vector<double>& d = state.d;

  const double of_x = length(numbers(f.x()), n);
  const FirstStep unknown(std::sqrt(gg), of_x, 1.01);
  wolfe.longest = unknown.longest;
  double slope = -gg, first = unknown.first;
  bool flatter = true;  // after the last step: else its length says nothing of the curvature
  if (!d.empty()) {
    const double* before = numbers(state.g);
    const double g_before = dot(g, before, n), gg_before = dot(before, before, n), dg = dot(d.data(), g, n);
    const double gy = gg - g_before, dy = dg - state.slope, yy = gg - 2 * g_before + gg_before;
    flatter = std::abs(dg) < std::abs(state.slope);
    double b = 0;
    switch (formula) {
      case CG::fletcher_reeves: b = gg / gg_before; break;
      case CG::polak_ribiere: b = std::max(0.0, gy / gg_before); break;
      case CG::hestenes_stiefel: b = gy / dy; break;
      case CG::dai_yuan: b = gg / dy; break;
      case CG::hager_zhang:
        b = std::max((gy - yy * dg / dy) / dy, 0.4 * state.slope / dot(d.data(), d.data(), n));
        break;
    }
    slope = -gg + b * dg;
    if (!std::isfinite(b) || slope > -descent * gg) b = 0, slope = -gg;
    for (Size i = 0; i < n; ++i) d[static_cast<std::size_t>(i)] = -g[i] + b * d[static_cast<std::size_t>(i)];
    const double fell = state.value - value,
                 most = std::max(1.0, 0x1p-10 * state.a);  // 1, in units where it means something
    first = std::min(most, fell > noise ? 1.01 * 2 * fell / -slope : state.a * state.slope / slope);
  } else {
    d.resize(static_cast<std::size_t>(n));
    for (Size i = 0; i < n; ++i) d[static_cast<std::size_t>(i)] = -g[i];
  }
  for (bool steepest = slope == -gg;; steepest = true) {
    const double promised = flatter ? 0.5 * (state.a > 0 ? state.a : first) * gg : infinity;
    if (state.a > 0 && state.rounding.reached(promised, noise)) return state.rounding.done(gg, noise);
    const double a = wolfe_search(f, tensor(d), first, wolfe);
    if (a >= wolfe.longest && went_far(a * length(d.data(), n), of_x)) return Advance::unbounded;
    if (a > 0) {
      state.g = tensor_g;
      state.value = value;
      state.slope = slope;
      state.a = a;
      state.rounding.took(a * length(d.data(), n) / std::sqrt(gg), gg);
      return Advance::moved;
    }
    if (promised <= noise) return state.rounding.done(gg, noise);
    if (steepest) return Advance::stuck;
    for (Size i = 0; i < n; ++i) d[static_cast<std::size_t>(i)] = -g[i];
    slope = -gg;
    first = unknown.first;
  }
}

}  // namespace xgrad::optim
