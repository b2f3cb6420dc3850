#include <xgrad/nn/layers/recurrent_cells.hpp>

#include <fmt/core.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "nn/layers/recurrent_steps.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {

using recurrent::State;
using recurrent::Values;

namespace {

template <class Cell>
void make(Cell& cell, const char* name, Extent in, Extent hidden, Size gates, bool bias, DType dtype, Source source) {
  recurrent::check_sizes(name, in, hidden, dtype, source);
  const Located at(source, name);
  const LayerStream first;
  RecurrentWeights w = recurrent::first_weights({in.value, hidden.value, gates, 0, bias}, dtype, source);
  cell.weight_ih = std::move(w.weight_ih), cell.weight_hh = std::move(w.weight_hh);
  cell.bias_ih = std::move(w.bias_ih), cell.bias_hh = std::move(w.bias_hh);
}

// step(input, before, values) for a batch, or for one without a batch.
template <class Cell, class Step>
State run(const Cell& cell, const char* name, const In& in, const State& given, bool has_cell, const Step& step) {
  Tensor x = input_of(name, in, cell.weight_ih);
  const Source source = line_of(in);
  const Shape shape = x.shape();
  const Size wanted = cell.weight_ih.shape()[1], hidden = cell.weight_hh.shape()[1];
  if ((shape.rank() != 1 && shape.rank() != 2) || shape.back() != wanted)
    fail(source.named(name), "expected [batch, {}] or [{}], got the shape {}", wanted, wanted, shape);
  const bool batched = shape.rank() == 2;
  const Shape state = batched ? Shape{shape[0], hidden} : Shape{hidden};
  State before{recurrent::state_of(name, "a hidden state", given.hidden, state, x.dtype(), source),
               has_cell ? recurrent::state_of(name, "a cell state", given.cell, state, x.dtype(), source) : Tensor()};
  if (!batched) {
    x = unsqueeze(x, 0), before.hidden = unsqueeze(before.hidden, 0);
    if (has_cell) before.cell = unsqueeze(before.cell, 0);
  }
  Values values(cell.weight_ih, transpose(cell.weight_hh), cell.bias_ih, cell.bias_hh);
  State after = step(x, before, values);
  if (!batched) {
    after.hidden = squeeze(after.hidden, 0);
    if (has_cell) after.cell = squeeze(after.cell, 0);
  }
  noted(cell.weight_ih, after.hidden);
  return after;
}

}  // namespace

RNNCell::RNNCell(Extent in, Extent hidden, RNNCellOptions options, Source source) : nonlinearity(options.nonlinearity) {
  make(*this, "RNNCell", in, hidden, recurrent::rnn_gates, options.bias, options.dtype, source);
}
GRUCell::GRUCell(Extent in, Extent hidden, RecurrentCellOptions options, Source source) {
  make(*this, "GRUCell", in, hidden, recurrent::gru_gates, options.bias, options.dtype, source);
}
LSTMCell::LSTMCell(Extent in, Extent hidden, RecurrentCellOptions options, Source source) {
  make(*this, "LSTMCell", in, hidden, recurrent::lstm_gates, options.bias, options.dtype, source);
}

Tensor RNNCell::operator()(In x, const Tensor& hidden) const {
  const Located at(x, "RNNCell");
  return run(*this, "RNNCell", x, {hidden, {}}, false,
             [&](const Tensor& input, const State& before, Values& w) {
               return recurrent::rnn_step(recurrent::rnn_input(input, input.size(0), w), before, w, nonlinearity);
             })
      .hidden;
}

Tensor GRUCell::operator()(In x, const Tensor& hidden) const {
  const Located at(x, "GRUCell");
  return run(*this, "GRUCell", x, {hidden, {}}, false,
             [](const Tensor& input, const State& before, Values& w) {
               return recurrent::gru_step(recurrent::gru_input(input, input.size(0), w), before, w);
             })
      .hidden;
}

LSTMState LSTMCell::operator()(In x, const LSTMState& before) const {
  const Located at(x, "LSTMCell");
  const State after = run(*this, "LSTMCell", x, {before.hidden, before.cell}, true,
                          [](const Tensor& input, const State& state, Values& w) {
                            return recurrent::lstm_step(recurrent::lstm_input(input, input.size(0), w), state, w);
                          });
  return {after.hidden, after.cell};
}

}  // namespace xgrad::nn
