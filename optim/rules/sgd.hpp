// Stochastic gradient descent, with momentum.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With g + weight_decay p for g (decoupled: p (1 - lr weight_decay) first instead, SGDW of
// Loshchilov & Hutter 2019):
//   b <- g at the first step, else momentum b + (1 - dampening) g
//   p <- p - lr (nesterov ? g + momentum b : b)
// as PyTorch has it (Sutskever et al. 2013; the rate multiplies the buffer, the first buffer is not dampened).
struct SGDRule {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
  bool decoupled_weight_decay = false;  // SGDW

  static constexpr const char* name = "SGD";
  static constexpr bool elementwise = true;
  std::vector<const char*> slot_names() const;
  void check(const Require& require) const;
  bool by_rows() const { return momentum == 0 && weight_decay == 0; }
  void update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const;

  struct Prepared;  // what the compiled formula needs
  Prepared prepare(const Step& step) const;
  static void run(const Work& w, const Prepared& step);
};
struct SGDRule::Prepared {
  double lr, momentum, undampened, weight_decay, shrink;
  bool nesterov, first, maximize = false;  // as Descent sets it
};
using SGD = Descent<SGDRule>;
extern template class Descent<SGDRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
