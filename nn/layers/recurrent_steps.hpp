// The formulas of one step, for layers and cells. Private to nn/.
#pragma once

#include <xgrad/nn/layers/recurrent.hpp>

namespace xgrad::nn::recurrent {

// The gates of a kind of layer, in the order of the weights' rows.
constexpr Size rnn_gates = 1, gru_gates = 3, lstm_gates = 4;

struct State {
  Tensor hidden, cell;  // [batch, hidden]; cell of an LSTM alone
};

// What a step reads of the weights. An empty bias is none.
struct Values {
  Tensor weight_ih, hidden_weight, bias_ih, bias_hh, weight_hr;  // hidden_weight: the transpose of weight_hh
  Tensor
      candidate_bias;  // GRU's b_hn, [batch, hidden]: so its gradient is summed over the batch once, and not at each step
  Values(const Tensor& ih, const Tensor& hh_transposed, const Tensor& b_ih, const Tensor& b_hh, const Tensor& hr = {})
      : weight_ih(ih), hidden_weight(hh_transposed), bias_ih(b_ih), bias_hh(b_hh), weight_hr(hr) {}
};

// The part of the gates that the state does not change, of all steps in one product: W_ih x + b_ih, and of b_hh what is simply
// added. x: [..., in]; the result: [..., gates hidden].
Tensor rnn_input(const Tensor& x, Size batch, Values& w);
Tensor gru_input(const Tensor& x, Size batch, Values& w);  // sets the candidate's bias, too
Tensor lstm_input(const Tensor& x, Size batch, Values& w);

// One step from that part of one step, [batch, gates hidden].
State rnn_step(const Tensor& input, const State& before, const Values& w, RecurrentNonlinearity nonlinearity);
State gru_step(const Tensor& input, const State& before, const Values& w);
State lstm_step(const Tensor& input, const State& before, const Values& w);

// Weights as they start: uniform in +-1 / sqrt(hidden).
struct Sizes {
  Size in, hidden, gates, projection;
  bool bias;
};
RecurrentWeights first_weights(const Sizes& sizes, DType dtype, Source source);

// Errors of constructors.
void check_sizes(const char* layer, Extent in, Extent hidden, DType dtype, Source source);
// An Error that says which state of which shape is expected; an empty one is made of zeros.
Tensor state_of(const char* layer, const char* what, const Tensor& given, const Shape& shape, DType dtype,
                Source source);

}  // namespace xgrad::nn::recurrent
