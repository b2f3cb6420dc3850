// Gradients by rows: of embeddings, whose steps touch only what was picked.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "autodiff/engine/variable.hpp"
#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::same_bits;

namespace {

bool by_rows(const Parameter& p) { return p.variable()->rows.index.defined(); }
bool dense(const Parameter& p) { return p.variable()->grad.defined(); }

// A loss of a table that picks rows, in one of many ways; the second use is as a whole tensor where `whole`.
struct Way {
  const char* name;
  std::function<Tensor(const Tensor& table)> loss;
  bool rows;
};
const Tensor weights() { return linspace(0.1, 1.3, 12, f32); }
Tensor weighted(const Tensor& x) { return sum(x * reshape(slice(weights(), 0, 0, x.shape()[0]), {-1, 1}) * x); }
// clang-format off
const Way ways[] = {
    {"each once, in order", [](const Tensor& t) { return weighted(index_select(t, 0, tensor({1, 3, 4}))); }, true},
    {"in any order, some twice", [](const Tensor& t) { return weighted(index_select(t, 0, tensor({4, 1, 4, 0, 1, 4}))); }, true},
    {"two uses", [](const Tensor& t) { return weighted(index_select(t, 0, tensor({4, 1}))) + weighted(index_select(t, 0, tensor({2, 1, 4}))); }, true},
    {"none", [](const Tensor& t) { return sum(index_select(t, 0, zeros({0}, i64))) + 1; }, true},
    {"of another shape", [](const Tensor& t) { return sum(square(reshape(index_select(t, 0, tensor({4, 1, 4, 0})), {2, 2, 3}))); }, true},
    {"and as a whole", [](const Tensor& t) { return weighted(index_select(t, 0, tensor({4, 1}))) + sum(t); }, false},
    {"along another axis", [](const Tensor& t) { return weighted(index_select(t, 1, tensor({2, 0}))); }, false},
    {"along both", [](const Tensor& t) { return weighted(index_select(t, 1, tensor({2, 0}))) + weighted(index_select(t, 0, tensor({2, 2}))); }, false},
    {"and by slices", [](const Tensor& t) { return weighted(index_select(t, 0, tensor({2, 2}))) + sum(t[1] * t[0]); }, false},
    {"of what is made of it", [](const Tensor& t) { return weighted(index_select(t * 2, 0, tensor({2, 2}))); }, false},
};
// clang-format on

}  // namespace

BOOST_AUTO_TEST_CASE(as_the_dense_gradient) {
  manual_seed(4);
  for (const Way& way : ways) {
    BOOST_TEST_CONTEXT(way.name) {
      const Tensor start = randn({5, 3});
      Parameter table = parameter(start);
      const Tensor expected = grad(way.loss(table), table)[0];  // grad() gives tensors
      way.loss(table).backward();
      BOOST_TEST(by_rows(table) == way.rows);
      BOOST_TEST(dense(table) != way.rows);
      BOOST_TEST(same_bits(table.grad(), expected));
      BOOST_TEST(by_rows(table) == way.rows);  // looking changes nothing
      way.loss(table).backward();
      BOOST_TEST(allclose(table.grad(), 2 * expected, 1e-6, 1e-6));
      sum(square(table)).backward();
      BOOST_TEST(!by_rows(table));
      BOOST_TEST(allclose(table.grad(), 2 * expected + 2 * start, 1e-6, 1e-6));
      way.loss(table).backward();
      BOOST_TEST(!by_rows(table));
      BOOST_TEST(allclose(table.grad(), 3 * expected + 2 * start, 1e-6, 1e-6));
      table.zero_grad();
      BOOST_TEST(!table.grad().defined());
      way.loss(table).backward({.create_graph = true});
      BOOST_TEST(!by_rows(table));
      BOOST_TEST(same_bits(table.grad().detach(), expected));
      table.zero_grad();
      way.loss(table).backward();
      table.set_grad(start);
      BOOST_TEST(same_bits(table.grad(), start));
      BOOST_TEST(!by_rows(table));
    }
  }
}

