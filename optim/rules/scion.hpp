// Scion: steps of one size, as the norm of a layer's weights has it.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// What a step is measured by: automatic: vectors by their root of the mean square, matrices and convolutions by their spectral
// norm; sign: each number, for the last layer, or one whose inputs are one-hot.
enum class ScionNorm { automatic, sign };

// m <- momentum m + (1 - momentum) g       p <- p (1 - lr) - lr radius s,  s of m by its norm, of n outputs and k inputs:
//   a vector          m / (sqrt(mean m^2) + 1e-8)
//   a matrix          sqrt(n / k) U V^T of m = U S V^T, nearly, by 5 of Muon's iterations; of convolutions each output is a row, k
//                     counts channels, and the step is divided by the numbers of a window
//   sign              sign(m) / k
// (Pethick et al. 2025), as the authors' program has it, but for its bfloat16. So weights stay within the ball of that radius; not
// so where `unconstrained`, without the factor 1 - lr. It is a group's: the authors take 50 for hidden layers, 3000 for signs.
struct ScionRule {
  double lr = 1e-3;
  double momentum = 0.9;
  double radius = 1;
  ScionNorm norm = ScionNorm::automatic;
  bool unconstrained = false;
  bool maximize = false;

  static constexpr const char* name = "Scion";
  static constexpr const char* slots[] = {"momentum_buffer"};

  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& m, const Step& step) const;
};
using Scion = Descent<ScionRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
