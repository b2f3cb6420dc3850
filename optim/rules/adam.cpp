#include <xgrad/optim/adam.hpp>

#ifdef XGRAD_ARCH  // the formula, compiled once an instruction set
#include "optim/lanes.hpp"

namespace xgrad::optim {
namespace {

template <class T>
void adam_update(const Work& w, const AdamStep& s) {
  using B = Batch<T>;
  const B beta1 = lanes<T>(s.beta1), rest1 = lanes<T>(1 - s.beta1);
  const B beta2 = lanes<T>(s.beta2), rest2 = lanes<T>(1 - s.beta2);
  const B rate = lanes<T>(s.rate), root = lanes<T>(s.root), eps = lanes<T>(s.eps);
  const B shrink = lanes<T>(s.shrink), decay = lanes<T>(s.weight_decay), flip = lanes<T>(s.maximize ? -0.0 : 0.0);
  const auto moments = [&](const B& g, B& m, B& v) XGRAD_LAMBDA {
    m = beta1 * m + rest1 * g;
    v = beta2 * v + (rest2 * g) * g;
  };
  const auto decayed = [&](B& p, const B& g) XGRAD_LAMBDA {
    if (s.shrink != 1) p = p * shrink;
    return s.weight_decay != 0 ? g + decay * p : g;
  };
  const auto move = [&](B& p, const B& m, const B& v) XGRAD_LAMBDA {
    p = p - (rate * m) / (xsimd::sqrt(v) * root + eps);
  };
  if (w.slots == 3) {
    each<T, 3>(w, [&](B& p, B g, B& m, B& v, B& most) XGRAD_LAMBDA {
      moments(decayed(p, g ^ flip), m, v);
      most = xsimd::select(most == most, xsimd::max(most, v), most);
      move(p, m, most);
    });
  } else if (s.shrink != 1 || s.weight_decay != 0) {
    each<T, 2>(w, [&](B& p, B g, B& m, B& v) XGRAD_LAMBDA {
      moments(decayed(p, g ^ flip), m, v);
      move(p, m, v);
    });
  } else {
    each<T, 2>(w, [&](B& p, B g, B& m, B& v) XGRAD_LAMBDA {
      moments(g ^ flip, m, v);
      move(p, m, v);
    });
  }
}

}  // namespace
XGRAD_COMPILED(adam_update, AdamStep)
}  // namespace xgrad::optim

#else
#include <cmath>

#include "optim/elementwise.hpp"

namespace xgrad::optim {

XGRAD_FORMULA(adam_update, AdamStep)

void AdamRule::check(const Options& o, const Require& require) {
  require(o.beta1 >= 0 && o.beta1 < 1, "beta1 in [0, 1)", o.beta1);
  require(o.beta2 >= 0 && o.beta2 < 1, "beta2 in [0, 1)", o.beta2);
  require.divisor("eps", o.eps);
  require.not_negative("weight_decay", o.weight_decay);
}

std::vector<const char*> AdamRule::slots(const Options& o) {
  std::vector<const char*> names{"exp_avg", "exp_avg_sq"};
  if (o.amsgrad) names.push_back("max_exp_avg_sq");
  return names;
}

AdamStep AdamRule::prepare(const Options& o, double lr, Size t) {
  return {.beta1 = o.beta1,
          .beta2 = o.beta2,
          .rate = lr / (1 - std::pow(o.beta1, static_cast<double>(t))),
          .root = 1 / std::sqrt(1 - std::pow(o.beta2, static_cast<double>(t))),
          .eps = o.eps,
          .weight_decay = o.weight_decay,
          .shrink = 1,
          .maximize = o.maximize};
}

void AdamRule::update(const Work& w, const Step& step) { adam_update(w, step); }

template class Elementwise<AdamRule>;

}  // namespace xgrad::optim
#endif
