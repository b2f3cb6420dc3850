// One step of a recurrent layer, for loops of one's own. The formulas are those of recurrent.hpp.
#pragma once

#include <xgrad/nn/layers/recurrent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

struct RNNCellOptions {
  bool bias = true;
  RecurrentNonlinearity nonlinearity = RecurrentNonlinearity::tanh;
  DType dtype = default_dtype();
};
struct RecurrentCellOptions {
  bool bias = true;
  DType dtype = default_dtype();
};

// x is [batch, in] or [in], states are [batch, hidden] or [hidden]; without a state it is 0. Weights as RecurrentWeights has
// them, and their names in a state dict; they start uniform in +-1 / sqrt(hidden), as PyTorch's.
struct RNNCell {
  Parameter weight_ih, weight_hh, bias_ih, bias_hh;
  RecurrentNonlinearity nonlinearity = RecurrentNonlinearity::tanh;

  RNNCell() = default;  // empty, until one with sizes is assigned
  RNNCell(Extent in, Extent hidden, RNNCellOptions options = {}, Source source = Source::here());
  Tensor operator()(In x, const Tensor& hidden = {}) const;  // the new hidden state

  XGRAD_FIELDS(weight_ih, weight_hh, bias_ih, bias_hh)
};

struct GRUCell {
  Parameter weight_ih, weight_hh, bias_ih, bias_hh;

  GRUCell() = default;
  GRUCell(Extent in, Extent hidden, RecurrentCellOptions options = {}, Source source = Source::here());
  Tensor operator()(In x, const Tensor& hidden = {}) const;

  XGRAD_FIELDS(weight_ih, weight_hh, bias_ih, bias_hh)
};

struct LSTMState {
  Tensor hidden = {}, cell = {};
};
struct LSTMCell {
  Parameter weight_ih, weight_hh, bias_ih, bias_hh;

  LSTMCell() = default;
  LSTMCell(Extent in, Extent hidden, RecurrentCellOptions options = {}, Source source = Source::here());
  LSTMState operator()(In x, const LSTMState& before = {}) const;  // state = cell(x, state)

  XGRAD_FIELDS(weight_ih, weight_hh, bias_ih, bias_hh)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
