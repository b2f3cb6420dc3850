// Functions that are no vector code: one number at a time, compiled once, of doubles.
#pragma once

namespace xgrad::kernels {

double scalar_lgamma(double x);   // log |gamma(x)|
double scalar_digamma(double x);  // its derivative
double scalar_polygamma(double n,
                        double x);  // the n-th derivative of that; NaN where n is no whole number from 0 to 1,000

}  // namespace xgrad::kernels
