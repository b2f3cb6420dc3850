// Gradients made shorter, between backward() and step(). Names as torch.nn.utils has them. (optim has them as part of an optimizer.)
#pragma once

#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct ClipGradOptions {
  double norm_type = 2;  // the p of the norm; infinity: the greatest |g|
  bool error_if_nonfinite =
      false;  // a norm that is infinite or NaN is an Error, and gradients stay; else they become NaN or 0
};

// g <- g min(1, max_norm / (|g| + 1e-6)), |g| the norm of all gradients together, which is returned (Pascanu et al. 2013).
// Shorter ones keep their bits; gradients by rows stay rows. Parameters without a gradient are passed over.
double clip_grad_norm(const Parameters& parameters, double max_norm, ClipGradOptions options = {},
                      Source source = Source::here());

// Each number of the gradients to -clip_value ... clip_value.
void clip_grad_value(const Parameters& parameters, double clip_value, Source source = Source::here());

}  // namespace xgrad::nn

#pragma GCC visibility pop
