#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/optim/methods/searches.hpp>

namespace xgrad::optim {

double armijo_search(Objective& f, const Tensor& d, double first, const Armijo& options) {
  const NoGrad constant;
  const double f0 = f.value(), slope = dot(f.gradient(), d).item(), noise = f.noise();
  if (!(slope < 0)) return 0;
  const Objective::Point start = f.here();
  const Tensor x = f.x();
  double a = first;
  for (Size trial = 0; trial < options.max_trials; ++trial) {
    const Tensor next = x + a * d;
    if (all(next == f.x()).item()) break;  // rounded to the last trial
    f.move_to(next);
    const double value = f.value();
    // Where the decrease that is asked for is lost in f(x), a value that has not fallen is none.
    const bool lower = value <= f0 + options.above + options.armijo * a * slope && (value < f0 || options.above > 0);
    if (lower && (value == -std::numeric_limits<double>::infinity() || f.finite())) return a;
    if (std::abs(value - f0) <= noise && std::abs(dot(f.gradient(), d).item()) < std::abs(slope)) return a;
    if (options.shrink > 0) {
      a *= options.shrink;
      continue;
    }
    const double parabola = -slope * a * a / (2 * (value - f0 - a * slope));  // its minimum
    a = std::isfinite(parabola) ? std::clamp(parabola, 0.1 * a, 0.5 * a) : 0.1 * a;
  }
  f.move_to(start);
  return 0;
}

}  // namespace xgrad::optim
