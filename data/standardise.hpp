// Numbers of mean 0 and variance 1, as most models want them.
#pragma once

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

// (x - mean) / deviation for each feature, the last axis of x. A missing number (NaN) becomes 0, the mean.
struct Standardiser {
  Tensor mean, deviation;  // [features]
  Tensor operator()(const Tensor& x, Source source = Source::here()) const;
  Tensor inverse(const Tensor& x, Source source = Source::here()) const;  // mean + deviation x
};

// Means and deviations (divided by n) of the rows [n, features] that one trains on: test rows are not looked at. Missing
// numbers are left out; a feature that is always the same has a deviation of 1, one that is always missing a mean of 0.
// One that holds an infinity, or numbers without a finite square, is an Error.
Standardiser standardiser(const Tensor& train, Source source = Source::here());

}  // namespace xgrad::data

#pragma GCC visibility pop
