// MARS: AdamW or Lion on gradients whose noise is taken off by the gradient before.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g_before 0 at the first step, t from 1, the length over the tensor:
//   c = g + gamma beta1 / (1 - beta1) (g - g_before),  c / |c| where |c| > 1
//   m <- beta1 m + (1 - beta1) c       v <- beta2 v + (1 - beta2) c^2
//   p <- p - lr (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p)
//   lion:  p <- p - lr (sign(m) + weight_decay p), without v
// (Yuan et al. 2024), as the authors' program has it with optimize_1d. It gives AdamW to what is no matrix: Parameters::where
// does that here.
struct MARSRule {
  double lr = 3e-3;
  double beta1 = 0.95;
  double beta2 = 0.99;
  double gamma = 0.025;
  double eps = 1e-8;
  double weight_decay = 0;
  bool lion = false;
  bool maximize = false;

  static constexpr const char* name = "MARS";

  std::vector<const char*> slot_names() const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const;
};
using MARS = Descent<MARSRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
