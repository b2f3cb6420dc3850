// CAME: Adafactor with momentum, which trusts a step as far as the steps of late were like it.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// F(R, C) = 1 / sqrt(R C / mean R), of means by row and by column over the last two axes:
//   R, C <- beta2, of g^2 + eps1       U = F(R, C) g       U <- U / max(1, RMS(U) / d)       m <- beta1 m + (1 - beta1) U
//   R', C' <- beta3, of (U - m)^2 + eps2
//   p <- p (1 - lr weight_decay) - lr F(R', C') m
// Others than matrices:  v <- beta2, of g^2 + eps1,  U = g / sqrt(v),  and m itself for F m
// (Luo et al. 2023), as the authors' program has it; RMS(x) = |x| / sqrt(n).
struct CAMERule {
  double lr = 2e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double beta3 = 0.9999;
  double eps1 = 1e-30, eps2 = 1e-16;
  double d = 1;
  double weight_decay = 0;
  bool maximize = false;

  static constexpr const char* name = "CAME";
  // of a parameter, those without use are empty
  static constexpr const char* slots[] = {"exp_avg",         "row_var",         "col_var",
                                          "row_instability", "col_instability", "variance"};

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, Tensor& rows, Tensor& columns, Tensor& of_rows, Tensor& of_columns,
              Tensor& v, const Step& step) const;
};
using CAME = Descent<CAMERule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
