// SM3: Adagrad that keeps one number a row and one a column, and not one a weight.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// mu has a number for each place along each axis, 0 at first; of each weight:
//   v = the least mu of its places + g^2       each mu <- the greatest v at its place
//   m <- momentum m + (1 - momentum) g / sqrt(v + eps)  (0 where v is 0)       p <- p - lr m
// (Anil et al. 2019), as optax has it. lr has no default there.
struct SM3Rule {
  double lr = 1e-3;
  double momentum = 0.9;
  double eps = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "SM3";
  static constexpr const char* slots[] = {"exp_avg", "mu"};

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& mu, const Step& step) const;
};
using SM3 = Descent<SM3Rule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
