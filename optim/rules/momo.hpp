// MoMo: momentum whose rate is found from the loss's value, by step(loss); and the same in Adam's metric.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// The loss is taken for the mean of its tangents at the points of late, F + <m, x> - c, F, m and c the running means of the loss, of
// g and of <g, p> (over the whole group), that begin as the first of each. A step goes along m to where that is f_min:
//   rate = ((1 + lr weight_decay) (F - f_min - c) + <m, p>) / |m|^2, at least 0 and at most lr
//   p <- (p - rate m) / (1 + lr weight_decay)
// (Schaipp et al. 2024), as the authors have it, whose lower bound f_min is 0.
struct MoMoRule {
  double lr = 1;  // the most
  double beta = 0.9;
  double f_min = 0;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "MoMo";
  static constexpr const char* slots[] = {"grad_avg", "grad_dot_w"};
  static constexpr const char* shared[] = {"loss_avg"};
  static constexpr bool of_loss = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using MoMo = Descent<MoMoRule>;

// With D = sqrt(v^) + eps, means that begin at 0 and are divided by 1 - beta1^t, and |m|^2 = <m, m / D>:
//   p <- (p - rate m^ / D) / (1 + lr weight_decay)
// (MoMo-Adam, likewise).
struct MoMoAdamRule {
  double lr = 1e-2;  // the most
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double f_min = 0;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "MoMoAdam";
  static constexpr const char* slots[] = {"grad_avg", "grad_avg_sq", "grad_dot_w"};
  static constexpr const char* shared[] = {"loss_avg"};
  static constexpr bool of_loss = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using MoMoAdam = Descent<MoMoAdamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
