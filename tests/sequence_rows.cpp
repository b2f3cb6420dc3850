#include "sequence_rows.hpp"

#include "references/references.hpp"

namespace sequences {

using namespace xgrad;

namespace {

Tensors flat(const nn::RNN::Output& y) { return {y.output, y.hidden}; }
Tensors flat(const nn::GRU::Output& y) { return {y.output, y.hidden}; }
Tensors flat(const nn::LSTM::Output& y) { return {y.output, y.hidden, y.cell}; }

// A whole layer: of the sequences, then lengths where `lengths`, then states.
template <class L, class Options>
Row recurrent(const char* name, Options options, bool lengths = false, Size in = 3) {
  return {name, [=](DType dtype) mutable {
            options.dtype = dtype;
            return called(L(in, 4, options), [=](const L& layer, const Tensors& x) {
              const std::size_t state = lengths ? 2 : 1;
              const auto at = [&](std::size_t i) { return i < x.size() ? x[i] : Tensor(); };
              const Tensor n = lengths ? x[1] : Tensor();
              if constexpr (std::is_same_v<L, nn::LSTM>)
                return flat(layer(x[0], {.hidden = at(state), .cell = at(state + 1), .lengths = n}));
              else return flat(layer(x[0], {.hidden = at(state), .lengths = n}));
            });
          }};
}

template <class Cell, class Options>
Row cell(const char* name, Options options) {
  return {name, [=](DType dtype) mutable {
            options.dtype = dtype;
            return called(Cell(3, 4, options), [](const Cell& layer, const Tensors& x) -> Tensors {
              const auto at = [&](std::size_t i) { return i < x.size() ? x[i] : Tensor(); };
              if constexpr (std::is_same_v<Cell, nn::LSTMCell>) {
                const nn::LSTMState s = layer(x[0], {at(1), at(2)});
                return {s.hidden, s.cell};
              } else {
                return {layer(x[0], at(1))};
              }
            });
          }};
}

template <class F>
Row function(const char* name, F f) {
  return {name, [=](DType) {
            return called(Nothing(), [f](const Nothing&, const Tensors& x) -> Tensors { return {f(x)}; });
          }};
}

Row attention(const char* name, nn::ScaledDotProductOptions options, bool masked = false) {
  return function(name, [=](const Tensors& x) {
    nn::ScaledDotProductOptions o = options;
    if (masked) o.attn_mask = x[3];
    return nn::scaled_dot_product_attention(x[0], x[1], x[2], o);
  });
}

template <class F>
Row multihead(const char* name, Size heads, nn::MultiheadAttentionOptions options, F f) {
  return {name, [=](DType dtype) mutable {
            options.dtype = dtype;
            return called(nn::MultiheadAttention(6, heads, options),
                          [f](const nn::MultiheadAttention& layer, const Tensors& x) -> Tensors {
                            const nn::MultiheadAttention::Output y = f(layer, x);
                            return {y.output, y.weights};
                          });
          }};
}

template <class L, class F>
Row layer(const char* name, Size heads, nn::TransformerLayerOptions options, F f) {
  return {name, [=](DType dtype) mutable {
            options.dtype = dtype, options.dim_feedforward = 6, options.dropout = 0;
            return called(L(4, heads, options),
                          [f](const L& layer, const Tensors& x) -> Tensors { return {f(layer, x)}; });
          }};
}

std::vector<Row> make_rows() {
  std::vector<Row> rows;
  const auto add = [&](Row row) { rows.push_back(std::move(row)); };
  const nn::RNNOptions rnn;
  add(recurrent<nn::RNN>("RNN", rnn));
  add(recurrent<nn::RNN>("RNN unbatched", nn::RNNOptions{.batch_first = true}));
  add(recurrent<nn::RNN>("RNN deep", nn::RNNOptions{.num_layers = 2, .batch_first = true, .bidirectional = true}));
  add(recurrent<nn::RNN>("RNN no bias", nn::RNNOptions{.num_layers = 2, .bias = false}));
  add(recurrent<nn::RNN>("RNN lengths", rnn, true));
  add(recurrent<nn::RNN>("RNN deep lengths",
                         nn::RNNOptions{.num_layers = 2, .batch_first = true, .bidirectional = true}, true));
  add(recurrent<nn::RNN>("RNN relu", nn::RNNOptions{.nonlinearity = nn::RecurrentNonlinearity::relu}));
  add(recurrent<nn::GRU>("GRU", nn::GRUOptions{}));
  add(recurrent<nn::GRU>("GRU unbatched", nn::GRUOptions{.batch_first = true}));
  add(recurrent<nn::GRU>("GRU deep", nn::GRUOptions{.num_layers = 2, .batch_first = true, .bidirectional = true}));
  add(recurrent<nn::GRU>("GRU no bias", nn::GRUOptions{.num_layers = 2, .bias = false}));
  add(recurrent<nn::GRU>("GRU lengths", nn::GRUOptions{}, true));
  add(recurrent<nn::GRU>("GRU deep lengths",
                         nn::GRUOptions{.num_layers = 2, .batch_first = true, .bidirectional = true}, true));
  add(recurrent<nn::LSTM>("LSTM", nn::LSTMOptions{}));
  add(recurrent<nn::LSTM>("LSTM unbatched", nn::LSTMOptions{.batch_first = true}));
  add(recurrent<nn::LSTM>("LSTM deep", nn::LSTMOptions{.num_layers = 2, .batch_first = true, .bidirectional = true}));
  add(recurrent<nn::LSTM>("LSTM no bias", nn::LSTMOptions{.num_layers = 2, .bias = false}));
  add(recurrent<nn::LSTM>("LSTM lengths", nn::LSTMOptions{}, true));
  add(recurrent<nn::LSTM>("LSTM deep lengths",
                          nn::LSTMOptions{.num_layers = 2, .batch_first = true, .bidirectional = true}, true));
  add(recurrent<nn::LSTM>("LSTM projection", nn::LSTMOptions{.num_layers = 2, .bidirectional = true, .proj_size = 2}));

  add(cell<nn::RNNCell>("RNNCell", nn::RNNCellOptions{}));
  add(cell<nn::RNNCell>("RNNCell unbatched", nn::RNNCellOptions{.bias = false}));
  add(cell<nn::RNNCell>("RNNCell relu", nn::RNNCellOptions{.nonlinearity = nn::RecurrentNonlinearity::relu}));
  add(cell<nn::GRUCell>("GRUCell", nn::RecurrentCellOptions{}));
  add(cell<nn::GRUCell>("GRUCell unbatched", nn::RecurrentCellOptions{.bias = false}));
  add(cell<nn::LSTMCell>("LSTMCell", nn::RecurrentCellOptions{}));
  add(cell<nn::LSTMCell>("LSTMCell unbatched", nn::RecurrentCellOptions{.bias = false}));

  add(attention("attention", {}));
  add(attention("attention matrices", {}));
  add(attention("attention boolean", {}, true));
  add(attention("attention added", {}, true));
  add(attention("attention causal", {.is_causal = true}));
  add(attention("attention causal boolean", {.is_causal = true}, true));
  add(attention("attention scale", {.scale = 0.3}));

  using MHA = nn::MultiheadAttention;
  add(multihead("MHA", 2, {}, [](const MHA& m, const Tensors& x) { return m(x[0], x[0], x[0]); }));
  add(multihead("MHA three", 3, {.bias = false, .batch_first = true},
                [](const MHA& m, const Tensors& x) { return m(x[0], x[1], x[2]); }));
  add(multihead("MHA widths", 2, {.kdim = 5, .vdim = 3},
                [](const MHA& m, const Tensors& x) { return m(x[0], x[1], x[2], {.average_attn_weights = false}); }));
  add(multihead("MHA masks", 2, {.batch_first = true}, [](const MHA& m, const Tensors& x) {
    return m(x[0], x[1], x[1], {.key_padding_mask = x[2], .attn_mask = x[3]});
  }));
  add(multihead("MHA added", 2, {}, [](const MHA& m, const Tensors& x) {
    return m(x[0], x[1], x[1], {.attn_mask = x[2], .average_attn_weights = false});
  }));
  add(multihead("MHA unbatched", 2, {.batch_first = true},
                [](const MHA& m, const Tensors& x) { return m(x[0], x[1], x[1], {.key_padding_mask = x[2]}); }));
  add(multihead("MHA causal", 1, {},
                [](const MHA& m, const Tensors& x) { return m(x[0], x[0], x[0], {.is_causal = true}); }));

  using Encoder = nn::TransformerEncoderLayer;
  using Decoder = nn::TransformerDecoderLayer;
  constexpr auto gelu = nn::TransformerActivation::gelu;
  add(layer<Encoder>("encoder layer", 2, {}, [](const Encoder& m, const Tensors& x) { return m(x[0]); }));
  add(layer<Encoder>(
      "encoder layer pre-norm", 2,
      {.activation = gelu, .layer_norm_eps = 1e-3, .batch_first = true, .norm_first = true},
      [](const Encoder& m, const Tensors& x) { return m(x[0], {.src_key_padding_mask = x[1], .is_causal = true}); }));
  add(layer<Encoder>("encoder layer unbatched", 1, {.batch_first = true},
                     [](const Encoder& m, const Tensors& x) { return m(x[0]); }));
  add(layer<Decoder>("decoder layer", 2, {}, [](const Decoder& m, const Tensors& x) { return m(x[0], x[1]); }));
  add(layer<Decoder>("decoder layer pre-norm", 2, {.activation = gelu, .batch_first = true, .norm_first = true},
                     [](const Decoder& m, const Tensors& x) {
                       return m(x[0], x[1], {.memory_key_padding_mask = x[2], .tgt_is_causal = true});
                     }));
  add({"encoder", [](DType dtype) {
         const nn::TransformerLayerOptions options{.dim_feedforward = 6, .dropout = 0, .dtype = dtype};
         return called(nn::TransformerEncoder(Encoder(4, 2, options), 2, nn::LayerNorm({4}, {.dtype = dtype})),
                       [](const nn::TransformerEncoder& m, const Tensors& x) -> Tensors {
                         return {m(x[0], {.src_key_padding_mask = x[1]})};
                       });
       }});
  add({"decoder", [](DType dtype) {
         const nn::TransformerLayerOptions options{
             .dim_feedforward = 6, .dropout = 0, .batch_first = true, .dtype = dtype};
         return called(nn::TransformerDecoder(Decoder(4, 2, options), 2),
                       [](const nn::TransformerDecoder& m, const Tensors& x) -> Tensors {
                         return {m(x[0], x[1], {.tgt_mask = nn::generate_square_subsequent_mask(3, x[0].dtype())})};
                       });
       }});
  add({"transformer", [](DType dtype) {
         const nn::TransformerOptions options{.d_model = 4,
                                              .nhead = 2,
                                              .num_encoder_layers = 1,
                                              .num_decoder_layers = 2,
                                              .dim_feedforward = 6,
                                              .dropout = 0,
                                              .activation = gelu,
                                              .batch_first = true,
                                              .dtype = dtype};
         return called(nn::Transformer(options), [](const nn::Transformer& m, const Tensors& x) -> Tensors {
           return {
               m(x[0], x[1], {.src_key_padding_mask = x[2], .memory_key_padding_mask = x[2], .tgt_is_causal = true})};
         });
       }});
  add(function("rotary", [](const Tensors& x) { return nn::rotary_embedding(x[0]); }));
  add(function("rotary halves", [](const Tensors& x) {
    return nn::rotary_embedding(x[0], {.base = 500, .offset = 3, .interleaved = false});
  }));
  return rows;
}

}  // namespace

const std::vector<Row>& rows() {
  static const std::vector<Row> all = make_rows();
  return all;
}

}  // namespace sequences
