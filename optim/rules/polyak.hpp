// Polyak's step: as long as the loss is above what it can come to. The rate is found from the loss's value, so step(loss).
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

  static constexpr const char* name = "Polyak";
  static constexpr const char* shared[] = {"step_size"};
  static constexpr bool of_loss = true;

  Tensor first_shared(std::size_t) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using Polyak = Descent<PolyakRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
