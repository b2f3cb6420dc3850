// A rate of its own for each number, made of what its gradients were: SMORMS3, DeltaBarDelta, COCOB.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// k begins at 1:
//   r = 1 / (k + 1)       m <- m + r (g - m)       v <- v + r (g^2 - v)       x = m^2 / (v + eps)
//   p <- p - min(lr, x) g / (sqrt(v) + eps)       k <- 1 + k (1 - x)
// (Funk 2015).
struct SMORMS3Rule {
  double lr = 1e-3;
  double eps = 1e-16;
  bool maximize = false;

  static constexpr const char* name = "SMORMS3";
  static constexpr const char* slots[] = {"k", "grad_avg", "square_avg"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& k, Tensor& m, Tensor& v, const Step& step) const;
};
using SMORMS3 = Descent<SMORMS3Rule>;

// s begins at lr, and set_lr() does not change it any more; a is an average of gradients:
//   s <- s + kappa where g a > 0, s (1 - phi) where it is below 0; min_step at least
//   p <- p - s g       a <- theta a + (1 - theta) g
// (Jacobs 1988), as ensmallen has it. For whole data sets.
struct DeltaBarDeltaRule {
  double lr = 1;
  double kappa = 0.2;
  double phi = 0.2;
  double theta = 0.5;
  double min_step = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "DeltaBarDelta";
  static constexpr const char* slots[] = {"step_size", "grad_avg"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& s, Tensor& a, const Step& step) const;
};
using DeltaBarDelta = Descent<DeltaBarDeltaRule>;

// A bet on each coin that gradients toss; x the weights it began with, L begins at eps:
//   L <- max(L, |g|)       G <- G + |g|       R <- max(R - g (p - x), 0)       s <- s - g
//   p <- p + lr (x + s / (L max(G + L, alpha L)) (L + R) - p)
// (Orabona & Tommasi 2017), as optax has it. It needs no rate: leave lr at 1.
struct COCOBRule {
  double lr = 1;
  double alpha = 100;
  double eps = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "COCOB";
  static constexpr const char* slots[] = {"x0", "scale", "subgradients", "reward", "direction"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& x, Tensor& L, Tensor& G, Tensor& R, Tensor& s,
              const Step& step) const;
};
using COCOB = Descent<COCOBRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
