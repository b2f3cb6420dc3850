// Newton's step where a Hessian need not be positive definite. Private to optim/.
#pragma once

#include <xgrad/autodiff/tensor.hpp>

namespace xgrad::optim {

// B^-1 g. B is h where that is positive definite; else it has h's eigenvectors, and the absolute values of its
// eigenvalues, raised to `least` of the greatest.
Tensor solve_by_absolute_values(const Tensor& h, const Tensor& g, double least);

// B^-1 g. B = h + t I with the first t that makes it positive definite of 0 (1e-3 less the least of the diagonal, where
// that is not positive), max(2 t, 1e-3), .. (Nocedal & Wright 2006, algorithm 3.3). Empty where none does.
Tensor solve_by_shift(const Tensor& h, const Tensor& g);

}  // namespace xgrad::optim
