// Rules of a user's own through every hook of Descent: state of any shape and of the group, weights to be judged by, rows, groups.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include "autodiff/engine/variable.hpp"
#include "helpers.hpp"
#include "own_rules.hpp"
#include "references/references.hpp"
#include "states.hpp"

using namespace xgrad;
using helpers::same_bits;
using optim::Descent;
using own_rules::Prodigy;
using own_rules::ScheduleFree;

namespace {

// Schedule-Free for SGD, elementwise: all steps weigh alike.
struct ScheduleFreeSGD {
  double lr = 0.1, beta = 0.9;
  static constexpr const char* slots[] = {"z"};
  static constexpr bool elementwise = true;
  Tensor first(std::size_t, const Tensor& p) const { return p; }
  void update(Tensor& y, const Tensor& g, Tensor& z, const optim::Step& step) const {
    const double c = 1 / static_cast<double>(step.t);
    y = y + c * (z - y) + step.lr * (beta * (1 - c) - 1) * g;
    z = z - step.lr * g;
  }
  Tensor evaluated(const Tensor& y, const Tensors& slots, const optim::Step&) const {
    return y + (1 - 1 / beta) * (slots[0] - y);
  }
};

// Parameters of odd shapes in both dtypes.
struct Variables {
  std::vector<Parameter> list;
  Variables() {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{7}, Shape{3, 5}, Shape{600}})
      for (const DType dtype : {f64, f32}) list.push_back(parameter(randn(shape, dtype)));
  }
  void set_gradients(Size step) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i].zero_grad();
      if ((static_cast<std::size_t>(step) + i) % 4 != 0) list[i].set_grad(randn(list[i].shape(), list[i].dtype()));
    }
  }
  bool same(const Variables& other) const {
    for (std::size_t i = 0; i < list.size(); ++i)
      if (!same_bits(list[i], other.list[i])) return false;
    return true;
  }
};

