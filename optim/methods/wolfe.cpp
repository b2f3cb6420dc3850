// Moré & Thuente, "Line search algorithms with guaranteed sufficient decrease", ACM TOMS 20 (1994).
#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/optim/methods/searches.hpp>

#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {

// A step, and the function phi(a) = f(x + a d) and its slope there.
struct Trial {
  double a, f, slope;
};

// phi less the line that sufficient decrease asks for: psi(a) = phi(a) - a line
Trial below_line(const Trial& t, double line) { return {t.a, t.f - t.a * line, t.slope - line}; }

// The cubic through two trials: what its minimisers are made of.
struct Cubic {
  double theta, gamma;
  Cubic(const Trial& x, const Trial& y, bool may_have_none = false) {
    theta = 3 * (x.f - y.f) / (y.a - x.a) + x.slope + y.slope;
    const double s = std::max({std::abs(theta), std::abs(x.slope), std::abs(y.slope)});
    const double square = (theta / s) * (theta / s) - (x.slope / s) * (y.slope / s);
    gamma = s * std::sqrt(may_have_none ? std::max(0.0, square) : square);
  }
};

// The interval [best, other] that holds a minimum, once `bracketed`, and the next step to try: MINPACK-2's dcstep.
struct Interval {
  Trial best, other;
  bool bracketed = false;

  double next(const Trial& t, double least, double most) {
    const Trial x = best;
    const bool falls_on = t.slope * (x.slope / std::abs(x.slope)) >= 0;  // slopes of one sign
    double step;
    if (t.f > x.f) {  // higher: the minimum is between; the cubic's step, or halfway to the parabola's
      const Cubic c(x, t);
      const double gamma = t.a < x.a ? -c.gamma : c.gamma;
      const double r = (gamma - x.slope + c.theta) / (gamma - x.slope + gamma + t.slope);
      const double cubic = x.a + r * (t.a - x.a);
      const double parabola = x.a + x.slope / ((x.f - t.f) / (t.a - x.a) + x.slope) / 2 * (t.a - x.a);
      step = std::abs(cubic - x.a) < std::abs(parabola - x.a) ? cubic : cubic + (parabola - cubic) / 2;
      bracketed = true;
    } else if (!falls_on) {  // lower, and it rises again: between; the farther of cubic and secant
      const Cubic c(x, t);
      const double gamma = t.a > x.a ? -c.gamma : c.gamma;
      const double r = (gamma - t.slope + c.theta) / (gamma - t.slope + gamma + x.slope);
      const double cubic = t.a + r * (x.a - t.a), secant = t.a + t.slope / (t.slope - x.slope) * (x.a - t.a);
      step = std::abs(cubic - t.a) > std::abs(secant - t.a) ? cubic : secant;
      bracketed = true;
    } else if (std::abs(t.slope) < std::abs(x.slope)) {  // lower, and less steep: the cubic may have no minimum there
      const Cubic c(x, t, true);
      const double gamma = t.a > x.a ? -c.gamma : c.gamma;
      const double r = (gamma - t.slope + c.theta) / (gamma + (x.slope - t.slope) + gamma);
      const double cubic = r < 0 && gamma != 0 ? t.a + r * (x.a - t.a) : t.a > x.a ? most : least;
      const double secant = t.a + t.slope / (t.slope - x.slope) * (x.a - t.a);
      const bool nearer = std::abs(cubic - t.a) < std::abs(secant - t.a);
      if (bracketed) {
        step = nearer ? cubic : secant;
        const double bound = t.a + 0.66 * (other.a - t.a);
        step = t.a > x.a ? std::min(bound, step) : std::max(bound, step);
      } else {
        step = std::clamp(std::abs(cubic - t.a) > std::abs(secant - t.a) ? cubic : secant, least, most);
      }
    } else if (bracketed) {  // lower, and as steep: the cubic with the other end
      const Cubic c(other, t);
      const double gamma = t.a > other.a ? -c.gamma : c.gamma;
      const double r = (gamma - t.slope + c.theta) / (gamma - t.slope + gamma + other.slope);
      step = t.a + r * (other.a - t.a);
    } else {
      step = t.a > x.a ? most : least;
    }
    if (t.f > x.f) {
      other = t;
    } else {
      if (!falls_on) other = x;
      best = t;
    }
    return step;
  }
};

}  // namespace

