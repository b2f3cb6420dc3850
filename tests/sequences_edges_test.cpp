// Recurrent layers, attention and transformers at the edges: odd shapes, padding, masks of everything, modes, bad input.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>

#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;

namespace {

// A layer of sequences: x [batch, time, 3], lengths or none -> output [batch, time, any]. One layer is a row here.
struct Row {
  const char* name;
  std::function<Tensor(const Tensor& x, const Tensor& lengths)> call;
};

// Which steps are padding, for masks.
Tensor padding(const Tensor& lengths, Size steps) {
  return lengths.defined() ? reshape(arange(steps), {1, steps}) >= unsqueeze(lengths, -1) : Tensor();
}

std::vector<Row> rows() {
  std::vector<Row> list;
  const auto recurrent = [&](const char* name, auto layer) {
    list.push_back({name, [layer](const Tensor& x, const Tensor& n) { return layer(x, {.lengths = n}).output; }});
  };
  recurrent("RNN", nn::RNN(3, 4, {.num_layers = 2, .batch_first = true, .dtype = f64}));
  recurrent("GRU", nn::GRU(3, 4, {.num_layers = 2, .batch_first = true, .bidirectional = true, .dtype = f64}));
  recurrent("LSTM", nn::LSTM(3, 4, {.num_layers = 2, .batch_first = true, .bidirectional = true, .dtype = f64}));
  recurrent("LSTM with a projection", nn::LSTM(3, 4, {.batch_first = true, .proj_size = 2, .dtype = f64}));
  const nn::MultiheadAttention attention(3, 3, {.batch_first = true, .dtype = f64});
  list.push_back({"MultiheadAttention", [=](const Tensor& x, const Tensor& n) {
                    return attention(x, x, x,
                                     {.key_padding_mask = n.defined() && x.dim() == 2 ? padding(n, x.size(0))[0]
                                                                                      : padding(n, x.size(-2))})
                        .output;
                  }});
  for (const bool first : {false, true}) {
    const nn::TransformerEncoderLayer layer(
        3, 1, {.dim_feedforward = 5, .dropout = 0, .batch_first = true, .norm_first = first, .dtype = f64});
    list.push_back({"TransformerEncoderLayer", [=](const Tensor& x, const Tensor& n) {
                      return layer(x, {.src_key_padding_mask = padding(n, x.size(-2))});
                    }});
  }
  const nn::TransformerDecoderLayer decoder(3, 3,
                                            {.dim_feedforward = 5, .dropout = 0, .batch_first = true, .dtype = f64});
  list.push_back({"TransformerDecoderLayer", [=](const Tensor& x, const Tensor& n) {
                    const Tensor out = padding(n, x.size(-2));
                    return decoder(x, 0.5 * x, {.tgt_key_padding_mask = out, .memory_key_padding_mask = out});
                  }});
  return list;
}

bool finite(const Tensor& x) { return all(isfinite(x)).item() != 0; }

}  // namespace

BOOST_AUTO_TEST_CASE(odd_shapes) {
  manual_seed(1);
  for (const Row& row : rows())
    BOOST_TEST_CONTEXT(row.name) {
      const Tensor x = randn({3, 5, 3}, f64), y = row.call(x, {});
      const Size width = y.size(2);
      BOOST_TEST((y.shape() == Shape{3, 5, width}));
      for (Size i = 0; i < 3; ++i) {  // of a batch, of a batch of one, without a batch
        BOOST_TEST(allclose(row.call(slice(x, 0, i, i + 1), {})[0], y[i], 1e-12, 1e-12));
        BOOST_TEST(allclose(row.call(x[i], {}), y[i], 1e-12, 1e-12));
      }
      const Parameter none(zeros({0, 5, 3}, f64));
      const Tensor of_none = row.call(none, {});
      BOOST_TEST((of_none.shape() == Shape{0, 5, width}));
      BOOST_TEST((grad(sum(of_none), {none})[0].shape() == none.shape()));
      const Parameter one(randn({3, 1, 3}, f64));
      BOOST_TEST((row.call(one, {}).shape() == Shape{3, 1, width}));
      BOOST_TEST(finite(grad(sum(square(row.call(one, {}))), {one})[0]));
    }
}

