// Shampoo: a gradient is multiplied, along each axis, by a root of the mean of its own products along that axis.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Whose step is as long: none keeps Shampoo's own length. Adagrad, RMSprop and Adam by their step without its rate, with graft_eps
// and graft_beta2.
enum class Graft { none, adagrad, rmsprop, adam };

// Of each block of a tensor with k axes, each cut at max_preconditioner_dim; G(i) is g with axis i as rows, t from 1:
//   m <- beta1 m + (1 - beta1) g,  m^ = m / (1 - beta1^t)
//   L[i] <- beta2 L[i] + (1 - beta2) G(i) G(i)^T,  to be divided by 1 - beta2^t;  beta2 = 1: their sum
//   P = m^ with each axis i multiplied by (L[i] - min(least eigenvalue, 0) + eps)^(-1 / (2 k))
//   graft:  P <- P |that step| / (|P| + 1e-16)
//   p <- p - lr (P + weight_decay p)
// Roots are taken anew in each precondition_frequency-th step, and for the first time there: before, P is the step that it is
// grafted to (none: m^).
// (Gupta, Koren & Singer 2018; Shi et al. 2023), as Meta's program has it, but for its merging of small axes. Its
// README advises to graft. Matrices that cost too much go to another optimizer: a root costs the axis cubed.
struct ShampooRule {
  double lr = 1e-2;
  double beta1 = 0.9;
  double beta2 = 1;
  double eps = 1e-12;
  double weight_decay = 0;
  int max_preconditioner_dim = 1024;
  int precondition_frequency = 1;
  Graft graft = Graft::none;
  double graft_eps = 1e-10;
  double graft_beta2 = 0.999;
  bool maximize = false;

  static constexpr const char* name = "Shampoo";

  // L and the roots of all blocks lie one after the other.
  std::vector<const char*> slot_names() const;
  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const;
};
using Shampoo = Descent<ShampooRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
