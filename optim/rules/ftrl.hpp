// Follow the regularised leader: FTRL-Proximal, whose L1 term makes weights that are exactly 0; and FTML, its Adam.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// n begins at initial_accumulator_value; n^ is n^-lr_power:
//   s = (((n + g^2)^ - n^) / lr)       z <- z + g - s p       n <- n + g^2
//   p <- 0 where |z| <= l1, else -(z - sign(z) l1) / ((beta + n^) / lr + l2)
// (McMahan et al. 2013, algorithm 1). p is a function of z, which begins at 0: the first step forgets the weights that are
// there, and begins from 0. keep_weights lets z begin where p stays what it is (and what l1 does not reach), at the lr of the
// options. So a change of lr scales all weights, in its next step; FTML's do not.
struct FTRLRule {
  double lr = 1e-3;  // alpha of the paper
  double lr_power = -0.5;
  double beta = 0;
  double l1 = 0, l2 = 0;
  double initial_accumulator_value = 0;
  bool keep_weights = false;
  bool maximize = false;

  static constexpr const char* name = "FTRL";
  static constexpr const char* slots[] = {"accumulator", "linear"};
  static constexpr bool elementwise = true;

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& n, Tensor& z, const Step& step) const;
};
using FTRL = Descent<FTRLRule>;

// t from 1:
//   v <- beta2 v + (1 - beta2) g^2       d = (1 - beta1^t) / lr (sqrt(v / (1 - beta2^t)) + eps)
//   z <- beta1 z + (1 - beta1) g - (d - beta1 d_before) p       p <- -z / d
// (Zheng & Kwok 2017), as ensmallen has it.
struct FTMLRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "FTML";
  static constexpr const char* slots[] = {"exp_avg_sq", "d", "z"};
  static constexpr bool elementwise = true;

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& v, Tensor& d, Tensor& z, const Step& step) const;
};
using FTML = Descent<FTMLRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
