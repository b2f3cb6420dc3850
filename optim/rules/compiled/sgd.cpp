#include <xgrad/optim/rules/sgd.hpp>

#include "optim/rules/compiled/formula.hpp"

namespace xgrad::optim {
namespace {

// X: tensors, or lanes
template <class X, class... Buffer>
XGRAD_FORMULA void sgd(X& p, X g, const SGDRule::Prepared& s, Buffer&... b) {
  if (s.maximize) g = -g;
  if (s.shrink != 1) p = p * s.shrink;
  if (s.weight_decay != 0) g = g + s.weight_decay * p;
  if constexpr (sizeof...(b) == 0) {
    p = p - s.lr * g;
  } else {
    (void(b = s.first ? g : s.momentum * b + s.undampened * g), ...);
    (void(p = p - s.lr * (s.nesterov ? g + s.momentum * b : b)), ...);
  }
}

}  // namespace

#ifdef XGRAD_ARCH
namespace XGRAD_ARCH {
void sgd_run(const Work& w, const SGDRule::Prepared& step) {
  const SGDRule::Prepared s = step;  // in registers: stores to the state might change one in memory
  on_lanes(w, [&](auto& p, auto g, auto&... b) XGRAD_LAMBDA { sgd(p, g, s, b...); });
}
}  // namespace XGRAD_ARCH
}  // namespace xgrad::optim
#else
XGRAD_RUNS(sgd_run, SGDRule::Prepared)
void SGDRule::run(const Work& w, const Prepared& s) { sgd_run(w, s); }

void SGDRule::update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const {
  if (momentum > 0) sgd(p, g, prepare(step), slots[0]);
  else sgd(p, g, prepare(step));
}

void SGDRule::check(const Require& require) const {
  require.not_negative("momentum", momentum);
  require(std::isfinite(dampening), "a finite dampening", dampening);
  require.not_negative("weight_decay", weight_decay);
  require(!nesterov || momentum > 0, "momentum above 0 for nesterov", momentum);
  require(!nesterov || dampening == 0, "no dampening for nesterov", dampening);
}

std::vector<const char*> SGDRule::slot_names() const {
  return momentum > 0 ? std::vector<const char*>{"momentum_buffer"} : std::vector<const char*>{};
}

SGDRule::Prepared SGDRule::prepare(const Step& step) const {
  const double joins = decoupled_weight_decay ? 0 : weight_decay,
               shrink = decoupled_weight_decay ? 1 - step.lr * weight_decay : 1;
  return {step.lr, momentum, 1 - dampening, joins, shrink, nesterov, step.t == 1};
}

template class Descent<SGDRule>;

}  // namespace xgrad::optim
#endif
