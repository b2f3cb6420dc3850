// SOAP: Adam in the eigenbasis of Shampoo's products.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Of tensors with two axes or more; G(i) is g with axis i as rows; Q[i] for each axis of max_precond_dim at most; the first
// step only makes L and Q, and t counts from 1 at the second:
//   u = g, each axis i multiplied by Q[i]^T
//   m <- beta1 m + (1 - beta1) u       v <- beta2 v + (1 - beta2) u^2       (m in the basis)
//   U = sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps), each axis i multiplied by Q[i]
//   p <- p - lr U,  then p (1 - lr weight_decay)
//   L[i] <- beta2 L[i] + (1 - beta2) G(i) G(i)^T
//   every precondition_frequency steps:  Q[i] <- the orthogonal part of L[i] Q[i], columns in falling order of
//   diag(Q^T L Q), and v along with them;  m is turned into the new basis
// (Vyas et al. 2024), as the authors' program has it. Others are Adam, whose first step is left out, too.
struct SOAPRule {
  double lr = 3e-3;
  double beta1 = 0.95;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.01;
  int precondition_frequency = 10;
  int max_precond_dim = 10000;
  bool maximize = false;

  static constexpr const char* name = "SOAP";
  // L and Q of all axes lie one after the other.
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq", "factors", "bases"};

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& factors, Tensor& bases, const Step& step) const;
};
using SOAP = Descent<SOAPRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