// A sequence in a batch of padded ones is what it is alone, and what is in the padding is nothing to it.
BOOST_AUTO_TEST_CASE(padding_does_not_count) {
  manual_seed(2);
  const std::vector<Size> each{5, 2, 4, 1};
  for (const Row& row : rows())
    BOOST_TEST_CONTEXT(row.name) {
      const Parameter x(randn({4, 5, 3}, f64));
      const Tensor lengths = tensor(each), y = row.call(x, lengths);
      const Tensor other = where(unsqueeze(padding(lengths, 5), 2), 77.0, x), z = row.call(other, lengths);
      for (Size i = 0; i < 4; ++i) {
        const Size n = each[static_cast<std::size_t>(i)];
        const Tensor own = slice(y[i], 0, 0, n);
        BOOST_TEST(allclose(own, row.call(slice(x.value()[i], 0, 0, n), {}), 1e-12, 1e-12));
        BOOST_TEST(helpers::same_bits(own, slice(z[i], 0, 0, n)));
        const Tensor g = grad(sum(square(own)), {x})[0];
        BOOST_TEST(sum(abs(slice(g[i], 0, n))).item() == 0);
      }
    }
}

BOOST_AUTO_TEST_CASE(lengths_of_nothing_keep_the_first_state) {
  manual_seed(3);
  const nn::LSTM lstm(3, 4, {.bidirectional = true, .dtype = f64});
  const Tensor x = randn({5, 2, 3}, f64), h = randn({2, 2, 4}, f64), c = randn({2, 2, 4}, f64);
  const nn::LSTM::Output y = lstm(x, {.hidden = h, .cell = c, .lengths = tensor({0, 3})});
  for (Size d = 0; d < 2; ++d) {
    BOOST_TEST(helpers::same_bits(y.hidden[d][0], h[d][0]));
    BOOST_TEST(helpers::same_bits(y.cell[d][0], c[d][0]));
  }
  BOOST_TEST(sum(abs(select(y.output, 1, 0))).item() == 0);
  BOOST_TEST(sum(abs(slice(y.output, 0, 3))).item() == 0);
  BOOST_TEST(!allclose(y.hidden[0][1], h[0][1]));
}

// A query that may see no key: 0, or the bias of the last projection, and gradients of 0; the others are as they would be.
BOOST_AUTO_TEST_CASE(a_row_that_is_masked_all_over_is_zero) {
  manual_seed(4);
  for (const DType dtype : {f32, f64}) {
    const Parameter q(randn({2, 3, 4}, dtype)), k(randn({2, 5, 4}, dtype)), v(randn({2, 5, 4}, dtype));
    const Tensor allowed = arange(3) != 1;
    const Tensor by_boolean = logical_and(unsqueeze(allowed, 1), ones({3, 5}, boolean));
    const Tensor by_floats =
        where(by_boolean, zeros({}, dtype), full({}, -std::numeric_limits<double>::infinity(), dtype));
    const Tensor free = nn::scaled_dot_product_attention(q, k, v);
    for (const Tensor& mask : {by_boolean, by_floats}) {
      const Tensor y = nn::scaled_dot_product_attention(q, k, v, {.attn_mask = mask});
      BOOST_TEST(sum(abs(select(y, 1, 1))).item() == 0);
      for (const Size i : {0, 2}) BOOST_TEST(helpers::same_bits(select(y, 1, i), select(free, 1, i)));
      const Tensors g = grad(sum(square(y)), {q, k, v});
      for (const Tensor& each : g) BOOST_TEST(finite(each));
      BOOST_TEST(sum(abs(select(g[0], 1, 1))).item() == 0);
      BOOST_TEST(sum(abs(select(g[0], 1, 0))).item() > 0);
    }
    nn::MultiheadAttention layer(4, 2, {.batch_first = true, .dtype = dtype});
    nn::init::normal(layer.out_proj.bias);
    const Tensor all_out = logical_and(ones({2, 5}, boolean), unsqueeze(tensor({1, 0}) == 1, 1));
    const auto y = layer(q, k, v, {.key_padding_mask = all_out});
    for (Size i = 0; i < 3; ++i) BOOST_TEST(helpers::same_bits(y.output[0][i], layer.out_proj.bias.value()));
    BOOST_TEST(sum(abs(y.weights[0])).item() == 0);
    BOOST_TEST(allclose(sum(y.weights[1], -1), ones({3}, dtype)));
    for (const Tensor& g : grad(sum(square(y.output)), nn::parameters(layer))) BOOST_TEST(finite(g));
  }
}

