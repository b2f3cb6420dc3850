// Attention as one op: against the same made of ops, what it keeps, and the weights of a layer.
#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <limits>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>

using namespace xgrad;

// Without a mask it is one op, with one that allows all it is made of ops: the same numbers.
BOOST_AUTO_TEST_CASE(attention_as_one_op) {
  struct Extents {
    Size batch, queries, keys, heads, width;
  };
  for (const DType dtype : {f32, f64})
    for (const Extents e : {Extents{2, 17, 17, 3, 5}, {1, 300, 300, 1, 8}, {2, 130, 40, 2, 4}, {1, 70, 2100, 1, 3}})
      for (const bool causal : {false, true}) {
        const auto heads = [&](Size steps) { return watch(randn({e.batch, steps, e.heads, e.width}, dtype)); };
        const Tensor q = heads(e.queries), k = heads(e.keys), v = heads(e.keys), all = full({1}, 1, boolean);
        const Tensor g = randn({e.batch, e.queries, e.heads, e.width}, dtype);
        const auto attended = [&](const Tensor& mask) {
          const auto by_heads = [](const Tensor& x) { return permute(x, {0, 2, 1, 3}); };
          const Tensor z = by_heads(nn::scaled_dot_product_attention(by_heads(q), by_heads(k), by_heads(v),
                                                                     {.attn_mask = mask, .is_causal = causal}));
          Tensors list = grad(z, Wrt(Tensors{q, k, v}), g);
          list.push_back(z);
          evaluate(list);
          return list;
        };
        const Tensors one = attended({}), ops = attended(all);
        for (std::size_t i = 0; i < 3; ++i) {  // of one operand alone
          const Tensor& x = i == 0 ? q : i == 1 ? k : v;
          const auto by_heads = [&](const Tensor& y) {
            return permute(y.node() == x.node() ? y : y.detach(), {0, 2, 1, 3});
          };
          const Tensor z =
              nn::scaled_dot_product_attention(by_heads(q), by_heads(k), by_heads(v), {.is_causal = causal});
          BOOST_TEST(amax(abs(grad(z, Wrt(Tensors{x}), permute(g, {0, 2, 1, 3}))[0] - one[i])).item() == 0);
        }
        for (std::size_t i = 0; i < one.size(); ++i) {
          const double most = amax(abs(ops[i])).item() * (dtype == f32 ? 2e-5 : 1e-13);
          BOOST_TEST(amax(abs(one[i] - ops[i])).item() <= most,
                     fmt::format("{} of {} x {} {}{}", i, e.queries, e.keys, name(dtype), causal ? " causal" : ""));
        }
      }
}

BOOST_AUTO_TEST_CASE(attention_keeps_nothing_of_pairs) {
  constexpr Size steps = 1500, width = 8;
  const Tensor x = watch(randn({1, steps, width}));
  const auto before = counters().bytes;
  const Tensor y = evaluate(nn::scaled_dot_product_attention(x, x, x, {.is_causal = true}));
  const Tensors gradient = grad(sum(y), Wrt(Tensors{x}));
  evaluate(gradient);
  BOOST_TEST(counters().bytes - before < 8 * steps * width * sizeof(float));
}

// The layer's weights are those that its output is made with, and may be left out.
BOOST_AUTO_TEST_CASE(weights_on_demand) {
  const nn::MultiheadAttention layer(6, 2, {.dtype = f64});
  const Tensor x = randn({40, 3, 6}, f64);
  const auto with = layer(x, x, x, {.is_causal = true}),
             without = layer(x, x, x, {.is_causal = true, .need_weights = false});
  BOOST_TEST(!without.weights.defined());
  BOOST_TEST(amax(abs(with.output - without.output)).item() < 1e-14);
  BOOST_TEST(with.weights.shape() == Shape({3, 40, 40}));
  BOOST_TEST(amax(abs(sum(with.weights, -1) - 1)).item() < 1e-14);
  BOOST_TEST(amax(abs(triu(with.weights, 1))).item() == 0);
}

// Query, key and value of one projection: their cotangents lie beside each other as it does.
BOOST_AUTO_TEST_CASE(gradients_of_a_layer) {
  for (const bool batch_first : {false, true})
    for (const Size keys : {40, 33}) {
      nn::MultiheadAttention layer(12, 3, {.batch_first = batch_first, .dtype = f64});
      const auto steps = [&](Size n) { return randn(batch_first ? Shape{2, n, 12} : Shape{n, 2, 12}, f64); };
      const Tensor x = watch(steps(40)), other = keys == 40 ? x : watch(steps(keys)), g = steps(40);
      const auto gradients = [&](bool need_weights) {
        const Tensor y = layer(x, other, other, {.need_weights = need_weights}).output;
        Tensors list = grad(y, Wrt(Tensors{x, other}), g);
        for (const Tensor& of : grad(sum(y * g), nn::parameters(layer))) list.push_back(of);
        evaluate(list);
        return list;
      };
      const Tensors one = gradients(false), ops = gradients(true);
      for (std::size_t i = 0; i < one.size(); ++i) BOOST_TEST(amax(abs(one[i] - ops[i])).item() < 1e-12, i);
    }
}

// Keys that a mask hides have no weight, whatever the others' scores are.
BOOST_AUTO_TEST_CASE(what_is_hidden_never_counts) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor q = tensor({{1.0}, {1.0}}), k = tensor({{-infinity}, {5.0}}), v = tensor({{1.0}, {7.0}});
  const Tensor causal = nn::scaled_dot_product_attention(q, k, v, {.is_causal = true});
  const Tensor masked = nn::scaled_dot_product_attention(q, k, v, {.attn_mask = tensor({{true, false}, {true, true}})});
  for (const Tensor& z : {causal, masked}) {
    BOOST_TEST(z[0][0].item() != 7);
    BOOST_TEST(z[1][0].item() == 7);
  }
}
