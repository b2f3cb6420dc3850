#include <xgrad/optim/rules/own_rates.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensor SMORMS3Rule::first(std::size_t slot, const Tensor& p) const { return slot == 0 ? ones_like(p) : Tensor(); }

void SMORMS3Rule::check(const Require& require) const {
  require.positive("eps", eps);
  require.divisor("eps", eps);
}

void SMORMS3Rule::update(Tensor& p, const Tensor& g, Tensor& k, Tensor& m, Tensor& v, const Step& step) const {
  const Tensor r = 1 / (k + 1);
  m = (1 - r) * m + r * g;
  v = (1 - r) * v + r * square(g);
  const Tensor x = square(m) / (v + eps);
  p = p - minimum(x, step.lr) * g / (sqrt(v) + eps);
  k = 1 + k * (1 - x);
}

Tensor DeltaBarDeltaRule::first(std::size_t slot, const Tensor& p) const {
  return slot == 0 ? full_like(p, lr) : Tensor();
}

void DeltaBarDeltaRule::check(const Require& require) const {
  require.not_negative("kappa", kappa);
  require(phi >= 0 && phi <= 1, "phi in [0, 1]", phi);
  require.fraction("theta", theta);
  require.not_negative("min_step", min_step);
}

void DeltaBarDeltaRule::update(Tensor& p, const Tensor& g, Tensor& s, Tensor& a, const Step&) const {
  const Tensor turn = g * a;
  s = maximum(where(turn > 0, s + kappa, where(turn < 0, (1 - phi) * s, s)), min_step);
  p = p - s * g;
  a = theta * a + (1 - theta) * g;
}

Tensor COCOBRule::first(std::size_t slot, const Tensor& p) const {
  return slot == 0 ? p : slot == 1 ? full_like(p, eps) : Tensor();
}

void COCOBRule::check(const Require& require) const {
  require.positive("alpha", alpha);
  require.positive("eps", eps);
  require.divisor("eps", eps);
}

void COCOBRule::update(Tensor& p, const Tensor& g, Tensor& x, Tensor& L, Tensor& G, Tensor& R, Tensor& s,
                       const Step& step) const {
  L = maximum(L, abs(g));
  G = G + abs(g);
  R = maximum(R - g * (p - x), 0.0);
  s = s - g;
  const Tensor bet = s / (L * maximum(G + L, alpha * L)) * (L + R);
  p = p + step.lr * (x + bet - p);
}

}  // namespace xgrad::optim