BOOST_AUTO_TEST_CASE(masks_of_both_kinds_say_the_same) {
  manual_seed(5);
  const Tensor x = randn({4, 6}, f64);
  const Tensor causal = nn::scaled_dot_product_attention(x, x, x, {.is_causal = true});
  const Tensor added = nn::generate_square_subsequent_mask(4, f64);
  BOOST_TEST(helpers::same_bits(causal, nn::scaled_dot_product_attention(x, x, x, {.attn_mask = added})));
  BOOST_TEST(helpers::same_bits(causal, nn::scaled_dot_product_attention(x, x, x, {.attn_mask = added == 0})));
  const nn::MultiheadAttention layer(6, 2, {.dtype = f64});
  const Tensor wanted = layer(x, x, x, {.is_causal = true}).output;
  BOOST_TEST(helpers::same_bits(wanted, layer(x, x, x, {.attn_mask = added}).output));
  BOOST_TEST(helpers::same_bits(wanted, layer(x, x, x, {.attn_mask = added != 0}).output));  // true keeps out, here
  BOOST_TEST(
      allclose(wanted, layer(x, 1.0 * x, 1.0 * x, {.is_causal = true}).output, 1e-13));  // three products, not one
}

// Dropout acts while training, anew each time, and never otherwise.
BOOST_AUTO_TEST_CASE(modes) {
  manual_seed(6);
  const Tensor x = randn({4, 7, 8});
  const auto check = [&](const char* name, auto layer, auto call) {
    BOOST_TEST_CONTEXT(name) {
      const Tensor y = call(layer);
      BOOST_TEST(!allclose(y, call(layer)));
      nn::eval(layer);
      const Tensor still = call(layer);
      BOOST_TEST(helpers::same_bits(still, call(layer)));
      nn::train(layer);
      Tensor mean_of = zeros_like(still);
      for (int i = 0; i < 2000; ++i) mean_of = evaluate(mean_of + call(layer) / 2000);
      BOOST_TEST(mean(abs(mean_of - still)).item() < 0.1 * mean(abs(still)).item());
    }
  };
  check("GRU", nn::GRU(8, 5, {.num_layers = 2, .dropout = 0.1}), [&](const nn::GRU& layer) { return layer(x).output; });
  check("MultiheadAttention", nn::MultiheadAttention(8, 2, {.dropout = 0.1}),
        [&](const nn::MultiheadAttention& layer) { return layer(x, x, x).output; });
  check("TransformerEncoderLayer", nn::TransformerEncoderLayer(8, 2, {.dim_feedforward = 8}),
        [&](const auto& layer) { return layer(x); });
  check("TransformerDecoderLayer", nn::TransformerDecoderLayer(8, 2, {.dim_feedforward = 8}),
        [&](const auto& layer) { return layer(x, x); });
  check("PositionalEncoding", nn::PositionalEncoding(8, {.max_len = 20}), [&](const auto& layer) { return layer(x); });
  nn::LSTM one(8, 5, {.dropout = 0.9});  // between layers, of which there is one
  BOOST_TEST(helpers::same_bits(one(x).output, one(x).output));
}

BOOST_AUTO_TEST_CASE(first_weights) {
  manual_seed(7);
  const auto inside = [](const Tensor& w, double bound) {
    const double greatest = amax(abs(w)).item();
    return greatest <= bound && (w.numel() < 100 || greatest > 0.9 * bound);
  };
  nn::GRU gru(30, 25, {.num_layers = 2, .bidirectional = true});
  BOOST_TEST(gru.layers.size() == 4u);
  for (const auto& p : nn::parameters(gru)) BOOST_TEST(inside(p.value(), 0.2), p.name);
  nn::MultiheadAttention attention(32, 4, {.kdim = 16});
  BOOST_TEST(inside(attention.q_proj_weight, std::sqrt(6.0 / 64)));
  BOOST_TEST(inside(attention.k_proj_weight, std::sqrt(6.0 / 48)));
  BOOST_TEST(inside(attention.out_proj.weight, std::sqrt(1.0 / 32)));
  BOOST_TEST(amax(abs(attention.in_proj_bias)).item() == 0);
  BOOST_TEST(amax(abs(attention.out_proj.bias)).item() == 0);
  BOOST_TEST(inside(nn::MultiheadAttention(32, 4).in_proj_weight, std::sqrt(6.0 / 128)));
  const nn::Transformer both(
      {.d_model = 32, .nhead = 2, .num_encoder_layers = 2, .num_decoder_layers = 1, .dim_feedforward = 16});
  BOOST_TEST(inside(both.encoder.layers[1].linear1.weight, std::sqrt(6.0 / 48)));
  BOOST_TEST(!allclose(both.encoder.layers[0].linear1.weight, both.encoder.layers[1].linear1.weight));
}

