// LazyAdam: AdamW for embeddings, whose rows catch up with the decays that they have missed when they are picked again.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Of the rows that have a gradient, k steps after they last had one (t steps from the begin, where they never had):
//   m <- beta1^k m + (1 - beta1) g      v <- beta2^k v + (1 - beta2) g^2
//   p <- p (1 - lr weight_decay)^k      p <- p - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
// All other rows stay as they are. Where every row is picked in every step it is AdamW (Loshchilov & Hutter 2019); else m and v
// of a row that is picked are AdamW's, and what is left out is the moves between (as TensorFlow's LazyAdam, which leaves the
// decays out, too). The rate of the missed decays is that of the step which makes up for them. A parameter that is not an
// embedding, or whose gradient has been given as a whole tensor, is one of which every row was picked.
struct LazyAdamRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "LazyAdam";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq", "last_step"};  // f32 counts to 2^24 steps
  static constexpr bool elementwise = true;
  bool by_rows() const { return true; }
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& last, const Step& step) const;
};
using LazyAdam = Descent<LazyAdamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
