// Adafactor: of a matrix's mean squares it keeps those of rows and of columns only.
#pragma once

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/descent.hpp>

namespace xgrad::optim {

// b = 1 - t^beta2_decay, t from 1; RMS(x) = |x| / sqrt(n)       (to maximize: g's negative)
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
  static constexpr const char* slots[] = {"row_var", "col_var", "variance"};  // of a parameter, those without use are empty

  Tensor first(std::size_t slot, const Tensor& p) const {
    Shape shape = p.shape();
    const bool matrix = shape.size() > 1;
    if (matrix == (slot == 2)) return zeros({0}, p.dtype());
    if (matrix) shape[slot == 0 ? shape.size() - 1 : shape.size() - 2] = 1;
    return zeros(shape, p.dtype());
  }
  void check(const Require& require) const {
    require(beta2_decay < 0 && beta2_decay - beta2_decay == 0, "a finite beta2_decay below 0", beta2_decay);
    require.divisor("eps1", eps1);
    require.not_negative("eps2", eps2);
    require(d >= 1 && d - d == 0, "a finite d of 1 or more", d);
    require.not_negative("weight_decay", weight_decay);
  }
  void update(Tensor& p, Tensor g, Tensor& rows, Tensor& columns, Tensor& variance, const Step& step) const {
    const double least = eps1 > 0 ? eps1 : p.dtype() == f64 ? 0x1p-52 : 0x1p-23;
    const double fresh = pow(step.t, beta2_decay), root = sqrt(static_cast<double>(p.numel()));
    if (maximize) g = -g;
    Tensor v;
    if (p.dim() > 1) {
      rows = (1 - fresh) * rows + fresh * mean(square(g), -1, true);
      columns = (1 - fresh) * columns + fresh * mean(square(g), -2, true);
      v = rows * columns / maximum(mean(rows, -2, true), least);
    } else {
      v = variance = (1 - fresh) * variance + fresh * square(g);
    }
    const Tensor u = g / maximum(sqrt(v), least);
    const double most = 1 / sqrt(static_cast<double>(step.t));
    const Tensor rate = maximum(norm(p) / root, eps2) * (step.lr < most ? step.lr : most);
    p = (1 - step.lr * weight_decay) * p - rate / maximum(norm(u) / (root * d), 1.0) * u;
  }
};
using Adafactor = Descent<AdafactorRule>;

}  // namespace xgrad::optim