BOOST_AUTO_TEST_CASE(positions_are_added) {
  const Tensor x = zeros({3, 2, 4}, f64);
  const nn::PositionalEncoding encoding(4, {.dropout = 0, .max_len = 9});
  const nn::PositionalEncoding batch_first(4, {.dropout = 0, .max_len = 9, .batch_first = true});
  const Tensor table = nn::sinusoidal_positions(3, 4, f64);
  for (Size i = 0; i < 2; ++i) BOOST_TEST(helpers::same_bits(select(encoding(x), 1, i), table));
  BOOST_TEST(helpers::same_bits(batch_first(transpose(x, 0, 1))[1], table));
  BOOST_TEST(helpers::same_bits(encoding(select(x, 1, 0)), table));
  nn::LearnedPositions learned(9, 4, {.dtype = f64});
  BOOST_TEST(helpers::same_bits(select(learned(x), 1, 1), slice(learned.weight, 0, 0, 3)));
  sum(learned(x)).backward();
  BOOST_TEST(sum(learned.weight.grad()).item() == 24);
  BOOST_TEST(helpers::same_bits(encoding(zeros({3, 4})), cast(table, f32)));
  BOOST_TEST(nn::state_dict(encoding).empty());
}

// What depends on the distance alone: products of what was turned.
BOOST_AUTO_TEST_CASE(rotary_products_depend_on_the_distance) {
  manual_seed(8);
  const Tensor q = expand(randn({1, 6}, f64), {9, 6}), k = expand(randn({1, 6}, f64), {9, 6});
  for (const bool interleaved : {true, false}) {
    const Tensor products = matmul(nn::rotary_embedding(q, {.interleaved = interleaved}),
                                   transpose(nn::rotary_embedding(k, {.interleaved = interleaved})));
    BOOST_TEST(allclose(slice(slice(products, 0, 1), 1, 1), slice(slice(products, 0, 0, 8), 1, 0, 8), 1e-12));
    const Tensor all_of = nn::rotary_embedding(q, {.interleaved = interleaved});
    BOOST_TEST(allclose(slice(all_of, 0, 4),
                        nn::rotary_embedding(slice(q, 0, 4), {.offset = 4, .interleaved = interleaved}), 1e-12));
  }
}

BOOST_AUTO_TEST_CASE(in_models) {
  nn::Sequential stack_of{nn::Linear(3, 4), nn::TransformerEncoderLayer(4, 2, {.dim_feedforward = 5, .dropout = 0}),
                          nn::PositionalEncoding(4), nn::Linear(4, 1)};
  BOOST_TEST((stack_of(ones({5, 2, 3})).shape() == Shape{5, 2, 1}));
  nn::Sequential layer{nn::TransformerEncoderLayer(4, 2)};
  const int here = __LINE__ + 1;
  const std::string line = references::error_of([&] { layer(ones({5, 2, 3})); });
  BOOST_TEST(
      line.find(fmt::format("sequences_edges_test.cpp:{}: [TransformerEncoderLayer]", here)) != std::string::npos,
      line);
  nn::LSTM empty;
  BOOST_TEST(nn::parameters(empty).empty());
  empty = nn::LSTM(3, 4);
  BOOST_TEST(nn::parameter_count(empty) == 4 * 4 * (3 + 4 + 2));
  const nn::LSTM best = empty;
  for (const auto& p : nn::parameters(empty)) p.assign(p.value() + 1);
  BOOST_TEST(!allclose(best.layers[0].weight_ih, empty.layers[0].weight_ih));
  const Parameters known = nn::parameters(empty);
  empty = best;  // into the same variables
  BOOST_TEST(allclose(best.layers[0].weight_ih, known[0].value()));
}

