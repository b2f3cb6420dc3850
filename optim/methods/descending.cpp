#include "optim/methods/descending.hpp"

#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {

Tensor solve_by_cholesky(const Tensor& h, const Tensor& g) {
  const Tensor lower = cholesky(h);
  return solve_triangular(lower, solve_triangular(lower, g), {.transposed = true});
}

}  // namespace

Tensor solve_by_absolute_values(const Tensor& h, const Tensor& g, double least) {
  try {
    return solve_by_cholesky(h, g);
  } catch (const Error&) {  // not positive definite
    const auto [values, vectors] = eigh(h);
    const Tensor raised = maximum(abs(values), least * amax(abs(values)));
    return matmul(vectors, matmul(transpose(vectors), g) / where(raised > 0, raised, 1.0));
  }
}

Tensor solve_by_shift(const Tensor& h, const Tensor& g) {
  const double least = amin(diagonal(h)).item();
  const Tensor identity = eye(h.size(0), f64);
  for (double shift = least > 0 ? 0 : 1e-3 - least; std::isfinite(shift); shift = std::max(2 * shift, 1e-3)) {
    try {
      return solve_by_cholesky(h + shift * identity, g);
    } catch (const Error&) {  // not positive definite yet
    }
  }
  return {};
}

}  // namespace xgrad::optim
