// How long gradients are, and how they are shortened: what clipping in nn and in optim has in common. Bodies: api/lengths.cpp.
#pragma once

#include <vector>

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// |x|_p of each of them, in f64; those that are pending are evaluated together.
std::vector<double> lengths_of(const Tensors& x, double p, Source source = Source::here());

// Of all their numbers together, (sum |x_i|_p^p)^(1/p); p infinite: the greatest. NaN where one is.
double length_together(const std::vector<double>& lengths, double p);

// What makes a gradient of that length no longer than `most`: min(1, most / (length + 1e-6))   (Pascanu, Mikolov, Bengio 2013, as
// PyTorch's clip_grad_norm_). NaN of NaN.
double shortening(double length, double most);

}  // namespace xgrad

#pragma GCC visibility pop
