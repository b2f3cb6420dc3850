// Dropout of whole channels, and dropout for SELU. (Dropout itself: activations.hpp)
#pragma once

#include <xgrad/nn/layers/activations.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// A channel of an example is 0 with probability p, and else x / (1 - p)   (Tompson et al. 2015)
Tensor dropout1d(In x, double p = 0.5);  // x [batch, channels, length], or [channels, length]
Tensor dropout2d(In x,
                 double p = 0.5);  // x [batch, channels, height, width], or [batch, channels, length] as PyTorch has it
Tensor dropout3d(In x, double p = 0.5);  // x [batch, channels, depth, height, width], or one example of that

// With probability p a number becomes SELU's value far below 0; what comes of it is scaled and moved so that mean and variance stay:
//   a (x m + s (1 - m)) + b    s = -1.0507.. 1.6733..   a = 1 / sqrt((1 - p) (1 + p s^2))   b = -a s p   (Klambauer et al. 2017)
Tensor alpha_dropout(In x, double p = 0.5);
Tensor feature_alpha_dropout(In x, double p = 0.5);  // of whole channels; x [batch, channels, ...]

struct Dropout1d {
  double p = 0.5;
  bool training = true;
  Tensor operator()(In x) const { return training ? dropout1d(x, p) : Tensor(x); }
  XGRAD_FIELDS()
};
struct Dropout2d {
  double p = 0.5;
  bool training = true;
  Tensor operator()(In x) const { return training ? dropout2d(x, p) : Tensor(x); }
  XGRAD_FIELDS()
};
struct Dropout3d {
  double p = 0.5;
  bool training = true;
  Tensor operator()(In x) const { return training ? dropout3d(x, p) : Tensor(x); }
  XGRAD_FIELDS()
};
struct AlphaDropout {
  double p = 0.5;
  bool training = true;
  Tensor operator()(In x) const { return training ? alpha_dropout(x, p) : Tensor(x); }
  XGRAD_FIELDS()
};
struct FeatureAlphaDropout {
  double p = 0.5;
  bool training = true;
  Tensor operator()(In x) const { return training ? feature_alpha_dropout(x, p) : Tensor(x); }
  XGRAD_FIELDS()
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
