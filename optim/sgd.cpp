#include "optim/sgd.hpp"

#include "autodiff/kernels/optimizer.hpp"

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

// At the first step 0 b + 1 g is g.
SGDRule::Step SGDRule::prepare(const Options& o, double lr, Size t) {
  const bool first = t == 1;
  return {.lr = lr,
          .momentum = first ? 0 : o.momentum,
          .undampened = first ? 1 : 1 - o.dampening,
          .weight_decay = o.weight_decay,
          .sign = o.maximize ? -1.0 : 1.0,
          .nesterov = o.nesterov};
}

}  // namespace xgrad::optim
