// AdamW: Adam whose weight decay does not pass through the gradient.
#pragma once

#include <xgrad/optim/adam.hpp>

namespace xgrad::optim {

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
  bool maximize = false;
};

// p <- p (1 - lr weight_decay), then Adam's step   (Loshchilov & Hutter 2019, algorithm 2; the rate as in PyTorch)
struct AdamWRule {
  using Options = AdamWOptions;
  using Step = AdamStep;
  static constexpr const char* name = "AdamW";
  static void check(const Options& options, const Require& require);
  static std::vector<const char*> slots(const Options& options);
  static Step prepare(const Options& options, double lr, Size t);
  static void update(const Work& w, const Step& step);
};
using AdamW = Elementwise<AdamWRule>;
extern template class Elementwise<AdamWRule>;

}  // namespace xgrad::optim
