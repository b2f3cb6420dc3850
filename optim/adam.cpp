#include "optim/adam.hpp"

#include <cmath>

#include "autodiff/kernels/optimizer.hpp"

namespace xgrad::optim {

void adam_check(const Require& require, double beta1, double beta2, double eps, double weight_decay) {
  require(beta1 >= 0 && beta1 < 1, "beta1 in [0, 1)", beta1);
  require(beta2 >= 0 && beta2 < 1, "beta2 in [0, 1)", beta2);
  require(eps >= 0, "eps of 0 or more", eps);
  require(weight_decay >= 0, "weight_decay of 0 or more", weight_decay);
}

std::vector<const char*> adam_slots(bool amsgrad) {
  std::vector<const char*> names{"exp_avg", "exp_avg_sq"};
  if (amsgrad) names.push_back("max_exp_avg_sq");
  return names;
}

AdamStep AdamStep::at(double lr, double beta1, double beta2, double eps, bool amsgrad, bool maximize, Size t) {
  const auto count = static_cast<double>(t);
  return {.beta1 = beta1,
          .beta2 = beta2,
          .rate = lr / (1 - std::pow(beta1, count)),
          .root = std::sqrt(1 - std::pow(beta2, count)),
          .eps = eps,
          .grad_decay = 0,
          .shrink = 1,
          .sign = maximize ? -1.0 : 1.0,
          .amsgrad = amsgrad};
}

void AdamRule::check(const Options& o, const Require& require) {
  adam_check(require, o.beta1, o.beta2, o.eps, o.weight_decay);
}

std::vector<const char*> AdamRule::slots(const Options& o) { return adam_slots(o.amsgrad); }

AdamStep AdamRule::prepare(const Options& o, double lr, Size t) {
  AdamStep step = AdamStep::at(lr, o.beta1, o.beta2, o.eps, o.amsgrad, o.maximize, t);
  step.grad_decay = o.weight_decay;
  return step;
}

}  // namespace xgrad::optim
