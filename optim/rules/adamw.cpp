#include <xgrad/optim/adamw.hpp>

#ifndef XGRAD_ARCH  // the formula is Adam's
#include "optim/elementwise.hpp"

namespace xgrad::optim {
namespace {

AdamOptions without_decay(const AdamWOptions& o) {
  return {.beta1 = o.beta1, .beta2 = o.beta2, .eps = o.eps, .amsgrad = o.amsgrad, .maximize = o.maximize};
}

}  // namespace

void AdamWRule::check(const Options& o, const Require& require) {
  AdamRule::check(without_decay(o), require);
  require.not_negative("weight_decay", o.weight_decay);
}

std::vector<const char*> AdamWRule::slots(const Options& o) { return AdamRule::slots(without_decay(o)); }

AdamStep AdamWRule::prepare(const Options& o, double lr, Size t) {
  AdamStep step = AdamRule::prepare(without_decay(o), lr, t);
  step.shrink = 1 - lr * o.weight_decay;
  return step;
}

void AdamWRule::update(const Work& w, const Step& step) { AdamRule::update(w, step); }

template class Elementwise<AdamWRule>;

}  // namespace xgrad::optim
#endif
