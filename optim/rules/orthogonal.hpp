// What Muon and Scion share: a matrix made nearly orthogonal. Private to optim/.
#pragma once

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

// Near U V^T of u = U S V^T: X = u / max(|u|, eps), and `steps` times A = X X^T, X <- a X + (b A + c A^2) X  (Jordan et al. 2024)
inline Tensor nearly_orthogonal(const Tensor& u, int steps, double a, double b, double c, double eps) {
  const bool tall = u.size(0) > u.size(1);  // the same result by the smaller product
  Tensor x = (tall ? transpose(u) : u) / maximum(norm(u), eps);
  for (int i = 0; i < steps; ++i) {
    const Tensor y = matmul(x, transpose(x));
    x = a * x + matmul(b * y + c * matmul(y, y), x);
  }
  return tall ? transpose(x) : x;
}

}  // namespace xgrad::optim
