#include "optim/adamw.hpp"

namespace xgrad::optim {

void AdamWRule::check(const Options& o, const Require& require) {
  adam_check(require, o.beta1, o.beta2, o.eps, o.weight_decay);
}

std::vector<const char*> AdamWRule::slots(const Options& o) { return adam_slots(o.amsgrad); }

AdamStep AdamWRule::prepare(const Options& o, double lr, Size t) {
  AdamStep step = AdamStep::at(lr, o.beta1, o.beta2, o.eps, o.amsgrad, o.maximize, t);
  step.shrink = 1 - lr * o.weight_decay;
  return step;
}

}  // namespace xgrad::optim
