// Adam, with AMSGrad; and what AdamW shares with it.
#pragma once

#include <xgrad/optim/optimizer.hpp>

namespace xgrad::optim {

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;  // joins the gradient
  bool amsgrad = false;
  bool maximize = false;
};

struct AdamStep {
  double beta1, beta2;
  double rate;          // lr / (1 - beta1^t)
  double root;          // 1 / sqrt(1 - beta2^t)
  double eps;
  double weight_decay;  // of the gradient (Adam)
  double shrink;        // of the parameter: 1 - lr weight_decay (AdamW)
  bool maximize;
};

// With g + weight_decay p for g (to maximize: its negative first), t from 1:
//   m <- beta1 m + (1 - beta1) g     v <- beta2 v + (1 - beta2) g^2
//   p <- p - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
// (Kingma & Ba 2015, algorithm 1). AMSGrad takes the greatest v so far, uncorrected, for v (Reddi et al. 2018), as
// PyTorch has it.
struct AdamRule {
  using Options = AdamOptions;
  using Step = AdamStep;
  static constexpr const char* name = "Adam";
  static void check(const Options& options, const Require& require);
  static std::vector<const char*> slots(const Options& options);
  static Step prepare(const Options& options, double lr, Size t);
  static void update(const Work& w, const Step& step);
};
using Adam = Elementwise<AdamRule>;
extern template class Elementwise<AdamRule>;

}  // namespace xgrad::optim
