#include "optim/adam.hpp"

#include <cmath>

#include "autodiff/kernels/optimizer.hpp"
#include "optim/elementwise.hpp"

namespace xgrad::optim {

void AdamRule::check(const Options& o, const Require& require) {
  require(o.beta1 >= 0 && o.beta1 < 1, "beta1 in [0, 1)", o.beta1);
  require(o.beta2 >= 0 && o.beta2 < 1, "beta2 in [0, 1)", o.beta2);
  require(o.eps >= 0, "eps of 0 or more", o.eps);
  require(o.weight_decay >= 0, "weight_decay of 0 or more", o.weight_decay);
}

std::vector<const char*> AdamRule::slots(const Options& o) {
  std::vector<const char*> names{"exp_avg", "exp_avg_sq"};
  if (o.amsgrad) names.push_back("max_exp_avg_sq");
  return names;
}

kernels::AdamStep AdamRule::prepare(const Options& o, double lr, Size t) {
  return {.beta1 = o.beta1,
          .beta2 = o.beta2,
          .rate = lr / (1 - std::pow(o.beta1, static_cast<double>(t))),
          .root = std::sqrt(1 - std::pow(o.beta2, static_cast<double>(t))),
          .eps = o.eps,
          .weight_decay = o.weight_decay,
          .shrink = 1,
          .maximize = o.maximize};
}

void AdamRule::update(const Step* steps, const Work* work, const Work* end) {
  for (const Work* w = work; w != end; ++w)
    kernels::adam(w->dtype, w->p, w->g, w->slot(0), w->slot(1), w->slot(2), w->n, steps[w->step]);
}

template class Elementwise<AdamRule>;

}  // namespace xgrad::optim