// Of 128 equal rows and more, which are added in parts.
BOOST_AUTO_TEST_CASE(many_equal_rows) {
  manual_seed(5);
  Parameter table = parameter(randn({4, 3}));
  const Tensor index = randint(0, 2, {5000}), scale = randn({5000, 3});
  const auto loss = [&] { return sum(index_select(table, 0, index) * scale); };
  const Tensor expected = grad(loss(), table)[0];
  loss().backward();
  BOOST_TEST(by_rows(table));
  BOOST_TEST(same_bits(table.grad(), expected));
}

BOOST_AUTO_TEST_CASE(sgd_steps_rows_with_the_bits_of_the_dense_step) {
  manual_seed(6);
  for (const bool maximize : {false, true}) {
    Parameter a = parameter(randn({300, 7})), b = a;
    optim::SGD rows({a}, {.lr = 0.1, .maximize = maximize}), whole({b}, {.lr = 0.1, .maximize = maximize});
    for (int step = 0; step < 5; ++step) {
      const Tensor index = randint(0, 300, {64});
      const auto loss = [&](const Parameter& p) { return sum(square(index_select(p, 0, index)) * 0.3f); };
      rows.zero_grad();
      loss(a).backward();
      BOOST_TEST(by_rows(a));
      rows.step();
      BOOST_TEST(!dense(a));
      whole.zero_grad();
      b.set_grad(grad(loss(b), b)[0]);
      whole.step();
      BOOST_TEST(same_bits(a.value(), b.value()));
    }
  }
  // With momentum or decay rows that were not picked move too.
  Parameter a = parameter(ones({3, 2}));
  optim::SGD decayed({a}, {.lr = 0.5, .weight_decay = 1});
  sum(index_select(a, 0, tensor({1}))).backward();
  decayed.step();
  BOOST_TEST(same_bits(a.value(), tensor({{0.5f, 0.5f}, {0.0f, 0.0f}, {0.5f, 0.5f}})));
}

// In plain loops, of doubles.
struct Reference {
  std::vector<double> p, m, v;
  int t = 0;
  void step(const std::vector<double>& g, const std::vector<bool>& picked, std::size_t width, double lr) {
    ++t;
    const double rate = lr * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (!picked[i / width]) continue;
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
      p[i] -= rate * m[i] / (std::sqrt(v[i]) + 1e-8);
    }
  }
};

BOOST_AUTO_TEST_CASE(sparse_adam) {
  manual_seed(7);
  Parameter table = parameter(randn({20, 3}, f64)), scalar = parameter(0.5);
  optim::SparseAdam optimizer({table, scalar}, {.lr = 0.02});
  Reference own{table.value().to_vector<double>(), std::vector<double>(60), std::vector<double>(60)};
  Reference other{{0.5}, {0}, {0}};
  for (int step = 0; step < 40; ++step) {
    const Tensor index = randint(0, 20, {6}), target = randn({6, 3}, f64);
    optimizer.zero_grad();
    const Tensor loss = sum(square(index_select(table, 0, index) + scalar - target));
    const Tensors g = grad(loss, {table, scalar});
    loss.backward();
    BOOST_TEST(by_rows(table));
    optimizer.step();
    std::vector<bool> picked(20);
    for (const Size i : index.to_vector<Size>()) picked[static_cast<std::size_t>(i)] = true;
    own.step(g[0].to_vector<double>(), picked, 3, 0.02);
    other.step(g[1].to_vector<double>(), {true}, 1, 0.02);
    const std::vector<double> now = table.value().to_vector<double>();
    for (std::size_t i = 0; i < 60; ++i) BOOST_REQUIRE_SMALL(now[i] - own.p[i], 1e-12);
    BOOST_REQUIRE_SMALL(scalar.item() - other.p[0], 1e-12);
  }
}