BOOST_AUTO_TEST_CASE(bad_input) {
  const Tensor x = ones({5, 2, 3});
  const nn::LSTM lstm(3, 4), empty;
  CHECK_ERROR(
      lstm(ones({5, 2, 4})),
      "[LSTM] expected [time, batch, in] or [time, in] with 3 numbers along the last axis, got the shape (5, 2, 4)");
  CHECK_ERROR(lstm(ones({3})), "[LSTM] expected [time, batch, in]");
  CHECK_ERROR(lstm(ones({0, 2, 3})), "[LSTM] expected a step at least");
  CHECK_ERROR(lstm(ones({5, 2, 3}, i64)), "[LSTM] expected floats, got i64");
  CHECK_ERROR(lstm(Tensor()), "[LSTM] expected numbers, got an empty tensor");
  CHECK_ERROR(empty(x), "[LSTM] this layer has no weight");
  CHECK_ERROR(lstm(x, {.hidden = ones({2, 4})}), "[LSTM] expected a hidden state of the shape (1, 2, 4), got (2, 4)");
  CHECK_ERROR(lstm(x, {.cell = ones({1, 2, 5})}), "[LSTM] expected a cell state of the shape (1, 2, 4)");
  CHECK_ERROR(lstm(x, {.lengths = tensor({5, 6})}),
              "[LSTM] expected lengths from 0 to 5, the steps, got 6 at position 1");
  CHECK_ERROR(lstm(x, {.lengths = tensor({5, -1})}), "got -1 at position 1");
  CHECK_ERROR(lstm(x, {.lengths = ones({2})}), "[LSTM] expected lengths as i64 of the shape (2,), got f32 (2,)");
  CHECK_ERROR(lstm(x, {.lengths = tensor({5})}), "got i64 (1,)");
  CHECK_ERROR(nn::GRU(0, 4), "[GRU] expected sizes of at least 1, got 0 -> 4");
  CHECK_ERROR(nn::GRU(3, 4, {.num_layers = 0}), "[GRU] expected num_layers of at least 1");
  CHECK_ERROR(nn::GRU(3, 4, {.dropout = 1.5}), "[GRU] expected a dropout in [0, 1]");
  CHECK_ERROR(nn::RNN(3, 4, {.dtype = i64}), "[RNN] expected the dtype f32 or f64, got i64");
  CHECK_ERROR(nn::LSTM(3, 4, {.proj_size = 4}), "[LSTM] expected a proj_size below the hidden size of 4");
  CHECK_ERROR(nn::GRU(3, 4)(ones({2, 4})), "[GRU]");
  CHECK_ERROR(nn::RNN(3, 4)(ones({2, 4})), "[RNN]");
  CHECK_ERROR(nn::GRUCell(3, 4)(ones({2, 4})), "[GRUCell] expected [batch, 3] or [3], got the shape (2, 4)");
  CHECK_ERROR(nn::RNNCell(3, 4)(ones({2, 3}), ones({4})),
              "[RNNCell] expected a hidden state of the shape (2, 4), got (4,)");
  CHECK_ERROR(nn::LSTMCell(3, 4)(ones({2, 3}), {ones({2, 4}, i64), {}}),
              "[LSTMCell] expected a hidden state of floats, got i64");
  CHECK_ERROR(nn::LSTMCell(3, 4)(ones({2, 3}), {{}, ones({4})}),
              "[LSTMCell] expected a cell state of the shape (2, 4), got (4,)");
  CHECK_ERROR(nn::LSTMCell(3, 0), "[LSTMCell] expected sizes");

  const Tensor q = ones({2, 4, 3}), k = ones({2, 5, 3});
  CHECK_ERROR(nn::scaled_dot_product_attention(q, ones({2, 5, 4}), k),
              "[scaled_dot_product_attention] expected a query [..., queries, width]");
  CHECK_ERROR(nn::scaled_dot_product_attention(q, k, q), "[scaled_dot_product_attention]");
  CHECK_ERROR(nn::scaled_dot_product_attention(q, Tensor(), q), "got an empty one");
  CHECK_ERROR(nn::scaled_dot_product_attention(q, k, k, {.attn_mask = ones({5, 4})}),
              "that broadcasts to the scores' shape (2, 4, 5), got (5, 4)");
  CHECK_ERROR(nn::scaled_dot_product_attention(q, k, k, {.attn_mask = ones({4, 5}, i64)}),
              "boolean or floats, got i64");
  CHECK_ERROR(nn::scaled_dot_product_attention(q, k, k, {.dropout_p = 2}), "dropout_p in [0, 1]");
  CHECK_ERROR(nn::scaled_dot_product_attention(q, ones({3, 5, 3}), k), "[scaled_dot_product_attention]");
  const nn::MultiheadAttention attention(3, 3, {.batch_first = true});
  CHECK_ERROR(attention(q, k, ones({2, 5, 4})),
              "[MultiheadAttention] expected query, key and value [batch, time, width]");
  CHECK_ERROR(attention(q, ones({1, 5, 3}), k), "[MultiheadAttention]");
  CHECK_ERROR(attention(q, Tensor(), k), "[MultiheadAttention] expected numbers, got an empty tensor");
  CHECK_ERROR(attention(q, k, k, {.key_padding_mask = ones({2, 4}, boolean)}),
              "key_padding_mask of the shape (2, 5), got (2, 4)");
  CHECK_ERROR(attention(q, k, k, {.attn_mask = ones({2, 4, 5})}),
              "attn_mask of the shape (4, 5) or (6, 4, 5), got (2, 4, 5)");
  CHECK_ERROR(nn::MultiheadAttention(10, 3),
              "[MultiheadAttention] expected sizes of at least 1, and an embed_dim that num_heads divides, got 10, 3");
  CHECK_ERROR(nn::MultiheadAttention()(q, k, k), "[MultiheadAttention] this layer has no weight");
  CHECK_ERROR(nn::TransformerEncoderLayer(10, 3), "[TransformerEncoderLayer] expected sizes");
  CHECK_ERROR(nn::TransformerEncoderLayer(3, 3)(ones({2, 4})),
              "[TransformerEncoderLayer] expected [time, batch, width] or [time, width], of the width 3");
  CHECK_ERROR(
      nn::TransformerDecoderLayer(3, 3)(q, ones({2, 4, 4})),
      "[TransformerDecoderLayer] expected a memory of as many axes as x, its batch and its width, got the shapes "
      "(2, 4, 4) and (2, 4, 3)");
  const nn::TransformerDecoderLayer decoder(3, 3);
  for (const Tensor& memory : {ones({5, 1, 3}), ones({5, 3}), ones({4, 5, 4, 3}), zeros({0, 2, 3})})
    CHECK_ERROR(decoder(q, memory), "[TransformerDecoderLayer] expected a memory of as many axes");
  CHECK_ERROR(decoder(q, Tensor()), "[TransformerDecoderLayer] expected a memory, an encoder's result, got an empty");
  CHECK_ERROR(decoder(q, ones({5, 4, 3}, i64)), "[TransformerDecoderLayer] expected floats, got i64");
  CHECK_ERROR(nn::TransformerDecoderLayer(3, 3)(ones({4}), q), "[TransformerDecoderLayer]");
  const Tensor m = ones({5, 4, 3}), off = ones({7, 7});  // x [2, 4, 3], memory [5, 4, 3]
  CHECK_ERROR(decoder(q, m, {.tgt_mask = off}),
              "[TransformerDecoderLayer] expected the tgt_mask of the shape (2, 2) or (12, 2, 2), got (7, 7)");
  CHECK_ERROR(decoder(q, m, {.memory_mask = off}), "the memory_mask of the shape (2, 5) or (12, 2, 5), got (7, 7)");
  CHECK_ERROR(decoder(q, m, {.tgt_key_padding_mask = off}), "the tgt_key_padding_mask of the shape (4, 2), got (7, 7)");
  CHECK_ERROR(decoder(q, m, {.memory_key_padding_mask = off}), "the memory_key_padding_mask of the shape (4, 5), got");
  CHECK_ERROR(decoder(q, m, {.memory_mask = ones({2, 5}, i64)}), "expected the memory_mask as boolean or floats");
  CHECK_ERROR(decoder(q[0], m[0], {.memory_key_padding_mask = off}), "the memory_key_padding_mask of the shape (4,)");
  const nn::TransformerEncoderLayer encoder(3, 3, {.batch_first = true});
  CHECK_ERROR(encoder(q, {.src_mask = off}), "[TransformerEncoderLayer] expected the src_mask of the shape (4, 4) or");
  CHECK_ERROR(encoder(q, {.src_key_padding_mask = off}), "the src_key_padding_mask of the shape (2, 4), got (7, 7)");
  CHECK_ERROR(nn::TransformerEncoder(nn::TransformerEncoderLayer(3, 3), 0),
              "[TransformerEncoder] expected a layer at least");
  CHECK_ERROR(
      nn::PositionalEncoding(3, {.max_len = 4})(x),
      "[PositionalEncoding] expected [time, batch, width] or [time, width], of a width of 3 and at most 4 steps");
  CHECK_ERROR(nn::PositionalEncoding(3)(ones({5, 3}, i64)), "[PositionalEncoding] expected floats, got i64");
  CHECK_ERROR(nn::PositionalEncoding()(x), "[PositionalEncoding] this layer was made without sizes");
  CHECK_ERROR(nn::LearnedPositions(9, 4)(x), "[LearnedPositions]");
  CHECK_ERROR(nn::LearnedPositions()(x), "[LearnedPositions] this layer was made without sizes");
  CHECK_ERROR(nn::rotary_embedding(x),
              "[rotary_embedding] expected floats [..., time, width] of an even width, got f32 (5, 2, 3)");
  CHECK_ERROR(nn::rotary_embedding(ones({5, 4}), {.base = 0}), "[rotary_embedding] expected a base above 0");
  const int line = __LINE__ + 1;
  const auto of = helpers::line_of_error([&] { attention(q, k, k, {.attn_mask = ones({4, 4})}); });
  BOOST_TEST(of == line);
  BOOST_TEST(helpers::line_of_error([&] { lstm(x, {.lengths = tensor({9, 9})}); }) == line + 2);
}

