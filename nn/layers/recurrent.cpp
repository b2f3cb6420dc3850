#include <xgrad/nn/layers/recurrent.hpp>

#include <fmt/core.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/autodiff/vmap.hpp>
#include <xgrad/nn/layers/activations.hpp>
#include "nn/layers/recurrent_steps.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {

using recurrent::State;
using recurrent::Values;

void Recurrent::xgrad_walk(const Path& path, Walker& to) {
  const std::size_t directions = bidirectional ? 2 : 1;
  for (std::size_t k = 0; k < layers.size(); ++k) {
    RecurrentWeights& w = layers[k];
    const std::string suffix = fmt::format("_l{}{}", k / directions, k % directions ? "_reverse" : "");
    const std::pair<const char*, Parameter*> fields[] = {{"weight_ih", &w.weight_ih},
                                                         {"weight_hh", &w.weight_hh},
                                                         {"bias_ih", &w.bias_ih},
                                                         {"bias_hh", &w.bias_hh},
                                                         {"weight_hr", &w.weight_hr}};
    for (const auto& [field, parameter] : fields) {
      const std::string name = field + suffix;
      if (parameter->defined()) to.parameter(Path{&path, name}, *parameter);
    }
  }
}

namespace {

template <class Options>
void make(Recurrent& layer, const char* name, Extent in, Extent hidden, Size gates, Size projection, const Options& o,
          Source source) {
  recurrent::check_sizes(name, in, hidden, o.dtype, source);
  if (o.num_layers < 1) fail(source.named(name), "expected num_layers of at least 1, got {}", o.num_layers);
  if (!(o.dropout >= 0 && o.dropout <= 1)) fail(source.named(name), "expected a dropout in [0, 1], got {}", o.dropout);
  if (projection < 0 || (projection > 0 && projection >= hidden.value))
    fail(source.named(name), "expected a proj_size below the hidden size of {}, or 0 for none, got {}", hidden.value,
         projection);
  const Located at(source, name);
  const LayerStream first;
  layer.input_size = in.value, layer.hidden_size = hidden.value, layer.proj_size = projection,
  layer.num_layers = o.num_layers;
  layer.dropout = o.dropout, layer.bidirectional = o.bidirectional, layer.batch_first = o.batch_first;
  const Size directions = o.bidirectional ? 2 : 1, shown = projection > 0 ? projection : hidden.value;
  for (Size k = 0; k < o.num_layers; ++k)
    for (Size d = 0; d < directions; ++d)
      layer.layers.push_back(recurrent::first_weights(
          {k == 0 ? in.value : directions * shown, hidden.value, gates, projection, o.bias}, o.dtype, source));
}

// One call of a layer: what it was given, checked.
struct Call {
  const Recurrent& layer;
  const char* name;
  Source source;
  Tensor x;  // with a batch
  int time;  // the axis of x that counts the steps
  bool batched;
  Size steps, batch;
  Tensor lengths;  // [batch, 1], or empty

  Call(const Recurrent& recurrent, const char* layer_name, const In& in, const Tensor& given_lengths)
      : layer(recurrent), name(layer_name), source(line_of(in)) {
    x = input_of(name, in, layer.layers.empty() ? Tensor() : layer.layers[0].weight_ih.value());
    const Shape shape = x.shape();
    const char* axes = layer.batch_first ? "[batch, time, in] or [time, in]" : "[time, batch, in] or [time, in]";
    if ((shape.rank() != 2 && shape.rank() != 3) || shape.back() != layer.input_size)
      fail(source.named(name), "expected {} with {} numbers along the last axis, got the shape {}", axes,
           layer.input_size, shape);
    batched = shape.rank() == 3;
    time = batched && layer.batch_first ? 1 : 0;
    steps = shape[time];
    batch = batched ? shape[1 - time] : 1;
    if (steps == 0) fail(source.named(name), "expected a step at least, got the shape {}", shape);
    if (!batched) x = unsqueeze(x, 1);
    if (given_lengths.defined()) take(given_lengths);
  }

  void take(const Tensor& given) {
    const Shape wanted = batched ? Shape{batch} : Shape{};
    if (given.shape() != wanted || given.dtype() != i64)
      fail(source.named(name), "expected lengths as i64 of the shape {}, got {} {}", wanted, xgrad::name(given.dtype()),
           given.shape());
    if (!is_example(given)) {
      const std::vector<Size> each = given.to_vector<Size>(source);
      for (std::size_t i = 0; i < each.size(); ++i)
        if (each[i] < 0 || each[i] > steps)
          fail(source.named(name), "expected lengths from 0 to {}, the steps, got {} at position {}", steps, each[i],
               i);
    }
    lengths = reshape(given, {batch, 1});
  }

