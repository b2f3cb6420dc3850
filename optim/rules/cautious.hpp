// Cautious optimizers: of a step of momentum only what goes the way of the present gradient.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// p (1 - lr weight_decay) first, t from 1, k = 1 where m g > 0, else 0; means of whole tensors:
//   m <- beta1 m + (1 - beta1) g       v <- beta2 v + (1 - beta2) g^2
//   p <- p - lr sqrt(1 - beta2^t) / (1 - beta1^t) k m / (sqrt(v) + eps) / max(mean k, 1e-3)
// (Liang et al. 2024), as the authors' C-AdamW: eps comes to v before its correction.
struct CautiousAdamWRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-6;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "CautiousAdamW";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using CautiousAdamW = Descent<CautiousAdamWRule>;

// u = sign(beta1 m + (1 - beta1) g), k = 1 where u g > 0, else 0, n numbers in the tensor:
//   p <- p (1 - lr weight_decay) - lr u k n / (sum of k + 1)       m <- beta2 m + (1 - beta2) g
// (Liang et al. 2024), as the authors' C-Lion.
struct CautiousLionRule {
  double lr = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "CautiousLion";
  static constexpr const char* slots[] = {"exp_avg"};

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const;
};
using CautiousLion = Descent<CautiousLionRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
