// Yogi: Adam whose mean square grows by steps that do not depend on how far it has to go.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// m and v begin at initial_accumulator_value; t from 1:
//   m <- beta1 m + (1 - beta1) g       v <- v - (1 - beta2) sign(v - g^2) g^2
//   p <- p - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
// (Zaheer et al. 2018), as optax has it.
struct YogiRule {
  double lr = 1e-2;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-3;
  double initial_accumulator_value = 1e-6;
  bool maximize = false;

  static constexpr const char* name = "Yogi";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using Yogi = Descent<YogiRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
