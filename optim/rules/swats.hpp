// SWATS: Adam, until it finds the rate at which SGD goes as far.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g, of each tensor, t from 1:
//   d = -lr times Adam's step; p <- p + d;  where <d, g> is not 0:
//   c = |d|^2 / -<d, g>       l <- beta2 l + (1 - beta2) c
//   when |l / (1 - beta2^t) - c| < tolerance, t > 1 and l > 0: from the next step on
//   b <- beta1 b + g       p <- p - (1 - beta1) l / (1 - beta2^t) b,  of that t; times what schedules have made of lr since then
// (Keskar & Socher 2017).
struct SWATSRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-9;
  double weight_decay = 0;
  double tolerance = 1e-9;
  bool maximize = false;

  static constexpr const char* name = "SWATS";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq", "momentum_buffer", "lambda",
                                          "rate"};  // rate 0: still Adam

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, Tensor g, Tensor& m, Tensor& v, Tensor& b, Tensor& lambda, Tensor& rate,
              const Step& step) const;
};
using SWATS = Descent<SWATSRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
