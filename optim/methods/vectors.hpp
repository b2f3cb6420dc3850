// Vectors of f64 as plain numbers: for what a method works out between two points, where each op's own cost would
// count. Sums are taken in one order, whatever the instruction set and the number of threads. Private to optim/.
#pragma once

#include <xgrad/autodiff/memory.hpp>

namespace xgrad::optim {

// The numbers of a tensor, f64 and evaluated; for as long as the tensor lives.
inline const double* numbers(const Tensor& x) { return static_cast<const double*>(readable(x)); }

double dot(const double* x, const double* y, Size n);
double fall_of_squares(const double* x, const double* y,
                       Size n);           // x^T x - y^T y = sum (x - y) (x + y), without the sums' rounding
double length(const double* x, Size n);   // sqrt(x^T x)
double largest(const double* x, Size n);  // max |x_i|; NaN where one is
double absolute_dot(const double* x, const double* y, Size n);  // sum |x_i y_i|
// q <- q + a x, and q^T y of the new q
double add_and_dot(double* q, double a, const double* x, const double* y, Size n);
// z = x + a y
void combine(double* z, const double* x, double a, const double* y, Size n);

}  // namespace xgrad::optim
