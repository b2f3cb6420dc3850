#include <xgrad/optim/methods/newton_cg.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <xgrad/autodiff/ops.hpp>

#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {

using Vector = std::vector<double>;

// A step d of the model, and what it promises: -(g^T d + 1/2 d^T H d).
struct Trial {
  Vector d;
  double promised = 0;
  bool at_radius = false;
};

class Model {
 public:
  Model(Objective& f, double radius) : f_(f), radius_(radius), g_(f.gradient()), n_(f.size()) {}

  Trial solve(Size most) {
    const double* g = numbers(g_);
    Vector r(g, g + n_), d(r);
    for (double& e : d) e = -e;
    z_.assign(r.size(), 0.0);
    hz_ = z_;
    double rr = dot(r.data(), r.data(), n_);
    const double tolerance = std::min(0.5, std::sqrt(std::sqrt(rr))) * std::sqrt(rr);
    for (Size products = 0; products < most; ++products) {
      const Tensor product = contiguous(f_.hvp(tensor(d)));
      const double *hd = numbers(product), dhd = dot(d.data(), hd, n_);
      if (!std::isfinite(dhd)) return {};
      if (dhd <= 0) {
        const Trial one = to_radius(d, hd, -1), other = to_radius(d, hd, 1);
        return one.promised > other.promised ? one : other;
      }
      const double a = rr / dhd;
      Vector next(z_);
      combine(next.data(), z_.data(), a, d.data(), n_);
      if (length(next.data(), n_) >= radius_) return to_radius(d, hd, 1);
      z_ = std::move(next);
      combine(hz_.data(), hz_.data(), a, hd, n_);
      combine(r.data(), r.data(), a, hd, n_);
      const double next_rr = dot(r.data(), r.data(), n_);
      if (std::sqrt(next_rr) < tolerance) break;
      const double b = next_rr / rr;
      rr = next_rr;
      for (std::size_t i = 0; i < d.size(); ++i) d[i] = -r[i] + b * d[i];
    }
    return {z_, promised(z_, hz_), false};
  }

 private:
  double promised(const Vector& z, const Vector& hz) const {
    return -dot(numbers(g_), z.data(), n_) - 0.5 * dot(z.data(), hz.data(), n_);
  }

  // z + t d on the sphere, t of this sign, by the formula that does not cancel
  Trial to_radius(const Vector& d, const double* hd, int sign) const {
    const double a = dot(d.data(), d.data(), n_), b = 2 * dot(z_.data(), d.data(), n_),
                 c = dot(z_.data(), z_.data(), n_) - radius_ * radius_;
    const double u = b + std::copysign(std::sqrt(b * b - 4 * a * c), b);
    const double one = -u / (2 * a), other = -2 * c / u, t = sign > 0 ? std::max(one, other) : std::min(one, other);
    Vector z(z_), hz(hz_);
    combine(z.data(), z_.data(), t, d.data(), n_);
    combine(hz.data(), hz_.data(), t, hd, n_);
    const double gain = promised(z, hz);
    return {std::move(z), gain, true};
  }

  Objective& f_;
  double radius_;
  const Tensor g_;
  Size n_;
  Vector z_, hz_;
};

}  // namespace

void NewtonCGRule::check(const Require& require) const {
  require(radius > 0 && radius <= max_radius, "a radius above 0, at most max_radius", radius);
  require(std::isfinite(max_radius), "a finite max_radius", max_radius);
  require(accept >= 0 && accept < 0.25, "accept to be 0 or more and below 1/4", accept);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
  require(max_products >= 0, "max_products of 0 or more", static_cast<double>(max_products));
}

Advance NewtonCGRule::advance(Objective& f, State& state) const {
  if (state.radius == 0) state.radius = radius;
  const Tensor x = f.x();
  const Objective::Point start = f.here();
  const Size n = f.size();
  const double value = f.value(), norm = f.gradient_norm(), noise = f.noise();
  for (Size trial = 0; trial < max_trials; ++trial) {
    const Trial step = Model(f, state.radius).solve(max_products > 0 ? max_products : 2 * n + 10);
    if (step.d.empty() || !(step.promised > 0)) return step.d.empty() ? Advance::stuck : Advance::exact;
    if (trial == 0 && !step.at_radius && state.rounding.reached(step.promised, noise)) return Advance::exact;
    f.move_to(filled({n}, f64, [&](void* to) { combine(static_cast<double*>(to), numbers(x), 1, step.d.data(), n); }));
    const double now = f.value();
    if (now == -std::numeric_limits<double>::infinity()) return Advance::moved;
    double ratio = std::isfinite(now) ? (value - now) / step.promised : -1;
    // Values say nothing any more: the gradient does.
    if (step.promised <= noise) ratio = f.finite() && f.gradient_norm() < norm ? 0.5 : -1;
    if (ratio > accept && !f.finite()) ratio = -1;  // its slope is not
    if (ratio < 0.25) state.radius *= 0.25;
    else if (ratio > 0.75 && step.at_radius) state.radius = std::min(2 * state.radius, max_radius);
    if (ratio > accept) return Advance::moved;
    f.move_to(start);
    if (step.promised <= noise) return step.at_radius ? Advance::stuck : Advance::exact;
  }
  return Advance::stuck;
}

}  // namespace xgrad::optim
