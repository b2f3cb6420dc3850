// Losses: functions of a prediction and a target. Formulas, names and options as torch.nn.functional has them.
#pragma once

#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// The sum of no losses is 0; their mean has no value, and is an Error. Rows left out by ignore_index are no rows, and what is in
// them, NaN too, leads to no gradient. A weight, a probability or a binary target of 0 beside an infinite loss counts for
// nothing: a sure and right logit costs 0. An option that the dtype cannot hold (a delta of 1e-50 in f32) is an Error.
enum class Reduction { mean, sum, none };

struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;  // mixes the target with the uniform distribution
  Size ignore_index = -100;    // rows of this class count for nothing, in the mean's divisor neither
  Tensor weight = {};          // of each class; the mean divides by the weights' sum. Empty: 1
};

// - sum_c target_c log softmax(logits)_c. logits: [classes], [rows, classes] or [rows, classes, ...]; target: class
// indices (i64, without the classes' axis) or probabilities (floats, of the logits' shape). Two classes or more. A logit of
// -infinity is a class that cannot be; label_smoothing gives it a share, so the loss is infinite.
Tensor cross_entropy(In logits, In target, const CrossEntropyOptions& options = {});

struct NllOptions {
  Reduction reduction = Reduction::mean;
  Size ignore_index = -100;
  Tensor weight = {};
};
// - log_probabilities at the target's class; shapes as cross_entropy's with class indices
Tensor nll_loss(In log_probabilities, In target, const NllOptions& options = {});

struct LossOptions {
  Reduction reduction = Reduction::mean;
};
struct HuberOptions {
  Reduction reduction = Reduction::mean;
  double delta = 1;
};
struct SmoothL1Options {
  Reduction reduction = Reduction::mean;
  double beta = 1;
};
struct BinaryCrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  Tensor weight = {};      // of each element; broadcasts to the logits' shape. Empty: 1
  Tensor pos_weight = {};  // of the positive term; broadcasts to the logits' shape. Empty: 1
};

// Prediction and target of one shape, or the target one number.
Tensor mse_loss(In prediction, In target, LossOptions options = {});            // (x - y)^2
Tensor l1_loss(In prediction, In target, LossOptions options = {});             // |x - y|
Tensor huber_loss(In prediction, In target, HuberOptions options = {});         // |e| <= d ? e^2 / 2 : d (|e| - d / 2)
Tensor smooth_l1_loss(In prediction, In target, SmoothL1Options options = {});  // huber_loss(delta = beta) / beta
Tensor binary_cross_entropy_with_logits(In logits, In target, const BinaryCrossEntropyOptions& options = {});

}  // namespace xgrad::nn

#pragma GCC visibility pop
