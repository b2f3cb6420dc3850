// Rates that are found from the loss's value, by step(loss): Polyak's, as long as the loss is above what it can come to; Eve, Adam that
// slows down where the loss jumps.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// |g| over the whole group:
//   rate = (loss - f_min) / (c |g|^2 + eps), at least 0 and at most lr; 0 where |g|^2 is below what 1 is known by in f64
//   p <- p - rate g
// (Polyak 1969; of a mini-batch SPS, Loizou et al. 2021), as optax has it. batches_per_epoch n above 0: the rate grows by
// 2^(1 / n) a step at most, from 1 ("smooth", of the authors' program, which also has c = 1/2).
struct PolyakRule {
  double lr = 1;  // the most
  double c = 1;
  double f_min = 0;
  double eps = 0;
  double batches_per_epoch = 0;
  bool maximize = false;

  static constexpr const char* name = "Polyak";
  static constexpr const char* shared[] = {"step_size"};
  static constexpr bool of_loss = true;

  Tensor first_shared(std::size_t) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using Polyak = Descent<PolyakRule>;

// F the loss less f_min, Adam's step with lr / D, D = 1 at first, from the second step on:
//   D <- beta3 D + (1 - beta3) q,  q = |F - F_before| / (min(F, F_before) + eps) kept in [1 / clip, clip]
// (Hayashi, Koushik & Neubig 2016), as ensmallen has it, where f_min is 0.
struct EveRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double beta3 = 0.999;
  double clip = 10;
  double eps = 1e-8;
  double f_min = 0;
  bool maximize = false;

  static constexpr const char* name = "Eve";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr const char* shared[] = {"d", "loss"};
  static constexpr bool of_loss = true;

  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using Eve = Descent<EveRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
