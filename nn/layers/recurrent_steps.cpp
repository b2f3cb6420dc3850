#include "nn/layers/recurrent_steps.hpp"

#include <fmt/core.h>

#include <cmath>

#include <xgrad/autodiff/ops.hpp>
#include "nn/layers/made.hpp"

namespace xgrad::nn::recurrent {

namespace {

// The k-th gate of [batch, gates hidden].
Tensor gate(const Tensor& gates, Size k, Size hidden) { return slice(gates, 1, k * hidden, (k + 1) * hidden); }

Tensor both_biases(const Values& w) { return w.bias_ih.defined() ? w.bias_ih + w.bias_hh : Tensor(); }

}  // namespace

Tensor rnn_input(const Tensor& x, Size, Values& w) { return linear(x, w.weight_ih, both_biases(w)); }
Tensor lstm_input(const Tensor& x, Size, Values& w) { return linear(x, w.weight_ih, both_biases(w)); }

// r is multiplied with the third part of b_hh, so that one waits for it.
Tensor gru_input(const Tensor& x, Size batch, Values& w) {
  if (!w.bias_ih.defined()) return linear(x, w.weight_ih);
  const Size hidden = w.hidden_weight.size(0);
  const Tensor candidate = expand(slice(w.bias_hh, 0, 2 * hidden), {batch, hidden});
  w.candidate_bias = reshape(reshape(candidate, {-1}), {batch, hidden});
  return linear(x, w.weight_ih, w.bias_ih + pad(slice(w.bias_hh, 0, 0, 2 * hidden), 0, 0, hidden));
}

State rnn_step(const Tensor& input, const State& before, const Values& w, RecurrentNonlinearity nonlinearity) {
  const Tensor sum = input + matmul(before.hidden, w.hidden_weight);
  return {nonlinearity == RecurrentNonlinearity::tanh ? tanh(sum) : relu(sum), {}};
}

State gru_step(const Tensor& input, const State& before, const Values& w) {
  const Tensor& h = before.hidden;
  const Size hidden = h.size(1);
  const Tensor inner = matmul(h, w.hidden_weight);
  const Tensor r = sigmoid(gate(input, 0, hidden) + gate(inner, 0, hidden));
  const Tensor z = sigmoid(gate(input, 1, hidden) + gate(inner, 1, hidden));
  Tensor candidate = gate(inner, 2, hidden);
  if (w.candidate_bias.defined()) candidate = candidate + w.candidate_bias;
  const Tensor n = tanh(gate(input, 2, hidden) + r * candidate);
  return {lerp(n, h, z), {}};
}

State lstm_step(const Tensor& input, const State& before, const Values& w) {
  const Tensor gates = input + matmul(before.hidden, w.hidden_weight);
  const Size hidden = before.cell.size(1);
  const Tensor i = sigmoid(gate(gates, 0, hidden)), f = sigmoid(gate(gates, 1, hidden));
  const Tensor g = tanh(gate(gates, 2, hidden)), o = sigmoid(gate(gates, 3, hidden));
  const Tensor cell = f * before.cell + i * g, shown = o * tanh(cell);
  return {w.weight_hr.defined() ? linear(shown, w.weight_hr) : shown, cell};
}

RecurrentWeights first_weights(const Sizes& s, DType dtype, Source source) {
  const double bound = 1 / std::sqrt(static_cast<double>(s.hidden));
  const auto uniform = [&](const Shape& shape) { return drawn(shape, dtype, bound, source); };
  const Size rows = s.gates * s.hidden;
  RecurrentWeights w;
  w.weight_ih = uniform({rows, s.in});
  w.weight_hh = uniform({rows, s.projection > 0 ? s.projection : s.hidden});
  if (s.bias) w.bias_ih = uniform({rows}), w.bias_hh = uniform({rows});
  if (s.projection > 0) w.weight_hr = uniform({s.projection, s.hidden});
  return w;
}

void check_sizes(const char* layer, Extent in, Extent hidden, DType dtype, Source source) {
  if (in.value < 1 || hidden.value < 1)
    fail(source.named(layer), "expected sizes of at least 1, got {} -> {}", in.value, hidden.value);
  require_float(layer, dtype, source);
}

Tensor state_of(const char* layer, const char* what, const Tensor& given, const Shape& shape, DType dtype,
                Source source) {
  if (!given.defined()) return zeros(shape, dtype, source);
  if (given.shape() != shape)
    fail(source.named(layer), "expected {} of the shape {}, got {}", what, shape, given.shape());
  if (!is_float(given.dtype()))
    fail(source.named(layer), "expected {} of floats, got {}; cast it first: cast(x, {})", what, name(given.dtype()),
         name(dtype));
  return given.dtype() == dtype ? given : cast(given, dtype);
}

}  // namespace xgrad::nn::recurrent