double wolfe_search(Objective& f, const Tensor& d, double first, const Wolfe& options) {
  const NoGrad constant;
  const Size n = f.size();
  const Tensor along = contiguous(cast(d, f64));
  const auto look = [&](double a) {
    const double* g = numbers(f.gradient());  // and with it, in one evaluation, the value
    return Trial{a, f.value(), dot(g, numbers(along), n)};
  };
  const Trial start = look(0);
  if (!(start.slope < 0)) return 0;
  const Objective::Point origin = f.here();
  const Tensor x = f.x();
  const double noise = f.noise(), line = options.armijo * start.slope;
  double longest = options.longest;

  Interval interval{start, start};
  double a = first, least = 0, most = a + 4 * a, width = longest, width_before = 2 * longest;
  bool below =
      false;  // a step was seen with psi <= 0 and a slope that is not steep: phi itself is searched from then on
  Objective::Point best_point, flattest_point;
  Trial flattest = start;
  for (Size trial = 0; trial < options.max_trials; ++trial) {
    const Tensor next =
        filled({n}, f64, [&](void* to) { combine(static_cast<double*>(to), numbers(x), a, numbers(along), n); });
    const auto rounds_to = [&](const Tensor& there) {
      return std::equal(numbers(next), numbers(next) + n, numbers(there));
    };
    if (rounds_to(f.x()) || rounds_to(x)) break;  // the last trial, or where it began
    f.move_to(next);
    Trial t = look(a);
    if (!std::isfinite(t.f) || !std::isfinite(t.slope)) {
      longest = a;  // too far
      a = interval.best.a + 0.1 * (a - interval.best.a);
      most = std::min(most, longest);
      continue;
    }
    const bool decreased = t.f <= start.f + a * line || std::abs(t.f - start.f) <= noise;
    if (decreased && std::abs(t.slope) <= -options.curvature * start.slope) return a;
    if (a >= longest && decreased && t.slope <= line) return a;
    if (decreased && t.slope >= std::min(options.armijo, options.curvature) * start.slope) below = true;

    if (std::abs(t.f - start.f) <= noise && std::abs(t.slope) < std::abs(flattest.slope)) {
      flattest = t;
      flattest_point = f.here();
    }
    if (std::abs(t.f - interval.best.f) <= noise) t.f = interval.best.f;  // then slopes decide
    const bool lower = t.f <= interval.best.f;
    if (lower) best_point = f.here();
    if (!below && lower && !decreased) {
      Interval psi{below_line(interval.best, line), below_line(interval.other, line), interval.bracketed};
      a = psi.next(below_line(t, line), least, most);
      interval = {below_line(psi.best, -line), below_line(psi.other, -line), psi.bracketed};
    } else {
      a = interval.next(t, least, most);
    }
    if (interval.bracketed) {
      const double now = std::abs(interval.other.a - interval.best.a);
      if (now >= 0.66 * width_before) a = interval.best.a + (interval.other.a - interval.best.a) / 2;
      width_before = width;
      width = now;
      least = std::min(interval.best.a, interval.other.a);
      most = std::max(interval.best.a, interval.other.a);
      if (a <= least || a >= most || most - least <= options.interval * most) {
        break;  // as good as it gets
      }
    } else {
      least = a + 1.1 * (a - interval.best.a);
      most = a + 4 * (a - interval.best.a);
    }
    a = std::clamp(a, 0.0, longest);
  }
  if (interval.best.a > 0 && interval.best.f < start.f && interval.best.f <= start.f + interval.best.a * line) {
    f.move_to(best_point);
    return interval.best.a;
  }
  f.move_to(flattest.a > 0 ? flattest_point : origin);
  return flattest.a;
}

}  // namespace xgrad::optim
