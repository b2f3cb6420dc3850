#include <xgrad/optim/sgd.hpp>

#ifdef XGRAD_ARCH  // the formula, compiled once an instruction set
#include "optim/lanes.hpp"

namespace xgrad::optim {
namespace {

template <class T>
void sgd_update(const Work& w, const SGDStep& s) {
  using B = Batch<T>;
  const B lr = lanes<T>(s.lr), rho = lanes<T>(s.momentum), undampened = lanes<T>(1 - s.dampening);
  const B decay = lanes<T>(s.weight_decay), flip = lanes<T>(s.maximize ? -0.0 : 0.0);
  const auto gradient = [&](const B& p, const B& g) XGRAD_LAMBDA {
    return s.weight_decay != 0 ? (g ^ flip) + decay * p : g ^ flip;
  };
  if (w.slots == 0) {
    each<T, 0>(w, [&](B& p, B g) XGRAD_LAMBDA { p = p - lr * gradient(p, g); });
  } else {
    each<T, 1>(w, [&](B& p, B g, B& b) XGRAD_LAMBDA {
      g = gradient(p, g);
      b = s.first ? g : rho * b + undampened * g;
      p = p - lr * (s.nesterov ? g + rho * b : b);
    });
  }
}

}  // namespace
XGRAD_COMPILED(sgd_update, SGDStep)
}  // namespace xgrad::optim

#else
#include <cmath>

#include "optim/elementwise.hpp"

namespace xgrad::optim {

XGRAD_FORMULA(sgd_update, SGDStep)

void SGDRule::check(const Options& o, const Require& require) {
  require.not_negative("momentum", o.momentum);
  require(std::isfinite(o.dampening), "a finite dampening", o.dampening);
  require.not_negative("weight_decay", o.weight_decay);
  require(!o.nesterov || o.momentum > 0, "momentum above 0 for nesterov", o.momentum);
  require(!o.nesterov || o.dampening == 0, "no dampening for nesterov", o.dampening);
}

std::vector<const char*> SGDRule::slots(const Options& o) {
  return o.momentum > 0 ? std::vector<const char*>{"momentum_buffer"} : std::vector<const char*>{};
}

SGDStep SGDRule::prepare(const Options& o, double lr, Size t) {
  return {.lr = lr,
          .momentum = o.momentum,
          .dampening = o.dampening,
          .weight_decay = o.weight_decay,
          .nesterov = o.nesterov,
          .first = t == 1,
          .maximize = o.maximize};
}

void SGDRule::update(const Work& w, const Step& step) { sgd_update(w, step); }

template class Elementwise<SGDRule>;

}  // namespace xgrad::optim
#endif
