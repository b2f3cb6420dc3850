// Adam-mini: Adam with one v for each output, in place of one for each weight.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// m <- beta1 m + (1 - beta1) g      v <- beta2 v + (1 - beta2) mean g^2, over each `rows` rows of the first axis; t from 1
// p <- p (1 - lr weight_decay) - lr m^ / (sqrt(v^) + eps)
// (Zhang et al. 2024), as the authors have it. rows = 1: each output of a layer has a step of its own, and each number of a vector,
// as in AdamW. Queries and keys of a transformer want those of a head: a group of theirs, with rows = the size of a head.
struct AdamMiniRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  int rows = 1;
  bool maximize = false;

  static constexpr const char* name = "AdamMini";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void check_parameter(const Require& require, const Parameters::Entry& p) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;
};
using AdamMini = Descent<AdamMiniRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
