// Adam, with AMSGrad; and what AdamW shares with it.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// What the formula of both needs to know of a step.
struct AdamStep {
  double beta1, beta2;
  double rate;  // lr / (1 - beta1^t)
  double root;  // 1 / sqrt(1 - beta2^t)
  double eps;
  double weight_decay;    // of the gradient (Adam)
  double shrink;          // of the parameter: 1 - lr weight_decay (AdamW)
  bool maximize = false;  // as Descent sets it
};

// With g + weight_decay p for g, t from 1:
//   m <- beta1 m + (1 - beta1) g     v <- beta2 v + (1 - beta2) g^2
//   p <- p - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
// (Kingma & Ba 2015, algorithm 1). AMSGrad takes the greatest v so far, uncorrected, for v (Reddi et al. 2018), as
// PyTorch has it.
struct AdamRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;  // joins the gradient
  bool amsgrad = false;
  bool maximize = false;

  static constexpr const char* name = "Adam";
  static constexpr bool elementwise = true;
  std::vector<const char*> slot_names() const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const;

  AdamStep prepare(const Step& step) const;  // for the compiled formula
  static void run(const Work& w, const AdamStep& step);
};
using Adam = Descent<AdamRule>;
extern template class Descent<AdamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
