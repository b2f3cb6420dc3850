// The elementwise optimizer updates, fused: one pass over n contiguous elements of one parameter, f32 or f64.
#pragma once

#include "autodiff/dtype.hpp"

namespace xgrad::kernels {

// All pointers are to n elements of `dtype`, on different memory (no overlap). Scalars come in double and are rounded to
// the dtype once; every operation is rounded in the dtype, in the order of the formulas. The bits of an element depend
// on its own numbers alone, so a parameter may be cut into pieces for threads. Not threaded themselves.

struct SgdStep {
  double lr;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool first = false;  // of the buffer: b <- g, whatever b held
  bool maximize = false;
};

// g <- -g to maximize;  g <- g + weight_decay p                       (weight_decay 0: left out)
// b <- first ? g : momentum b + (1 - dampening) g                     (b null: no momentum, and the step is g)
// p <- p - lr (nesterov ? g + momentum b : b)
void sgd(DType dtype, void* p, const void* g, void* b, Size n, const SgdStep& step);

struct AdamStep {
  double beta1, beta2;
  double rate;              // lr / (1 - beta1^t)
  double root;              // sqrt(1 - beta2^t)
  double eps;
  double weight_decay = 0;  // of the gradient (Adam)
  double shrink = 1;        // of the parameter: 1 - lr weight_decay (AdamW)
  bool maximize = false;
};

// g <- -g to maximize;  p <- shrink p                                 (shrink 1: left out)
// g <- g + weight_decay p                                             (weight_decay 0: left out)
// m <- beta1 m + (1 - beta1) g     v <- beta2 v + (1 - beta2) g g
// w <- v, or with AMSGrad w <- max(w, v)                              (w null: no AMSGrad)
// p <- p - rate m / (sqrt(w) / root + eps)
void adam(DType dtype, void* p, const void* g, void* m, void* v, void* w, Size n, const AdamStep& step);

}  // namespace xgrad::kernels