// Sequences of several lengths become one tensor, and the layers give what they give of each alone.
BOOST_AUTO_TEST_CASE(sequences_that_are_padded) {
  manual_seed(21);
  const Tensors each{watch(randn({4, 3}, f64)), watch(randn({0, 3}, f64)), watch(randn({2, 3}, f64))};
  for (const bool batch_first : {false, true}) {
    const nn::PaddedSequences all = nn::pad_sequence(each, {.batch_first = batch_first, .padding_value = 7});
    BOOST_TEST(all.sequences.shape() == (batch_first ? Shape{3, 4, 3} : Shape{4, 3, 3}));
    BOOST_TEST((all.lengths.to_vector<Size>() == std::vector<Size>{4, 0, 2}));
    const Tensor second = batch_first ? all.sequences[2] : select(all.sequences, 1, 2);
    BOOST_TEST(helpers::same_bits(slice(second, 0, 0, 2), each[2].detach()));
    BOOST_TEST(xgrad::all(slice(second, 0, 2) == 7.0).item() == 1);
    const nn::LSTM lstm(3, 5, {.batch_first = batch_first, .dtype = f64});
    const Tensor last = lstm(all.sequences, {.lengths = all.lengths}).hidden[0][2];
    BOOST_TEST(amax(abs(last - lstm(each[2]).hidden[0])).item() < 1e-14);
    const Tensors g = grad(sum(square(all.sequences)), each);
    for (std::size_t i = 0; i < each.size(); ++i) BOOST_TEST(helpers::same_bits(g[i], 2 * each[i].detach()));
  }
  BOOST_TEST(helpers::same_bits(nn::pad_sequence({tensor({1, 2}), tensor({3})}, {.padding_value = -100}).sequences,
                                tensor({{1, 3}, {2, -100}})));
  CHECK_ERROR(nn::pad_sequence({}), "[pad_sequence] expected one sequence or more");
  CHECK_ERROR(nn::pad_sequence({ones({2, 3}), ones({2, 4})}), "[pad_sequence] expected sequences that differ in their");
  CHECK_ERROR(nn::pad_sequence({ones({2}), ones({2}, f64)}), "got f32 (2,) and f64 (2,)");
  CHECK_ERROR(nn::pad_sequence({tensor({1}), tensor({1, 2})}, {.padding_value = 0.5}), "[pad_sequence]");
}
