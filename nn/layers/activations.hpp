// Activations: functions of tensors, and the same as layers. Formulas and names as torch.nn has them.
#pragma once

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

enum class GeluForm { exact, tanh };

Tensor gelu(In x, GeluForm form = GeluForm::exact);     // x Phi(x)
Tensor silu(In x);                                      // x sigmoid(x)
Tensor leaky_relu(In x, double negative_slope = 0.01);  // x > 0 ? x : slope x
Tensor elu(In x, double alpha = 1);                     // x > 0 ? x : alpha (e^x - 1)
Tensor softplus(In x, double beta);                     // log(1 + e^(beta x)) / beta
Tensor dropout(In x, double p = 0.5);                   // 0 with probability p, else x / (1 - p)

struct Tanh {
  Tensor operator()(In x) const { return xgrad::tanh(x); }
  XGRAD_FIELDS()
};
struct ReLU {
  Tensor operator()(In x) const { return xgrad::relu(x); }
  XGRAD_FIELDS()
};
struct Sigmoid {
  Tensor operator()(In x) const { return xgrad::sigmoid(x); }
  XGRAD_FIELDS()
};
struct GELU {
  GeluForm form = GeluForm::exact;
  Tensor operator()(In x) const { return gelu(x, form); }
  XGRAD_FIELDS()
};
struct SiLU {
  Tensor operator()(In x) const { return silu(x); }
  XGRAD_FIELDS()
};
struct Softplus {
  double beta = 1;
  Tensor operator()(In x) const { return softplus(x, beta); }
  XGRAD_FIELDS()
};
struct LeakyReLU {
  double negative_slope = 0.01;
  Tensor operator()(In x) const { return leaky_relu(x, negative_slope); }
  XGRAD_FIELDS()
};
struct ELU {
  double alpha = 1;
  Tensor operator()(In x) const { return elu(x, alpha); }
  XGRAD_FIELDS()
};
struct Softmax {
  Size axis = -1;
  Tensor operator()(In x) const { return xgrad::softmax(x, axis); }
  XGRAD_FIELDS()
};
struct LogSoftmax {
  Size axis = -1;
  Tensor operator()(In x) const { return xgrad::log_softmax(x, axis); }
  XGRAD_FIELDS()
};
struct Identity {
  Tensor operator()(In x) const { return x; }
  XGRAD_FIELDS()
};
struct Flatten {
  Size from = 1;  // keeps the axes before: a batch of vectors
  Tensor operator()(In x) const { return xgrad::flatten(x, from); }
  XGRAD_FIELDS()
};

// Srivastava et al. 2014: drops numbers while it trains (nn::train, nn::eval); each call draws a new mask.
struct Dropout {
  double p = 0.5;
  bool training = true;
  Tensor operator()(In x) const { return training ? dropout(x, p) : Tensor(x); }
  XGRAD_FIELDS()
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
