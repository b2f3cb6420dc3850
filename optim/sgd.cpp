#include "optim/sgd.hpp"

#include "autodiff/kernels/optimizer.hpp"
#include "optim/elementwise.hpp"

namespace xgrad::optim {

void SGDRule::check(const Options& o, const Require& require) {
  require(o.momentum >= 0, "momentum of 0 or more", o.momentum);
  require(o.weight_decay >= 0, "weight_decay of 0 or more", o.weight_decay);
  require(!o.nesterov || o.momentum > 0, "momentum above 0 for nesterov", o.momentum);
  require(!o.nesterov || o.dampening == 0, "no dampening for nesterov", o.dampening);
}

std::vector<const char*> SGDRule::slots(const Options& o) {
  return o.momentum > 0 ? std::vector<const char*>{"momentum_buffer"} : std::vector<const char*>{};
}

kernels::SgdStep SGDRule::prepare(const Options& o, double lr, Size t) {
  return {.lr = lr,
          .momentum = o.momentum,
          .dampening = o.dampening,
          .weight_decay = o.weight_decay,
          .nesterov = o.nesterov,
          .first = t == 1,
          .maximize = o.maximize};
}

void SGDRule::update(const Step* steps, const Work* work, const Work* end) {
  for (const Work* w = work; w != end; ++w) kernels::sgd(w->dtype, w->p, w->g, w->slot(0), w->n, steps[w->step]);
}

template class Elementwise<SGDRule>;

}  // namespace xgrad::optim
