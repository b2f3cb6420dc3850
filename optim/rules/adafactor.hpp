// Adafactor: of a matrix's mean squares it keeps those of rows and of columns only.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// b = 1 - t^beta2_decay, t from 1; RMS(x) = |x| / sqrt(n)
//   matrices, over the last two axes:  R <- b R + (1 - b) mean of g^2 by row,  C likewise by column,
//                                      V = R C / max(mean R, eps1)
//   others:                            V <- b V + (1 - b) g^2
//   U = g / max(sqrt(V), eps1)
//   p <- p (1 - lr weight_decay) - max(eps2, RMS(p)) min(lr, 1 / sqrt(t)) U / max(1, RMS(U) / d), RMS(p) before the decay
// (Shazeer & Stern 2018), as PyTorch has it.
struct AdafactorRule {
  double lr = 1e-2;
  double beta2_decay = -0.8;
  double eps1 = 0;  // 0: what 1 is known by in the parameter's dtype, 1.2e-7 or 2.2e-16
  double eps2 = 1e-3;
  double d = 1;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "Adafactor";
  static constexpr const char* slots[] = {"row_var", "col_var",
                                          "variance"};  // of a parameter, those without use are empty

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& rows, Tensor& columns, Tensor& variance, const Step& step) const;
};
using Adafactor = Descent<AdafactorRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
