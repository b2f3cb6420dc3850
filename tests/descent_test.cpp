// Rules of a user's own through every hook of Descent: state of any shape and of the group, weights to be judged by, what
// fails in mid-step, what is said of rules that are not what they say.
#define BOOST_TEST_MODULE descent
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include "autodiff/engine/variable.hpp"
#include "helpers.hpp"
#include "own_rules.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::line_of_error;
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
bool same_state(const optim::Optimizer& a, const optim::Optimizer& b) {
  const NamedTensors x = a.state(), y = b.state();
  bool same = x.size() == y.size();
  for (std::size_t i = 0; same && i < x.size(); ++i) same = x[i].name == y[i].name && same_bits(x[i].value, y[i].value);
  return same;
}

// Two of a kind; one goes through files into a fresh optimizer after each step.
template <class Rule>
void goes_on_from_files(const Rule& rule) {
  manual_seed(3);
  Variables a, b = a;
  Descent<Rule> one(a.list, rule), other(b.list, rule);
  for (Size step = 1; step <= 12; ++step) {
    a.set_gradients(step);
    for (std::size_t i = 0; i < a.list.size(); ++i) {
      b.list[i].zero_grad();
      if (a.list[i].grad().defined()) b.list[i].set_grad(a.list[i].grad());
    }
    one.step(), other.step();
    other.save("rule.safetensors");
    other = Descent<Rule>(b.list, rule);
    other.load("rule.safetensors");
  }
  BOOST_TEST(a.same(b));
  BOOST_TEST(same_state(one, other));
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

// clang-format off
enum class Fault { none, thrown, not_a_number, shape, dtype, empty, slot_shape, slot_gone, slot_new, shared_gone, member_gone, shared_shape };
// clang-format on
Fault fault = Fault::none;
int updates = 0;  // of one step; the second meets the fault

bool meets_fault() { return fault != Fault::none && ++updates == 2; }
void spoil(Tensor& p, Tensors& slots) {
  if (fault == Fault::thrown) throw std::runtime_error("no");
  if (fault == Fault::not_a_number && std::isnan(sum(log(0 * sum(p) - 1)).item())) fail(Source::here(), "[Faulty] NaN");
  if (fault == Fault::shape) p = sum(p);
  if (fault == Fault::dtype) p = cast(p, p.dtype() == f32 ? f64 : f32);
  if (fault == Fault::empty) p = Tensor();
  if (fault == Fault::slot_shape) slots[0] = concat({slots[0], slots[0]});
  if (fault == Fault::slot_gone) slots = {};
  if (fault == Fault::slot_new) slots.push_back(p);
}
struct Whole {
  double lr = 0.1;
  static constexpr const char* name = "Whole";
  std::vector<const char*> slot_names() const { return {"v"}; }
  void update(Tensor& p, const Tensor& g, Tensors& slots, const optim::Step& step) const {
    slots[0] = slots[0] + g / (norm(g) + 1);
    p = p - step.lr * slots[0];
    if (meets_fault()) spoil(p, slots);
  }
};
struct Elementwise {
  double lr = 0.1;
  static constexpr const char* name = "Elementwise";
  static constexpr bool elementwise = true;
  std::vector<const char*> slot_names() const { return {"v"}; }
  void update(Tensor& p, const Tensor& g, Tensors& slots, const optim::Step& step) const {
    slots[0] = slots[0] + g;
    p = p - step.lr * slots[0];
    if (p.dtype() == f32) spoil(p, slots);  // the second group's
  }
};
struct Together {
  double lr = 0.1;
  static constexpr const char* name = "Together";
  static constexpr const char* slots[] = {"v"};
  static constexpr const char* shared[] = {"total"};
  void update_all(std::vector<optim::Member>& all, Tensors& group, const optim::Step& step) const {
    for (optim::Member& x : all) {
      group[0] = group[0] + sum(square(x.g));
      x.slots[0] = x.slots[0] + x.g;
      x.p = x.p - step.lr * x.slots[0] / sqrt(group[0]);
      if (meets_fault()) spoil(x.p, x.slots);
    }
    if (fault == Fault::shared_gone) group = {};
    if (fault == Fault::shared_shape) group[0] = ones({2});
    if (fault == Fault::member_gone) all.pop_back();
  }
};

// A step that fails, and then one that does not: as if the first had not been.
template <class Rule>
void fails_and_goes_on(Fault what, const char* message) {
  manual_seed(6);
  Parameter a = parameter(randn({300, 5}, f64)), b = parameter(randn({4}, f64)), c = parameter(randn({4}, f32));
  Parameter a2 = a, b2 = b, c2 = c;
  Descent<Rule> optimizer({a, b}), twin({a2, b2});
  optimizer.add_group({c}), twin.add_group({c2});
  for (int t = 0; t < 4; ++t) {
    for (const auto& [x, y] : {std::pair{&a, &a2}, {&b, &b2}, {&c, &c2}}) {
      x->set_grad(randn(x->shape(), x->dtype()));
      y->set_grad(x->grad());
    }
    fault = what, updates = 0;
    std::string said;
    try {
      optimizer.step();
    } catch (const std::exception& e) {
      said = e.what();
    }
    fault = Fault::none;
    BOOST_TEST(said.find(message) != std::string::npos,
               Rule::name << ": '" << said << "' says nothing of '" << message << "'");
    BOOST_TEST((same_bits(a, a2) && same_bits(b, b2) && same_bits(c, c2) && same_state(optimizer, twin)), message);
    optimizer.step(), twin.step();
    BOOST_TEST((same_bits(a, a2) && same_bits(b, b2) && same_bits(c, c2) && same_state(optimizer, twin)), message);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_step_that_fails_changes_nothing) {
  fails_and_goes_on<Whole>(Fault::thrown, "no");
  fails_and_goes_on<Whole>(Fault::not_a_number, "[Faulty] NaN");
  fails_and_goes_on<Whole>(Fault::shape, "[Whole] its update gave f64 () for the parameter of 1, which is f64 (4,)");
  fails_and_goes_on<Whole>(Fault::dtype, "[Whole] its update gave f32 (4,) for the parameter of 1, which is f64 (4,)");
  fails_and_goes_on<Whole>(Fault::empty, "[Whole] its update gave an empty tensor for the parameter of 1");
  fails_and_goes_on<Whole>(Fault::slot_shape, "[Whole] its update gave f64 (8,) for v of 1, which is f64 (4,)");
  fails_and_goes_on<Whole>(Fault::slot_gone, "[Whole] its update left 0 slots where 1 came");
  fails_and_goes_on<Whole>(Fault::slot_new, "[Whole] its update left 2 slots where 1 came");
  fails_and_goes_on<Elementwise>(Fault::thrown, "no");
  fails_and_goes_on<Elementwise>(Fault::not_a_number, "[item] Elementwise says that it is elementwise");
  fails_and_goes_on<Elementwise>(Fault::shape, "[Elementwise] says that it is elementwise");
  fails_and_goes_on<Elementwise>(Fault::empty, "[Elementwise] the formula left operand 0 empty");
  fails_and_goes_on<Elementwise>(Fault::slot_gone, "[Elementwise] the formula changed the number of its operands");
  fails_and_goes_on<Elementwise>(Fault::slot_new, "[Elementwise] the formula changed the number of its operands");
  fails_and_goes_on<Together>(Fault::thrown, "no");
  fails_and_goes_on<Together>(Fault::shape, "[Together] its update gave f64 () for the parameter of 1");
  fails_and_goes_on<Together>(Fault::slot_shape, "[Together] its update gave f64 (8,) for v of 1");
  fails_and_goes_on<Together>(Fault::slot_gone, "[Together] its update left 0 slots where 1 came");
  fails_and_goes_on<Together>(Fault::slot_new, "[Together] its update left 2 slots where 1 came");
  fails_and_goes_on<Together>(Fault::shared_gone,
                              "[Together] its update left 0 tensors of the group's state where 1 came");
  fails_and_goes_on<Together>(Fault::shared_shape,
                              "[Together] its update gave f32 (2,) for total of the group, which is f64 ()");
  fails_and_goes_on<Together>(Fault::member_gone, "[Together] its update left 1 parameters where 2 came");
}

namespace {

struct Normalised {
  double lr = 0.1;
  static constexpr const char* name = "Normalised";
  static constexpr bool elementwise = true;
  static constexpr int line = __LINE__ + 1;
  void update(Tensor& p, const Tensor& g, const optim::Step& step) const { p = p - step.lr * g / norm(g); }
};
struct Product {
  double lr = 0.1;
  static constexpr const char* name = "Product";
  static constexpr bool elementwise = true;
  static constexpr int line = __LINE__ + 1;
  void update(Tensor& p, const Tensor& g, const optim::Step& step) const { p = p - step.lr * cumsum(g, 0); }
};
struct Reader {
  double lr = 0.1;
  static constexpr const char* name = "Reader";
  static constexpr bool elementwise = true;
  static constexpr int line = __LINE__ + 1;
  void update(Tensor& p, const Tensor& g, const optim::Step&) const { p = p - g.to_vector<double>()[0] * g; }
};
struct OfItsOwn {
  double lr = 0.1;
  static constexpr const char* name = "OfItsOwn";
  static constexpr bool elementwise = true;
  static constexpr const char* slots[] = {"m"};
  Tensor first(std::size_t, const Tensor&) const { return zeros({2}); }
  void update(Tensor&, const Tensor&, Tensor&, const optim::Step&) const {}
};
struct Centred {  // mean of nothing is an Error
  double lr = 0.1;
  static constexpr const char* slots[] = {"m"};
  void update(Tensor& p, const Tensor& g, Tensor& m, const optim::Step& step) const {
    m = g - mean(g), p = p - step.lr * m;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(elementwise_rules_that_are_not) {
  Parameter w = parameter(ones({3}, f64));
  const auto refused = [&](auto rule, const char* message, int line) {
    Descent optimizer({w}, rule);
    w.set_grad(ones({3}, f64));
    const NamedTensors before = optimizer.state();
    CHECK_ERROR(optimizer.step(), message);
    BOOST_TEST(line_of_error([&] { optimizer.step(); }) == line, message);
    BOOST_TEST(same_bits(w, ones({3}, f64)));
    BOOST_TEST(optimizer.state()[2].value.item() == 0);
  };
  refused(Normalised{}, "[Normalised] says that it is elementwise, but norm is not", Normalised::line);
  refused(Product{}, "[Product] says that it is elementwise, but cumsum is not", Product::line);
  refused(Reader{}, "Reader says that it is elementwise", Reader::line);
  CHECK_ERROR(Descent<OfItsOwn>({w}),
              "[OfItsOwn] the first m of 0 is f32 (2,), but the rule says that it is elementwise");
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

BOOST_AUTO_TEST_CASE(options_that_are_changed_later) {
  Parameter a = parameter(1.0), b = parameter(1.0f);
  const auto step = [&](optim::Optimizer& optimizer, const char* message) {
    a.set_grad(tensor(1.0)), b.set_grad(tensor(1.0f));
    const NamedTensors before = optimizer.state();
    const Tensor of_a = a, of_b = b;
    if (!*message) return optimizer.step();
    CHECK_ERROR(optimizer.step(), message);
    BOOST_TEST((same_bits(a, of_a) && same_bits(b, of_b)));
    for (std::size_t i = 0; i < before.size(); ++i) BOOST_TEST(same_bits(optimizer.state()[i].value, before[i].value));
  };
  optim::SGD sgd({a}, {.lr = 0.5});
  sgd.add_group({b}, {.lr = 0.5, .momentum = 0.9});
  sgd.rule(0).weight_decay = 1;
  step(sgd, "");
  BOOST_TEST(a.item() == 0);
  BOOST_TEST(b.item() == 0.5);
  sgd.rule(0).momentum = 0.9;
  step(sgd, "[SGD] the options of group 0 were changed to some that need other state (momentum_buffer) than it has ()");
  step(sgd, "need other state");
  sgd.rule(0).momentum = 0;
  sgd.rule(1).momentum = 0.5;
  step(sgd, "");
  BOOST_TEST(b.item() == -0.25);  // 0.5 - 0.5 (0.5 + 1)
  sgd.rule(1).momentum = -1;
  step(sgd, "[SGD] expected a finite momentum of 0 or more, got -1");
  sgd.rule(1).momentum = 0.5;
  sgd.rule(1).lr = 0.1;
  step(sgd, "[SGD] expected lr to be changed by set_lr(), which schedules know of, got 0.1");
  sgd.rule(1).lr = 0.5;
  step(sgd, "");
  CHECK_ERROR(sgd.rule(2), "[SGD] expected a group's number, 0 ... 1, got 2");
  CHECK_ERROR(sgd.rule(-1), "[SGD] expected a group's number, 0 ... 1, got -1");
  optim::SGD moved = std::move(sgd);
  CHECK_ERROR(sgd.rule(), "moved from");
  moved.rule().weight_decay = 0;
  step(moved, "");
  optim::RMSprop rmsprop({a, b});
  rmsprop.rule().eps = 1e-50;
  step(rmsprop, "[RMSprop] expected the eps to be in the range of f32");
  rmsprop.rule().eps = 1e-8;
  rmsprop.rule().centered = true;
  step(rmsprop, "need other state (square_avg, grad_avg) than it has (square_avg)");
}

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
