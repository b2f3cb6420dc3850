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

double gain(Nonlinearity nonlinearity, double a = 0.01);  // a: negative slope of leaky_relu

struct Fans {
  Size in, out;
};
Fans fans(const Shape& weight, Source source = Source::here());  // of [out, in, ...]: in and out, times the rest

// Fresh numbers, for the constructors of layers.
Tensor uniform_tensor(const Shape& shape, DType dtype, double low, double high, Source source = Source::here());

}  // namespace xgrad::nn::init

#pragma GCC visibility pop
