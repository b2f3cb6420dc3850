#include <xgrad/optim/rules/schedule_free.hpp>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/rules/radam.hpp>

namespace xgrad::optim {
namespace {

// What all three do: the rate, and the share c that z has in the average.
template <class Rule>
double weight(const Rule& rule, const double* numbers, const Step& step) {
  return pow(static_cast<double>(step.t), rule.r) * numbers[1] * numbers[1];
}
template <class Rule>
void add_weight(const Rule& rule, double rate, double* numbers, const Step& step) {
  if (rate > numbers[1]) numbers[1] = rate;
  numbers[0] += weight(rule, numbers, step);
}
template <class Rule>
void descend(const Rule& rule, Tensor& p, Tensor& z, const Tensor& u, double momentum, double rate, const Step& step) {
  const double sum = step.numbers[0], c = sum > 0 ? weight(rule, step.numbers, step) / sum : 0;
  p = (1 - c) * p + c * z - rate * (1 - momentum * (1 - c)) * u;
  z = z - rate * u;
}
Tensor averaged(const Tensor& p, const Tensor& z, double momentum) { return p + (1 - 1 / momentum) * (z - p); }

double warm(double lr, double steps, Size t) {
  return static_cast<double>(t) < steps ? lr * static_cast<double>(t) / steps : lr;
}

template <class Rule>
void check_all(const Rule& rule, double momentum, const char* of, const Require& require) {
  require(momentum > 0 && momentum < 1, of, momentum);
  require.not_negative("weight_decay", rule.weight_decay);
  require.not_negative("r", rule.r);
}
template <class Rule>
void check_adam(const Rule& rule, const Require& require) {
  check_all(rule, rule.beta1, "beta1 in (0, 1)", require);
  require.fraction("beta2", rule.beta2);
  require.divisor("eps", rule.eps);
}

}  // namespace

Tensor ScheduleFreeSGDRule::first(std::size_t, const Tensor& p) const { return p; }
Tensor ScheduleFreeAdamWRule::first(std::size_t slot, const Tensor& p) const { return slot == 0 ? p : Tensor(); }
Tensor ScheduleFreeRAdamRule::first(std::size_t slot, const Tensor& p) const { return slot == 0 ? p : Tensor(); }

void ScheduleFreeSGDRule::check(const Require& require) const {
  check_all(*this, momentum, "momentum in (0, 1)", require);
  require.not_negative("warmup_steps", warmup_steps);
}
void ScheduleFreeAdamWRule::check(const Require& require) const {
  check_adam(*this, require);
  require.not_negative("warmup_steps", warmup_steps);
}
void ScheduleFreeRAdamRule::check(const Require& require) const { check_adam(*this, require); }

void ScheduleFreeSGDRule::advance(double* numbers, const Step& step) const {
  add_weight(*this, warm(step.lr, warmup_steps, step.t), numbers, step);
}
void ScheduleFreeAdamWRule::advance(double* numbers, const Step& step) const {
  add_weight(*this, warm(step.lr, warmup_steps, step.t), numbers, step);
}
namespace {
double rectified(const ScheduleFreeRAdamRule& rule, const Step& step) {
  const auto [rho, r] = Rectification(rule.beta2, step.t);
  return rho > 4 ? step.lr * r : rule.silent_sgd_phase ? 0 : step.lr;
}
}  // namespace
void ScheduleFreeRAdamRule::advance(double* numbers, const Step& step) const {
  add_weight(*this, rectified(*this, step), numbers, step);
}

void ScheduleFreeSGDRule::update(Tensor& p, const Tensor& g, Tensor& z, const Step& step) const {
  const Tensor u = weight_decay != 0 ? g + weight_decay * p : g;
  descend(*this, p, z, u, momentum, warm(step.lr, warmup_steps, step.t), step);
}

void ScheduleFreeAdamWRule::update(Tensor& p, const Tensor& g, Tensor& z, Tensor& v, const Step& step) const {
  v = beta2 * v + (1 - beta2) * square(g);
  Tensor u = g / (sqrt(v) / sqrt(1 - pow(beta2, step.t)) + eps);
  if (weight_decay != 0) u = u + weight_decay * p;
  descend(*this, p, z, u, beta1, warm(step.lr, warmup_steps, step.t), step);
}

void ScheduleFreeRAdamRule::update(Tensor& p, const Tensor& g, Tensor& z, Tensor& v, const Step& step) const {
  v = beta2 * v + (1 - beta2) * square(g);
  Tensor u = g;
  if (Rectification(beta2, step.t).rho > 4) u = g / (sqrt(v) / sqrt(1 - pow(beta2, step.t)) + eps);
  if (weight_decay != 0) u = u + weight_decay * p;
  descend(*this, p, z, u, beta1, rectified(*this, step), step);
}

Tensor ScheduleFreeSGDRule::evaluated(const Tensor& p, const Tensors& slots, const Step&) const {
  return averaged(p, slots[0], momentum);
}
Tensor ScheduleFreeAdamWRule::evaluated(const Tensor& p, const Tensors& slots, const Step&) const {
  return averaged(p, slots[0], beta1);
}
Tensor ScheduleFreeRAdamRule::evaluated(const Tensor& p, const Tensors& slots, const Step&) const {
  return averaged(p, slots[0], beta1);
}

}  // namespace xgrad::optim
