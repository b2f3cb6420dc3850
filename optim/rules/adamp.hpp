// AdamP, SGDP: steps without the part that only makes weights longer, for weights whose length a normalisation divides out.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// u a step of Adam (nesterov: with beta1 m + (1 - beta1) g for m). Of tensors with two axes or more, by rows (all but the
// first axis), and else of the whole tensor:
//   where the greatest |cos(g, p)| of them is below delta / sqrt(numbers in one):
//     u <- u - q <q, u>,  q = p / (|p| + eps),  and the decay below is wd_ratio times as much
//   p <- p (1 - lr weight_decay) - lr u
// (Heo et al. 2021), as the authors' program has it.
struct AdamPRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double delta = 0.1;
  double wd_ratio = 0.1;
  bool nesterov = false;
  bool maximize = false;

  static constexpr const char* name = "AdamP";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using AdamP = Descent<AdamPRule>;

// The same with a step of SGD:  b <- momentum b + (1 - dampening) g,  u = nesterov ? g + momentum b : b,  and
//   p <- p (1 - lr weight_decay / (1 - momentum)) - lr u
struct SGDPRule {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  double eps = 1e-8;
  double delta = 0.1;
  double wd_ratio = 0.1;
  bool maximize = false;

  static constexpr const char* name = "SGDP";
  static constexpr const char* slots[] = {"momentum"};

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& b, const Step& step) const;
};
using SGDP = Descent<SGDPRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
