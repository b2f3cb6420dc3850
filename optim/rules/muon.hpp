// Muon: momentum, made nearly orthogonal.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// b <- momentum b + (1 - momentum) g     u = nesterov ? momentum b + (1 - momentum) g : b
// X = u / max(|u|, eps), and `steps` times:  A = X X^T,  X <- a X + (b A + c A^2) X   (towards U V^T of u = U S V^T)
// p <- p (1 - lr weight_decay) - lr s X,  s = sqrt(max(1, rows / columns));  match_rms_adamw: 0.2 sqrt(max(rows, columns))
// (Jordan et al. 2024), as PyTorch has it, but for its bfloat16: the iteration is in the parameter's dtype here. For
// matrices; what is none (biases, norms, usually embeddings and the last layer too) goes to another optimizer, as AdamW.
struct MuonRule {
  double lr = 1e-3;
  double momentum = 0.95;
  double weight_decay = 0.1;
  bool nesterov = true;
  int steps = 5;
  double a = 3.4445, b = -4.775, c = 2.0315;  // of the iteration
  double eps = 1e-7;
  bool match_rms_adamw = false;  // a step as long as AdamW's would be, so that its lr fits
  bool maximize = false;

  static constexpr const char* name = "Muon";
  static constexpr const char* slots[] = {"momentum_buffer"};

  void check(const Require& require) const;
  void check_parameter(const Require& require, const Parameters::Entry& p) const;
  void update(Tensor& p, const Tensor& g, Tensor& buffer, const Step& step) const;
};
using Muon = Descent<MuonRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
