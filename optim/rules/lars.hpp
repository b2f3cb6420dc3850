// Steps as long as the parameter's own length says: LARS, and Fromage.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Lengths |.| of whole tensors:
//   u = g + weight_decay p       b <- momentum b + lr trust_coefficient |p| / (|u| + eps) u,  lr u where a length is 0
//   p <- p - (nesterov ? lr trust ... u + momentum b : b)
// (You, Gitman & Ginsburg 2017), as optax has it: the rate is inside of the momentum. The paper divides by
// |g| + weight_decay |p|. lr has no default there; 1 moves a parameter by a thousandth of its length.
struct LARSRule {
  double lr = 1;
  double momentum = 0.9;
  double weight_decay = 0;
  double trust_coefficient = 1e-3;
  double eps = 0;
  bool nesterov = false;
  bool maximize = false;

  static constexpr const char* name = "LARS";
  static constexpr const char* slots[] = {"momentum_buffer"};

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& b, const Step& step) const;
};
using LARS = Descent<LARSRule>;

// p <- (p - lr |p| / |g| g) / sqrt(1 + lr^2), lengths of whole tensors, of min_norm at least
// (Bernstein et al. 2020), as optax has it. The division keeps lengths from growing.
struct FromageRule {
  double lr = 1e-2;
  double min_norm = 1e-6;
  bool maximize = false;

  static constexpr const char* name = "Fromage";

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, const Step& step) const;
};
using Fromage = Descent<FromageRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
