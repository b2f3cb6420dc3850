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

// At a corner the slope is PyTorch's: 0 on the bounds of hardtanh, relu6, hardsigmoid, softshrink and hardshrink.
Tensor hardtanh(In x, double min_val = -1, double max_val = 1);  // x, but min_val and max_val at the least and most
Tensor relu6(In x);                                              // hardtanh(x, 0, 6)
Tensor hardsigmoid(In x);                                        // x <= -3 ? 0 : x >= 3 ? 1 : x / 6 + 1/2
Tensor hardswish(In x);                                          // x < -3 ? 0 : x > 3 ? x : x (x + 3) / 6
Tensor selu(In x);                             // 1.0507.. (x > 0 ? x : 1.6733.. (e^x - 1))   (Klambauer et al. 2017)
Tensor celu(In x, double alpha = 1);           // x > 0 ? x : alpha (e^(x / alpha) - 1)   (Barron 2017)
Tensor mish(In x);                             // x tanh(softplus(x))   (Misra 2019)
Tensor softsign(In x);                         // x / (1 + |x|)
Tensor logsigmoid(In x);                       // log sigmoid(x) = -softplus(-x)
Tensor tanhshrink(In x);                       // x - tanh(x)
Tensor softshrink(In x, double lambda = 0.5);  // x - lambda, x + lambda, or 0 between: |x| <= lambda
Tensor hardshrink(In x, double lambda = 0.5);  // x, or 0 where |x| <= lambda
Tensor threshold(In x, double least, double value);  // x > least ? x : value
Tensor prelu(In x, In weight);   // x > 0 ? x : weight x; weight: one number, or one for each channel (axis 1)
Tensor glu(In x, At axis = -1);  // a sigmoid(b), of the halves of x along the axis   (Dauphin et al. 2017)
Tensor softmin(In x, At axis);   // softmax(-x)
// x > 0 ? x : a x, where a is drawn in [lower, upper) for each number, or, if it does not train, their middle   (Xu et al. 2015)
Tensor rrelu(In x, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false);

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
struct Hardtanh {
  double min_val = -1, max_val = 1;
  Tensor operator()(In x) const { return hardtanh(x, min_val, max_val); }
  XGRAD_FIELDS()
};
struct ReLU6 {
  Tensor operator()(In x) const { return relu6(x); }
  XGRAD_FIELDS()
};
struct Hardsigmoid {
  Tensor operator()(In x) const { return hardsigmoid(x); }
  XGRAD_FIELDS()
};
struct Hardswish {
  Tensor operator()(In x) const { return hardswish(x); }
  XGRAD_FIELDS()
};
struct SELU {
  Tensor operator()(In x) const { return selu(x); }
  XGRAD_FIELDS()
};
struct CELU {
  double alpha = 1;
  Tensor operator()(In x) const { return celu(x, alpha); }
  XGRAD_FIELDS()
};
struct Mish {
  Tensor operator()(In x) const { return mish(x); }
  XGRAD_FIELDS()
};
struct Softsign {
  Tensor operator()(In x) const { return softsign(x); }
  XGRAD_FIELDS()
};
struct LogSigmoid {
  Tensor operator()(In x) const { return logsigmoid(x); }
  XGRAD_FIELDS()
};
struct Tanhshrink {
  Tensor operator()(In x) const { return tanhshrink(x); }
  XGRAD_FIELDS()
};
struct Softshrink {
  double lambda = 0.5;
  Tensor operator()(In x) const { return softshrink(x, lambda); }
  XGRAD_FIELDS()
};
struct Hardshrink {
  double lambda = 0.5;
  Tensor operator()(In x) const { return hardshrink(x, lambda); }
  XGRAD_FIELDS()
};
struct Threshold {
  double least, value;
  Tensor operator()(In x) const { return threshold(x, least, value); }
  XGRAD_FIELDS()
};
struct GLU {
  Size axis = -1;
  Tensor operator()(In x) const { return glu(x, axis); }
  XGRAD_FIELDS()
};
struct Softmin {
  Size axis = -1;
  Tensor operator()(In x) const { return softmin(x, axis); }
  XGRAD_FIELDS()
};
struct Softmax2d {  // over the channels: x [batch, channels, height, width], or [channels, height, width]
  Tensor operator()(In x) const;
  XGRAD_FIELDS()
};
struct RReLU {
  double lower = 1.0 / 8, upper = 1.0 / 3;
  bool training = true;
  Tensor operator()(In x) const { return rrelu(x, lower, upper, training); }
  XGRAD_FIELDS()
};

struct PReLUOptions {
  double init = 0.25;
  DType dtype = default_dtype();
};
struct PReLU {       // He et al. 2015
  Parameter weight;  // [1], or one for each channel
  explicit PReLU(Extent num_parameters = 1, PReLUOptions options = {}, Source source = Source::here());
  Tensor operator()(In x) const;
  XGRAD_FIELDS(weight)
};

struct Identity {
  Tensor operator()(In x) const { return x; }
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
