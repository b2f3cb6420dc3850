// Losses of yes or no.
#pragma once

#include <xgrad/nn/losses/classes.hpp>
#include <xgrad/nn/losses/reduction.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct BinaryCrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  Tensor weight = {};      // of each element; broadcasts to the logits' shape. Empty: 1
  Tensor pos_weight = {};  // of the positive term; broadcasts to the logits' shape. Empty: 1
};
struct FocalOptions {
  Reduction reduction = Reduction::mean;
  double alpha = 0.25;  // weight of the positive term, 1 - alpha of the negative; below 0: neither
  double gamma = 2;
};
struct DiceOptions {
  Reduction reduction = Reduction::mean;
  double smooth = 1;
};
struct MarginOptions {
  Reduction reduction = Reduction::mean;
  double margin = 1;
};

// ---- prediction and target of one shape, or the target one number. Targets are 0 or 1, or a probability between

// - y log sigmoid(x) - (1 - y) log(1 - sigmoid(x))
Tensor binary_cross_entropy_with_logits(In logits, In target, const BinaryCrossEntropyOptions& options = {});
// - y log p - (1 - y) log(1 - p), where a logarithm is -100 at least; there its slope is 1e12, towards what is less wrong. p out
// of [0, 1]: NaN. Of logits the function above keeps all digits.
Tensor binary_cross_entropy(In probabilities, In target, const WeightOptions& options = {});
// - a_t (1 - p_t)^gamma log p_t, p_t the probability of the target (Lin et al. 2017). Between 0 and 1 a target mixes the two.
Tensor sigmoid_focal_loss(In logits, In target, FocalOptions options = {});
// 1 - (2 sum p y + s) / (sum p + sum y + s) over all axes but the first, that of the examples; a vector is one example
// (Milletari, Navab, Ahmadi 2016)
Tensor dice_loss(In probabilities, In target, DiceOptions options = {});

// ---- targets are -1 or 1

Tensor hinge_loss(In scores, In target, MarginOptions options = {});          // max(0, margin - x y)
Tensor squared_hinge_loss(In scores, In target, MarginOptions options = {});  // the square of that
Tensor soft_margin_loss(In scores, In target, LossOptions options = {});      // log(1 + e^(-x y))

}  // namespace xgrad::nn

#pragma GCC visibility pop
