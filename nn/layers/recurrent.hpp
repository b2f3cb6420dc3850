// Recurrent layers: RNN, GRU and LSTM over whole sequences. Their cells, of one step, are in recurrent_cells.hpp.
#pragma once

#include <vector>

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// Of one layer in one direction; the rows are the gates, one after the other. PyTorch's names: layers[0].weight_ih is
// "weight_ih_l0" in a state dict, and that of the backward direction "weight_ih_l0_reverse".
struct RecurrentWeights {
  Parameter weight_ih, weight_hh;  // [gates hidden, in], [gates hidden, hidden]
  Parameter bias_ih, bias_hh;      // [gates hidden]; empty without bias
  Parameter weight_hr;             // [projection, hidden]; empty without projection
};

// What RNN, GRU and LSTM have in common: weights and sizes.
struct Recurrent {
  std::vector<RecurrentWeights> layers;  // of layer k: layers[k], or layers[2 k] and layers[2 k + 1] of both directions
  Size input_size = 0, hidden_size = 0, proj_size = 0, num_layers = 0;
  double dropout = 0;  // of each layer's output but the last one's, while training
  bool bidirectional = false, batch_first = false, training = true;

  void xgrad_walk(const Path& path, Walker& to);
};

enum class RecurrentNonlinearity { tanh, relu };
struct RNNOptions {
  Size num_layers = 1;
  RecurrentNonlinearity nonlinearity = RecurrentNonlinearity::tanh;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  DType dtype = default_dtype();
};
struct GRUOptions {
  Size num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  DType dtype = default_dtype();
};
struct LSTMOptions {
  Size num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  Size proj_size = 0;  // hidden states are projected to so many numbers (Sak et al. 2014); 0: they are not
  DType dtype = default_dtype();
};

// What a call may be given beside the sequences.
struct SequenceOptions {
  Tensor hidden = {};   // to begin with, [layers directions, batch, hidden]; empty: 0
  Tensor lengths = {};  // i64 [batch]: how much of each sequence counts. Empty: all
};
struct LSTMSequenceOptions {
  Tensor hidden = {}, cell = {};
  Tensor lengths = {};
};

// All three: x is [time, batch, in], or [batch, time, in] with batch_first, or [time, in] for one sequence without a batch.
// `output` has the last layer's state at each step, forwards and backwards side by side: [time, batch, directions hidden], laid
// out as x. `hidden` (`cell`) is each layer's state after the last step, [layers directions, batch, hidden], whatever batch_first
// says; [layers directions, hidden] without a batch.
//
// With lengths, in any order and 0 too, a sequence's state stops after its last step, the backward direction begins there, and
// `output` is 0 past it: what pack_padded_sequence and pad_packed_sequence are for in PyTorch. What the padding holds
// reaches neither results nor gradients, unless it is NaN or infinite.
//
// Weights and biases start uniform in +-1 / sqrt(hidden), as PyTorch's.

// Elman 1990:  h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu
struct RNN : Recurrent {
  RecurrentNonlinearity nonlinearity = RecurrentNonlinearity::tanh;
  struct Output {
    Tensor output, hidden;
  };

  RNN() = default;  // empty, until one with sizes is assigned
  RNN(Extent in, Extent hidden, RNNOptions options = {}, Source source = Source::here());
  Output operator()(In x, const SequenceOptions& options = {}) const;
};

// Cho et al. 2014; the reset gate after the product, as in cuDNN and PyTorch:
//   r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
//   n = tanh(W_in x + b_in + r (W_hn h + b_hn))   h' = (1 - z) n + z h
struct GRU : Recurrent {
  struct Output {
    Tensor output, hidden;
  };

  GRU() = default;
  GRU(Extent in, Extent hidden, GRUOptions options = {}, Source source = Source::here());
  Output operator()(In x, const SequenceOptions& options = {}) const;
};

// Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000:
//   i, f, o = sigmoid(W_i x + b_i + W_h h + b_h) of each, g = tanh of its own     c' = f c + i g    h' = o tanh(c')
struct LSTM : Recurrent {
  struct Output {
    Tensor output, hidden, cell;
  };

  LSTM() = default;
  LSTM(Extent in, Extent hidden, LSTMOptions options = {}, Source source = Source::here());
  Output operator()(In x, const LSTMSequenceOptions& options = {}) const;
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
