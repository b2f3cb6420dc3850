// AdamW: Adam whose weight decay does not pass through the gradient.
#pragma once

#include <xgrad/optim/rules/adam.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// p <- p (1 - lr weight_decay), then Adam's step   (Loshchilov & Hutter 2019, algorithm 2; the rate as in PyTorch)
// corrected_weight_decay:  p <- p (1 - lr^2 / L weight_decay), L the lr that it began with: under a schedule, normalised weights keep
// their balance of decay and step (Defazio 2025)
struct AdamWRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
  bool maximize = false;
  bool corrected_weight_decay = false;  // AdamC

  static constexpr const char* name = "AdamW";
  static constexpr bool elementwise = true;
  std::vector<const char*> slot_names() const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const;

  AdamStep prepare(const Step& step) const;
  static void run(const Work& w, const AdamStep& step);
};
using AdamW = Descent<AdamWRule>;
extern template class Descent<AdamWRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
