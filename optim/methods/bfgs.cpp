#include <xgrad/optim/methods/bfgs.hpp>

#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/methods/searches.hpp>

#include "optim/methods/first_step.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {

using Vector = std::vector<double>;
std::size_t at(Size i) { return static_cast<std::size_t>(i); }

// a H v
Vector times(const Vector& h, double a, const double* v, Size n) {
  Vector made(v, v + n);
  for (Size i = 0; i < n; ++i) made[at(i)] = a * (h.empty() ? v[i] : dot(h.data() + i * n, v, n));
  return made;
}

// H + r ((1 + r y^T H y) s s^T - (H y) s^T - s (H y)^T), row by row
void update(Vector& h, const Vector& s, const Vector& y, double sy, Size n) {
  const Vector hy = times(h, 1, y.data(), n);
  const double r = 1 / sy, most = r * (1 + r * dot(y.data(), hy.data(), n));
  for (Size i = 0; i < n; ++i) {
    double* row = h.data() + i * n;
    combine(row, row, most * s[at(i)] - r * hy[at(i)], s.data(), n);
    combine(row, row, -r * s[at(i)], hy.data(), n);
  }
}

}  // namespace

void BFGSRule::check(const Require& require) const {
  require(armijo > 0 && armijo < curvature, "armijo to be above 0 and below curvature", armijo);
  require(curvature > 0 && curvature < 1, "a curvature between 0 and 1", curvature);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance BFGSRule::advance(Objective& f, State& state) const {
  Wolfe wolfe{.armijo = armijo, .curvature = curvature, .interval = 1e-6, .max_trials = max_trials};
  const Tensor x = f.x(), g = f.gradient();
  const Size n = f.size();
  const double value = f.value(), noise = f.noise();
  for (;;) {
    const Vector d = times(state.h, -1, numbers(g), n);
    const double slope = dot(numbers(g), d.data(), n);
    const double fell = state.value - value;
    double first = fell > noise && slope < 0 ? std::min(1.0, 1.01 * 2 * fell / -slope) : 1.0;
    if (!state.moved) {
      const FirstStep step(length(numbers(g), n), length(numbers(x), n), 1.01);
      first = step.first;
      wolfe.longest = step.longest;
    }
    const double promised = -0.5 * std::max(1.0, first) * slope;
    if (!state.h.empty() && state.rounding.reached(promised, noise)) return Advance::exact;
    const double a = wolfe_search(f, tensor(d), first, wolfe);
    if (a >= wolfe.longest && went_far(a * length(d.data(), n), length(numbers(x), n))) return Advance::unbounded;
    if (a > 0) {
      Vector s(at(n)), y(at(n));
      combine(s.data(), numbers(f.x()), -1, numbers(x), n);
      combine(y.data(), numbers(f.gradient()), -1, numbers(g), n);
      const double sy = dot(s.data(), y.data(), n);
      if (sy > 0x1p-52 * -a * slope) {
        if (state.h.empty()) {
          state.h.assign(at(n * n), 0.0);
          // I is of no use in units in which H is far from it: the update would be lost in rounding.
          const double scale = sy / dot(y.data(), y.data(), n);
          const double diagonal = scaled || scale < 0x1p-30 || scale > 0x1p30 ? scale : 1;
          for (Size i = 0; i < n; ++i) state.h[at(i * n + i)] = diagonal;
        }
        update(state.h, s, y, sy, n);
      }
      state.value = value;
      state.moved = true;
      return Advance::moved;
    }
    if (promised <= noise) return Advance::exact;
    if (state.h.empty()) return Advance::stuck;
    state.h.clear();  // the gradient's direction
    state.moved = false;
  }
}

}  // namespace xgrad::optim
