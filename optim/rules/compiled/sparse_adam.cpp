#include <xgrad/optim/rules/sparse_adam.hpp>

#include "optim/rules/compiled/formula.hpp"

namespace xgrad::optim {
namespace {

// X: tensors, or lanes
template <class X>
XGRAD_FORMULA void sparse_adam(X& p, X g, const SparseAdamRule::Prepared& s, X& m, X& v) {
  if (s.maximize) g = -g;
  m = m + s.rest1 * (g - m);
  v = v + s.rest2 * (g * g - v);
  p = p - s.rate * (m / (sqrt(v) + s.eps));
}

}  // namespace

#ifdef XGRAD_ARCH
namespace XGRAD_ARCH {
void sparse_adam_run(const Work& w, const SparseAdamRule::Prepared& step) {
  const SparseAdamRule::Prepared s = step;  // in registers: stores to the state might change one in memory
  on_lanes(w, [&](auto& p, auto g, auto&... state) XGRAD_LAMBDA {
    if constexpr (sizeof...(state) == 2) sparse_adam(p, g, s, state...);
  });
}
}  // namespace XGRAD_ARCH
}  // namespace xgrad::optim
#else
XGRAD_RUNS(sparse_adam_run, SparseAdamRule::Prepared)
void SparseAdamRule::run(const Work& w, const Prepared& s) { sparse_adam_run(w, s); }

void SparseAdamRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  sparse_adam(p, g, prepare(step), m, v);
}

void SparseAdamRule::check(const Require& require) const {
  require(beta1 >= 0 && beta1 < 1, "beta1 in [0, 1)", beta1);
  require(beta2 >= 0 && beta2 < 1, "beta2 in [0, 1)", beta2);
  require.divisor("eps", eps);
}

SparseAdamRule::Prepared SparseAdamRule::prepare(const Step& step) const {
  const auto t = static_cast<double>(step.t);
  return {1 - beta1, 1 - beta2, step.lr * std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t)), eps};
}

template class Descent<SparseAdamRule>;

}  // namespace xgrad::optim
#endif