// Rows that catch up: a transcription's numbers (references/make_around.py), and AdamW's where every row is picked.
BOOST_AUTO_TEST_CASE(lazy_adam) {
  const references::File file("around");
  Parameter table = parameter(file["lazy.start"]);
  optim::LazyAdam optimizer({table}, {.lr = 0.05, .beta2 = 0.99, .weight_decay = 0.1});
  for (Size t = 1; t <= 100; ++t) {
    const Tensor index = file[fmt::format("lazy.index.{}", t)];
    optimizer.zero_grad();
    sum(index_select(table, 0, index) * file[fmt::format("lazy.gradient.{}", t)]).backward();
    BOOST_TEST(by_rows(table));
    optimizer.step();
    BOOST_TEST(!dense(table));
    if (const std::string at = fmt::format("lazy.table.{}", t); file.has(at)) CHECK_NEAR(at, table, file[at]);
    if (t == 40) {  // it goes on from a file
      optimizer.save("lazy");
      optimizer = optim::LazyAdam({table}, {.lr = 0.05, .beta2 = 0.99, .weight_decay = 0.1});
      optimizer.load("lazy");
    }
  }
  Parameter a = parameter(file["lazy.start"]), b = a;
  optim::LazyAdam lazy({a}, {.lr = 0.1, .weight_decay = 0.2});
  optim::AdamW adamw({b}, {.lr = 0.1, .weight_decay = 0.2});
  for (int t = 0; t < 20; ++t) {
    lazy.zero_grad(), adamw.zero_grad();
    sum(pow(index_select(a, 0, tensor({5, 4, 3, 2, 1, 0})), 4)).backward();
    sum(pow(b, 4)).backward();
    lazy.step(), adamw.step();
  }
  CHECK_NEAR("every row", a, b.value());
  BOOST_CHECK_EXCEPTION(optim::LazyAdam({a}, {.lr = 2, .weight_decay = 0.5}), Error,
                        helpers::says("[LazyAdam] expected lr weight_decay below 1, got 1"));
}

// A rule of one's own goes by rows if it says so.
struct Signed {
  double lr = 0.1;
  static constexpr bool elementwise = true;
  bool by_rows() const { return true; }
  void update(Tensor& p, const Tensor& g, const optim::Step& step) const { p = p - step.lr * sign(g); }
};
BOOST_AUTO_TEST_CASE(a_rule_by_rows) {
  Parameter table = parameter(zeros({600, 2}));
  optim::Descent<Signed> optimizer({table});
  sum(index_select(table, 0, tensor({500, 3, 3}))).backward();
  optimizer.step();
  BOOST_TEST(!dense(table));
  const Tensor moved = sum(abs(table.value()), 1);
  BOOST_TEST(sum(cast(moved > 0, i64)).item() == 2);
  BOOST_TEST(allclose(table.value()[500], tensor({-0.1f, -0.1f})));
  BOOST_TEST(allclose(table.value()[3], tensor({-0.1f, -0.1f})));
}

// A step of a large table takes memory, and work, for the rows alone.
BOOST_AUTO_TEST_CASE(what_a_step_costs) {
  nn::Embedding table(200'000, 16);
  optim::SparseAdam optimizer(nn::parameters(table));
  const Tensor index = randint(0, 200'000, {256});
  const auto step = [&] {
    optimizer.zero_grad();
    sum(square(table(index))).backward();
    optimizer.step();
  };
  step();
  BOOST_TEST(table.weight.variable()->rows.values.numel() <= 256 * 16);
  const Counters more = helpers::during(step);
  BOOST_TEST(more.bytes < 100'000u);
  BOOST_TEST(!dense(table.weight));
}

BOOST_AUTO_TEST_CASE(embedding) {
  manual_seed(8);
  nn::Embedding e(10, 4);
  BOOST_TEST((e(tensor({1, 2, 9})).shape() == Shape{3, 4}));
  BOOST_TEST((e(tensor({{1, 2, 9}, {0, 0, 0}})).shape() == Shape{2, 3, 4}));
  BOOST_TEST(same_bits(e(tensor(7)), e.weight[7]));
  BOOST_TEST(nn::parameters(e).size() == 1u);
  BOOST_CHECK_EXCEPTION(e(tensor({1, 10})), Error, helpers::says("index 10"));
  BOOST_CHECK_EXCEPTION(e(tensor({1.0f})), Error, helpers::says("expected i64 indices"));
  BOOST_CHECK_EXCEPTION(nn::Embedding(0, 4), Error,
                        helpers::says("[Embedding] expected a count and a width of at least 1"));
  BOOST_CHECK_EXCEPTION(nn::Embedding()(tensor({1})), Error, helpers::says("[Embedding] expected a table"));
}
