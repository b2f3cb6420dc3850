// Losses of scores for classes.
#pragma once

#include <xgrad/nn/losses/reduction.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

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

struct MultiMarginOptions {
  Reduction reduction = Reduction::mean;
  int p = 1;  // or 2
  double margin = 1;
  Tensor weight = {};  // of each class; the mean divides by rows. Empty: 1
};
// w_t / C sum_{c != t} max(0, margin - x_t + x_c)^p. scores: [classes] or [rows, classes]; target: class indices.
Tensor multi_margin_loss(In scores, In target, const MultiMarginOptions& options = {});

// sum over j in t and i not in t of max(0, 1 - (x_j - x_i)) / C: targets are lists of classes, of the scores' shape, which end
// at the first -1.
Tensor multilabel_margin_loss(In scores, In target, LossOptions options = {});

struct WeightOptions {
  Reduction reduction = Reduction::mean;
  Tensor weight = {};  // broadcasts to the prediction's shape. Empty: 1
};
// - 1 / C sum_c w_c (t_c log sigmoid(x_c) + (1 - t_c) log(1 - sigmoid(x_c))): each class by itself; classes are the last axis,
// and targets 0 or 1, of the logits' shape.
Tensor multilabel_soft_margin_loss(In logits, In target, const WeightOptions& options = {});

}  // namespace xgrad::nn

#pragma GCC visibility pop
