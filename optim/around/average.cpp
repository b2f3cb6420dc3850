#include <xgrad/optim/around/average.hpp>

#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {
double number(Size n) { return static_cast<double>(n); }
}  // namespace

void EMARule::check(const Require& require) const {
  require(decay >= 0 && decay < 1, "a decay in [0, 1)", decay);
  require.not_negative("power", power);
  require(!debias || power == 0, "no power where debias corrects the begin", power);
}
Tensor EMARule::first(std::size_t, const Tensor& p) const { return debias ? zeros_like(p) : p; }
void EMARule::after(Tensor& p, Tensor& a, Size t) const {
  const double d = power > 0 ? std::min(decay, 1 - std::pow(number(t), -power)) : decay;
  if (t == 1 && !debias) a = p;
  else a = d * a + (1 - d) * p;
}
Tensor EMARule::evaluated(const Tensor&, const Tensors& slots, Size t) const {
  return debias ? slots[0] / (1 - std::pow(decay, number(t))) : slots[0];
}

void SWARule::check(const Require& require) const {
  require(start >= 0, "a start of 0 or more", number(start));
  require(every > 0, "every of 1 or more", number(every));
  require.not_negative("gamma", gamma);
}
Tensor SWARule::first(std::size_t, const Tensor& p) const { return p; }
bool SWARule::acts(Size t) const { return t > start && (t - start) % every == 0; }
void SWARule::after(Tensor& p, Tensor& a, Size t) const {
  const double n = number((t - start) / every);
  if (n == 1) a = p;
  else a = a + (p - a) * ((gamma + 1) / (gamma + n));
}
Tensor SWARule::evaluated(const Tensor& p, const Tensors& slots, Size t) const {
  return t < start + every ? p : slots[0];
}

void LookaheadRule::check(const Require& require) const {
  require(steps > 0, "1 step or more", number(steps));
  require(alpha > 0 && alpha <= 1, "alpha in (0, 1]", alpha);
}
Tensor LookaheadRule::first(std::size_t, const Tensor& p) const { return p; }
bool LookaheadRule::acts(Size t) const { return t % steps == 0; }
void LookaheadRule::after(Tensor& p, Tensor& slow, Size) const {
  slow = slow + alpha * (p - slow);
  p = slow;
}
Tensor LookaheadRule::evaluated(const Tensor&, const Tensors& slots, Size) const { return slots[0]; }

}  // namespace xgrad::optim
