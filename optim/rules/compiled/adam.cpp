#include <xgrad/optim/rules/adam.hpp>
#include <xgrad/optim/rules/adamw.hpp>

#include "optim/rules/compiled/formula.hpp"

namespace xgrad::optim {
namespace {

// X: tensors, or lanes
template <class X, class... Most>
XGRAD_FORMULA void adam(X& p, X g, const AdamStep& s, X& m, X& v, Most&... most) {
  if (s.maximize) g = -g;
  if (s.shrink != 1) p = p * s.shrink;
  if (s.weight_decay != 0) g = g + s.weight_decay * p;
  m = s.beta1 * m + (1 - s.beta1) * g;
  v = s.beta2 * v + ((1 - s.beta2) * g) * g;
  (void(most = maximum(most, v)), ...);
  const auto& greatest = last(v, most...);
  p = p - (s.rate * m) / (sqrt(greatest) * s.root + s.eps);
}

}  // namespace

#ifdef XGRAD_ARCH
namespace XGRAD_ARCH {
void adam_run(const Work& w, const AdamStep& step) {
  const AdamStep s = step;  // in registers: stores to the state might change one in memory
  on_lanes(w, [&](auto& p, auto g, auto&... state) XGRAD_LAMBDA {
    if constexpr (sizeof...(state) >= 2) adam(p, g, s, state...);
  });
}
}  // namespace XGRAD_ARCH
}  // namespace xgrad::optim
#else
XGRAD_RUNS(adam_run, AdamStep)
void AdamRule::run(const Work& w, const AdamStep& s) { adam_run(w, s); }
void AdamWRule::run(const Work& w, const AdamStep& s) { adam_run(w, s); }

namespace {

void update_by_tensors(Tensor& p, const Tensor& g, Tensors& slots, const AdamStep& s) {
  if (slots.size() == 3) adam(p, g, s, slots[0], slots[1], slots[2]);
  else adam(p, g, s, slots[0], slots[1]);
}
template <class Rule>
std::vector<const char*> names_of(const Rule& rule) {
  std::vector<const char*> names{"exp_avg", "exp_avg_sq"};
  if (rule.amsgrad) names.push_back("max_exp_avg_sq");
  return names;
}
template <class Rule>
void check_options(const Rule& r, const Require& require) {
  require.fraction("beta1", r.beta1);
  require.fraction("beta2", r.beta2);
  require.divisor("eps", r.eps);
  require.not_negative("weight_decay", r.weight_decay);
}
template <class Rule>
AdamStep corrected(const Rule& r, const Step& step, double weight_decay, double shrink) {
  const auto t = static_cast<double>(step.t);
  return {r.beta1,      r.beta2, step.lr / (1 - std::pow(r.beta1, t)), 1 / std::sqrt(1 - std::pow(r.beta2, t)), r.eps,
          weight_decay, shrink};
}

}  // namespace

void AdamRule::update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const {
  update_by_tensors(p, g, slots, prepare(step));
}
std::vector<const char*> AdamRule::slot_names() const { return names_of(*this); }
void AdamRule::check(const Require& require) const { check_options(*this, require); }
AdamStep AdamRule::prepare(const Step& step) const { return corrected(*this, step, weight_decay, 1); }

void AdamWRule::update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const {
  update_by_tensors(p, g, slots, prepare(step));
}
std::vector<const char*> AdamWRule::slot_names() const { return names_of(*this); }
void AdamWRule::check(const Require& require) const { check_options(*this, require); }
AdamStep AdamWRule::prepare(const Step& step) const {
  const double decay = corrected_weight_decay && lr > 0 ? step.lr / lr * weight_decay : weight_decay;
  return corrected(*this, step, 0, 1 - step.lr * decay);
}

template class Descent<AdamRule>;
template class Descent<AdamWRule>;

}  // namespace xgrad::optim
#endif