  // [layers directions, batch, size] of what was given, or zeros.
  Tensor first_state(const char* what, const Tensor& given, Size size) const {
    const Size count = static_cast<Size>(layer.layers.size());
    const Shape shape = batched ? Shape{count, batch, size} : Shape{count, size};
    const Tensor state = recurrent::state_of(name, what, given, shape, x.dtype(), source);
    return batched ? state : unsqueeze(state, 1);
  }
};

struct Result {
  Tensor output, hidden, cell;
};

// The transpose, with its numbers in that order: products of a few rows read it in half of the time, and all steps do.
Tensor laid_out(const Tensor& weight) {
  const Tensor turned = transpose(weight);
  return reshape(reshape(turned, {-1}), turned.shape());
}

// One layer in one direction over all steps: the states, and the last one. With lengths a state stays as it is from its
// sequence's end on; backwards it stays what it begins with until that end is met.
template <class Step>
State over_steps(const Call& call, const Tensor& input, State state, bool backwards, const Step& step,
                 Tensors& states) {
  std::vector<Tensor> shown(static_cast<std::size_t>(call.steps));
  for (Size i = 0; i < call.steps; ++i) {
    const Size t = backwards ? call.steps - 1 - i : i;
    State next = step(select(input, call.time, t), state);
    Tensor& here = shown[static_cast<std::size_t>(t)];
    if (call.lengths.defined()) {
      const Tensor counts = call.lengths > t;
      here = where(counts, next.hidden, 0.0);
      next.hidden = where(counts, next.hidden, state.hidden);
      if (next.cell.defined()) next.cell = where(counts, next.cell, state.cell);
    } else {
      here = next.hidden;
    }
    state = std::move(next);
  }
  states = Tensors(shown);
  return state;
}

// All layers, each over all steps in both directions. input_part and step are the formulas of recurrent_steps.hpp.
template <class InputPart, class Step>
Result run(const Call& call, const Tensor& hidden, const Tensor& cell, const InputPart& input_part, const Step& step) {
  const Recurrent& layer = call.layer;
  const Size directions = layer.bidirectional ? 2 : 1;
  Tensor x = call.x;
  Tensors last_hidden, last_cell;
  for (Size k = 0; k < layer.num_layers; ++k) {
    Tensors sides;
    for (Size d = 0; d < directions; ++d) {
      const Size i = k * directions + d;
      const RecurrentWeights& w = layer.layers[static_cast<std::size_t>(i)];
      Values values(w.weight_ih, laid_out(w.weight_hh), w.bias_ih, w.bias_hh, w.weight_hr);
      Tensors states;
      const State last = over_steps(
          call, input_part(x, call.batch, values), {hidden[i], cell.defined() ? cell[i] : Tensor()}, d == 1,
          [&](const Tensor& input, const State& before) { return step(input, before, values); }, states);
      sides.push_back(stack(states, call.time, call.source));
      last_hidden.push_back(last.hidden);
      if (cell.defined()) last_cell.push_back(last.cell);
    }
    x = directions == 1 ? sides[0] : concat(sides, 2, call.source);
    if (layer.training && layer.dropout > 0 && k + 1 < layer.num_layers) x = dropout(x, layer.dropout);
  }
  Result y{x, stack(last_hidden, 0, call.source), cell.defined() ? stack(last_cell, 0, call.source) : Tensor()};
  if (!call.batched) {
    y.output = squeeze(y.output, 1), y.hidden = squeeze(y.hidden, 1);
    if (cell.defined()) y.cell = squeeze(y.cell, 1);
  }
  noted(layer.layers[0].weight_ih, y.output);
  return y;
}

}  // namespace

RNN::RNN(Extent in, Extent hidden, RNNOptions options, Source source) : nonlinearity(options.nonlinearity) {
  make(*this, "RNN", in, hidden, recurrent::rnn_gates, 0, options, source);
}
GRU::GRU(Extent in, Extent hidden, GRUOptions options, Source source) {
  make(*this, "GRU", in, hidden, recurrent::gru_gates, 0, options, source);
}
LSTM::LSTM(Extent in, Extent hidden, LSTMOptions options, Source source) {
  make(*this, "LSTM", in, hidden, recurrent::lstm_gates, options.proj_size, options, source);
}

RNN::Output RNN::operator()(In x, const SequenceOptions& options) const {
  const Located at(x, "RNN");
  const Call call(*this, "RNN", x, options.lengths);
  const auto step = [&](const Tensor& input, const State& before, const Values& w) {
    return recurrent::rnn_step(input, before, w, nonlinearity);
  };
  const Result y =
      run(call, call.first_state("a hidden state", options.hidden, hidden_size), {}, recurrent::rnn_input, step);
  return {y.output, y.hidden};
}

GRU::Output GRU::operator()(In x, const SequenceOptions& options) const {
  const Located at(x, "GRU");
  const Call call(*this, "GRU", x, options.lengths);
  const Result y = run(call, call.first_state("a hidden state", options.hidden, hidden_size), {}, recurrent::gru_input,
                       recurrent::gru_step);
  return {y.output, y.hidden};
}

LSTM::Output LSTM::operator()(In x, const LSTMSequenceOptions& options) const {
  const Located at(x, "LSTM");
  const Call call(*this, "LSTM", x, options.lengths);
  const Tensor hidden = call.first_state("a hidden state", options.hidden, proj_size > 0 ? proj_size : hidden_size);
  const Tensor cell = call.first_state("a cell state", options.cell, hidden_size);
  const Result y = run(call, hidden, cell, recurrent::lstm_input, recurrent::lstm_step);
  return {y.output, y.hidden, y.cell};
}

}  // namespace xgrad::nn
