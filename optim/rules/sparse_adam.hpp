// SparseAdam: Adam for embeddings, that leaves alone what the batch has not picked.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// Of the rows that have a gradient, all others staying as they are, their m and v too; t counts all steps:
//   m <- m + (1 - beta1) (g - m)     v <- v + (1 - beta2) (g^2 - v)
//   p <- p - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)
// as PyTorch has it: eps is added before v is corrected, unlike Adam's. A parameter that is not an embedding, or whose
// gradient has been given as a whole tensor, is one of which every row was picked.
struct SparseAdamRule {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "SparseAdam";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq"};
  static constexpr bool elementwise = true;
  bool by_rows() const { return true; }
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const;

  struct Prepared {
    double rest1, rest2;  // 1 - beta1, 1 - beta2
    double rate, eps;
    bool maximize = false;  // as Descent sets it
  };
  Prepared prepare(const Step& step) const;
  static void run(const Work& w, const Prepared& step);
};
using SparseAdam = Descent<SparseAdamRule>;
extern template class Descent<SparseAdamRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
