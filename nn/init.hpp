// Initialisers: what a parameter starts from. Formulas and names as torch.nn.init has them.
#pragma once

#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn::init {

// Each stores new numbers in the variable, of its shape and dtype. Draws come from the thread's generator.
void uniform(Parameter& p, double low = 0, double high = 1, Source source = Source::here());
void normal(Parameter& p, double mean = 0, double std = 1, Source source = Source::here());
void constant(Parameter& p, double number, Source source = Source::here());
void zeros(Parameter& p, Source source = Source::here());
void ones(Parameter& p, Source source = Source::here());

// normal(mean, std^2) between low and high: what falls outside is drawn again, by the inverse of the distribution (Robert 1995)
struct TruncatedNormalOptions {
  double mean = 0, std = 1;
  double low = -2, high = 2;  // bounds of the numbers, not counted in std
};
void trunc_normal(Parameter& p, TruncatedNormalOptions options = {}, Source source = Source::here());

// LeCun et al. 1998, "Efficient BackProp": variance 1 / fan_in
void lecun_uniform(Parameter& p, Source source = Source::here());
void lecun_normal(Parameter& p, Source source = Source::here());

// Glorot & Bengio 2010: variance gain^2 2 / (fan_in + fan_out)
void xavier_uniform(Parameter& p, double gain = 1, Source source = Source::here());
void xavier_normal(Parameter& p, double gain = 1, Source source = Source::here());

// He et al. 2015: variance gain^2 / fan
enum class FanMode { in, out };
enum class Nonlinearity { linear, sigmoid, tanh, relu, leaky_relu, selu };
struct KaimingOptions {
  double a = 0;  // of leaky_relu: its negative slope
  FanMode mode = FanMode::in;
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};
void kaiming_uniform(Parameter& p, KaimingOptions options = {}, Source source = Source::here());
void kaiming_normal(Parameter& p, KaimingOptions options = {}, Source source = Source::here());

// gain Q, [out, in x rest] with rows or columns, whichever are fewer, at right angles and of length 1: uniformly of all such
// (Saxe, McClelland, Ganguli 2014)
void orthogonal(Parameter& p, double gain = 1, Source source = Source::here());

// A matrix of normal(0, std^2), and in each column ceil(sparsity rows) zeros at random places (Martens 2010)
struct SparseOptions {
  double sparsity = 0;  // the part that is 0; to be given
  double std = 0.01;
};
void sparse(Parameter& p, SparseOptions options, Source source = Source::here());

// The identity: of a matrix, and of a convolution's weight [out, in / groups, kernel...], which then hands each of the first
// channels of a group on as it is.
void eye(Parameter& p, Source source = Source::here());
void dirac(Parameter& p, Size groups = 1, Source source = Source::here());

double gain(Nonlinearity nonlinearity, double a = 0.01);  // a: negative slope of leaky_relu

struct Fans {
  Size in, out;
};
Fans fans(const Shape& weight, Source source = Source::here());  // of [out, in, ...]: in and out, times the rest

// Fresh numbers, for the constructors of layers.
Tensor uniform_tensor(const Shape& shape, DType dtype, double low, double high, Source source = Source::here());

}  // namespace xgrad::nn::init

#pragma GCC visibility pop