// Two of a kind; one goes through files into a fresh optimizer after each step.
template <class Rule>
void goes_on_from_files(const Rule& rule) {
  manual_seed(3);
  const states::TemporaryFile file;
  Variables a, b = a;
  Descent<Rule> one(a.list, rule), other(b.list, rule);
  for (Size step = 1; step <= 12; ++step) {
    a.set_gradients(step);
    for (std::size_t i = 0; i < a.list.size(); ++i) {
      b.list[i].zero_grad();
      if (a.list[i].grad().defined()) b.list[i].set_grad(a.list[i].grad());
    }
    one.step(), other.step();
    other.save(file.path);
    other = Descent<Rule>(b.list, rule);
    other.load(file.path);
  }
  BOOST_TEST(a.same(b));
  BOOST_TEST(states::same(one.state(), other.state()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(rules_with_every_hook_go_on_from_files) {
  goes_on_from_files(Prodigy{.lr = 2});
  goes_on_from_files(ScheduleFree{});
  goes_on_from_files(ScheduleFreeSGD{});
  goes_on_from_files(optim::AdafactorRule{});
  goes_on_from_files(optim::RMSpropRule{.momentum = 0.9, .centered = true});
}

BOOST_AUTO_TEST_CASE(state_of_the_group) {
  manual_seed(4);
  Parameter a = parameter(randn({3}, f64)), b = parameter(randn({2, 2}, f64)), alone = parameter(randn({2}, f64));
  const Prodigy rule{.first_d = 1e-3};
  Descent<Prodigy> optimizer({a, b}, rule);
  optimizer.add_group({alone}, rule);
  // one vector of all numbers of a and b
  const auto all = [](const Parameter& x, const Parameter& y) {
    std::vector<double> v = x.value().to_vector<double>();
    for (const double n : y.value().to_vector<double>()) v.push_back(n);
    return v;
  };
  std::vector<double> p = all(a, b), start = p, m(7), v(7), s(7);
  double d = rule.first_d, numerator = 0;
  const double beta3 = std::sqrt(rule.beta2);
  for (int t = 1; t <= 30; ++t) {
    const Parameter of_a = parameter(randn({3}, f64)), of_b = parameter(randn({2, 2}, f64));
    a.set_grad(of_a), b.set_grad(of_b);
    optimizer.step();
    const std::vector<double> g = all(of_a, of_b);
    double along = 0, size = 0;
    for (std::size_t i = 0; i < 7; ++i) {
      along += g[i] * (start[i] - p[i]);
      m[i] = 0.9 * m[i] + d * (1 - 0.9) * g[i];
      v[i] = 0.999 * v[i] + d * d * (1 - 0.999) * g[i] * g[i];
      s[i] = beta3 * s[i] + d / rule.first_d * d * g[i];
      size += std::abs(s[i]);
    }
    numerator = beta3 * numerator + d / rule.first_d * d * along;
    const double now = std::max(d, numerator / size);
    for (std::size_t i = 0; i < 7; ++i) p[i] -= d * m[i] / (std::sqrt(v[i]) + 1e-8 * now);
    d = now;
    CHECK_NEAR(std::to_string(t), tensor(all(a, b)), tensor(p));
  }
  BOOST_TEST(d > rule.first_d);
  for (const NamedTensor& entry : optimizer.state()) {
    if (entry.name == "group0.d") CHECK_NEAR("d", entry.value, tensor(d));
    if (entry.name == "group1.d") BOOST_TEST(entry.value.item() == 1e-3);  // it has taken no step
  }
}

BOOST_AUTO_TEST_CASE(nothing_waits_after_a_step) {
  Parameter w = parameter(randn({50, 100}));
  const auto waits = [&](auto optimizer) {
    w.set_grad(evaluate(randn({50, 100})));
    return helpers::during([&] { optimizer.step(); }).pending;
  };
  BOOST_TEST(waits(Descent<Prodigy>({w})) == 0);
  BOOST_TEST(waits(Descent<ScheduleFree>({w})) == 0);
  BOOST_TEST(waits(optim::LAMB({w})) == 0);
  BOOST_TEST(waits(optim::Adafactor({w})) == 0);
}

BOOST_AUTO_TEST_CASE(counts_of_members) {
  struct Seen {
    double lr = 0.1;
    std::vector<Size>* counts = nullptr;
    void update_all(std::vector<optim::Member>& all, Tensors&, const optim::Step& step) const {
      *counts = {step.t};
      for (const optim::Member& x : all) counts->push_back(x.t);
    }
  };
  Parameter a = parameter(1.0), b = parameter(2.0), nothing = parameter(zeros({0}));
  std::vector<Size> counts;
  Descent<Seen> optimizer({nothing, a, b}, {.counts = &counts});
  const auto step = [&](bool of_a, bool of_b) {
    optimizer.zero_grad();
    nothing.set_grad(zeros({0}));
    if (of_a) a.set_grad(tensor(1.0));
    if (of_b) b.set_grad(tensor(1.0));
    counts.clear();
    optimizer.step();
    return counts;
  };
  BOOST_TEST((step(true, true) == std::vector<Size>{1, 1, 1}));
  BOOST_TEST((step(false, true) == std::vector<Size>{2, 2}));
  BOOST_TEST((step(true, false) == std::vector<Size>{3, 2}));
  BOOST_TEST((step(true, false) == std::vector<Size>{4, 3}));
  BOOST_TEST((step(true, false) == std::vector<Size>{5, 4}));
  BOOST_TEST(step(false, false).empty());
}

BOOST_AUTO_TEST_CASE(weights_to_be_judged_by) {
  manual_seed(5);
  const ScheduleFree rule{.lr = 0.05, .warmup = 5};
  Parameter w = parameter(randn({6}, f64)), other = parameter(randn({2}, f64));
  Descent<ScheduleFree> optimizer({w, other}, rule);
  std::vector<double> y = w.value().to_vector<double>(), z = y, v(6), x(6);
  double total = 0, most = 0;
  for (int t = 1; t <= 30; ++t) {
    const Tensor gradient = randn({6}, f64);
    w.set_grad(gradient);
    optimizer.step();
    const std::vector<double> g = gradient.to_vector<double>();
    const double rate = rule.lr * std::min(1.0, t / rule.warmup);
    most = std::max(most, rate);
    total += most * most;
    const double c = most * most / total;
    for (std::size_t i = 0; i < 6; ++i) {
      v[i] = 0.999 * v[i] + (1 - 0.999) * g[i] * g[i];
      const double direction = g[i] / (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8);
      y[i] = (1 - c) * y[i] + c * z[i] + rate * (0.9 * (1 - c) - 1) * direction;
      z[i] -= rate * direction;
      x[i] = y[i] + (1 - 1 / 0.9) * (z[i] - y[i]);
    }
    CHECK_NEAR(std::to_string(t), w, tensor(y));
    const Tensor trained = w, untouched = other;
    optimizer.eval();
    optimizer.eval();
    CHECK_NEAR(std::to_string(t), w, tensor(x));
    BOOST_TEST(same_bits(other, untouched));  // it has taken no step
    CHECK_ERROR(optimizer.step(),
                "[ScheduleFree] step() while the parameters are those to be evaluated; call train() first");
    CHECK_ERROR(optimizer.state(), "call train() first");
    CHECK_ERROR(optimizer.add_group({w}), "call train() first");
    optimizer.train();
    optimizer.train();
    BOOST_TEST(same_bits(w, trained));
  }

  Parameter u = parameter(3.0);
  Descent<ScheduleFreeSGD> descent({u}, {.lr = 0.5});
  for (int t = 1; t <= 300; ++t) {
    descent.zero_grad();
    square(u).backward();
    descent.step();
  }
  const double trained = u.item(), state = descent.state()[3].value.item();
  descent.eval();
  BOOST_TEST(std::abs(u.item() - (trained + (1 - 1 / 0.9) * (state - trained))) < 1e-15);
  descent.train();
  BOOST_TEST(u.item() == trained);
}

BOOST_AUTO_TEST_CASE(eval_is_nothing_to_other_rules) {
  Parameter w = parameter(1.0);
  optim::SGD sgd({w}, {.lr = 0.5});
  w.set_grad(tensor(1.0));
  sgd.eval();
  sgd.step();
  BOOST_TEST(w.item() == 0.5);
  sgd.train();
  BOOST_TEST(sgd.state().size() == 3);
}

namespace {

// Of rows that were picked.
struct Velocity {
  double lr = 0.1;
  static constexpr const char* slots[] = {"v"};
  static constexpr bool elementwise = true;
  bool by_rows() const { return true; }
  void update(Tensor& p, const Tensor& g, Tensor& v, const optim::Step& step) const {
    v = 0.5 * v + g;
    p = p - step.lr * v;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(rows_that_were_not_picked_keep_their_state) {
  Parameter table = parameter(zeros({8, 2}, f64));
  Descent<Velocity> optimizer({table});
  const auto step = [&](const Tensor& index) {
    optimizer.zero_grad();
    sum(index_select(table, 0, index)).backward();
    optimizer.step();
    return sum(optimizer.state()[3].value, 1).to_vector<double>();
  };
  BOOST_TEST(step(arange(8)) == std::vector<double>(8, 2), boost::test_tools::per_element());
  const std::vector<double> wanted{2, 3, 2, 3, 2, 2, 2, 3};
  BOOST_TEST(step(tensor({1, 3, 7})) == wanted, boost::test_tools::per_element());
  BOOST_TEST(allclose(table.value()[2], tensor({-0.1, -0.1})));

  Parameter many = parameter(zeros({40, 3}));
  optim::Adagrad rows({many}, {.lr = 0.5}), decayed({table}, {.weight_decay = 1});
  sum(index_select(many, 0, tensor({5, 30}))).backward();
  rows.step();
  BOOST_TEST(sum(cast(many.value() != 0, i64)).item() == 6);
  BOOST_TEST(!many.variable()->grad.defined());  // nobody has made it whole
  const Tensor before = table;
  decayed.zero_grad();
  sum(index_select(table, 0, tensor({0}))).backward();
  decayed.step();
  BOOST_TEST(all(table != before).item() == 1);
}

namespace {

struct Centred {  // mean of nothing is an Error
  double lr = 0.1;
  static constexpr const char* slots[] = {"m"};
  void update(Tensor& p, const Tensor& g, Tensor& m, const optim::Step& step) const {
    m = g - mean(g), p = p - step.lr * m;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(parameters_without_elements) {
  Parameter nothing = parameter(zeros({0, 3})), w = parameter(ones({2}));
  Descent<Centred> optimizer({nothing, w});
  nothing.set_grad(zeros({0, 3}));
  w.set_grad(tensor({1.0f, 3.0f}));
  optimizer.step();
  BOOST_TEST(allclose(w, tensor({1.1f, 0.9f})));
  BOOST_TEST(optimizer.state()[2].value.item() == 1);
}

BOOST_AUTO_TEST_CASE(groups_by_name_and_condition) {
  struct Net {
    nn::Linear hidden{2, 3}, output{3, 1};
    XGRAD_FIELDS(hidden, output)
  } net;
  const Parameters all = nn::parameters(net);
  const auto names = [](const Parameters& list) {
    std::vector<std::string> found;
    for (const auto& entry : list) found.push_back(entry.name);
    return found;
  };
  const auto is_bias = [](const std::string& name) { return name.ends_with("bias"); };
  using Names = std::vector<std::string>;
  BOOST_TEST((names(all.where(is_bias)) == Names{"hidden.bias", "output.bias"}));
  BOOST_TEST((names(all.where([](const std::string& name) { return name.starts_with("output."); })) ==
              Names{"output.weight", "output.bias"}));
  BOOST_TEST((names(all.where([](std::string_view name) { return name == "output.bias"; })) == Names{"output.bias"}));
  BOOST_TEST((names(all.where([](const Parameters::Entry& p) { return p.value().dim() == 2; })) ==
              Names{"hidden.weight", "output.weight"}));
  BOOST_TEST((names(all.where([](const auto&) { return true; })) == names(all)));
  BOOST_TEST(all.where([](const std::string&) { return false; }).empty());
  Parameters some = all.where(is_bias);
  some.add(all["hidden.weight"]);
  BOOST_TEST((names(some) == Names{"hidden.bias", "output.bias", "hidden.weight"}));

  optim::Muon muon(all.where([](const Parameters::Entry& p) { return p.value().dim() == 2; }), {.lr = 0.5});
  optim::AdamW adam(all.where(is_bias), {.lr = 0.5});
  Net before = net;
  sum(net.output(net.hidden(ones({4, 2})))).backward();
  muon.step(), adam.step();
  for (const auto& entry : all)
    BOOST_TEST(!same_bits(entry, nn::parameters(before)[entry.name]), entry.name);  // the variables themselves
}
