// Stochastic gradient descent, with momentum.
#pragma once

#include <xgrad/optim/optimizer.hpp>

namespace xgrad::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

struct SGDStep {
  double lr, momentum, dampening, weight_decay;
  bool nesterov;
  bool first;  // of the buffer
  bool maximize;
};

// With g + weight_decay p for g (to maximize: its negative first):
//   b <- g at the first step, else momentum b + (1 - dampening) g
//   p <- p - lr (nesterov ? g + momentum b : b)
// as PyTorch has it (Sutskever et al. 2013; the rate multiplies the buffer, the first buffer is not dampened).
struct SGDRule {
  using Options = SGDOptions;
  using Step = SGDStep;
  static constexpr const char* name = "SGD";
  static void check(const Options& options, const Require& require);
  static std::vector<const char*> slots(const Options& options);
  static Step prepare(const Options& options, double lr, Size t);
  static void update(const Work& w, const Step& step);
};
using SGD = Elementwise<SGDRule>;
extern template class Elementwise<SGDRule>;

}  // namespace xgrad::optim
