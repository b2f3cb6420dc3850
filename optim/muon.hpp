// Muon: momentum, made nearly orthogonal.
#pragma once

#include <fmt/core.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/descent.hpp>

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

  static constexpr const char* name = "Muon";
  static constexpr const char* slots[] = {"momentum_buffer"};

  void check(const Require& require) const {
    require(momentum >= 0 && momentum < 1, "momentum in [0, 1)", momentum);
    require(steps >= 0, "steps of 0 or more", steps);
    require.divisor("eps", eps);
    require.not_negative("weight_decay", weight_decay);
  }
  void check_parameter(const Require& require, const Parameters::Entry& p) const {
    if (const Shape& shape = p.value().shape(); shape.size() != 2)
      fail(require.source, fmt::format("[Muon] expected matrices, got {} for {}; give what is no matrix to another optimizer, as AdamW: "
                                       "Parameters::where chooses", shape, p.name));
  }
  void update(Tensor& p, const Tensor& g, Tensor& buffer, const Step& step) const {
    buffer = momentum * buffer + (1 - momentum) * g;
    const Tensor u = nesterov ? momentum * buffer + (1 - momentum) * g : buffer;
    const auto rows = static_cast<double>(p.size(0)), columns = static_cast<double>(p.size(1));
    const bool tall = rows > columns;  // the same result by the smaller product
    Tensor x = (tall ? transpose(u) : u) / maximum(norm(u), eps);
    for (int i = 0; i < steps; ++i) {
      const Tensor y = matmul(x, transpose(x));
      x = a * x + matmul(b * y + c * matmul(y, y), x);
    }
    if (tall) x = transpose(x);
    const double scale = match_rms_adamw ? 0.2 * sqrt(tall ? rows : columns) : sqrt(tall ? rows / columns : 1);
    p = (1 - step.lr * weight_decay) * p - step.lr * scale * x;
  }
};
using Muon = Descent<MuonRule>;

}  // namespace xgrad::optim
