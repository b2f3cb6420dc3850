// Every optimizer: 100 steps against its formula in plain loops, and bit for bit against the same rule run on tensors.
#define BOOST_TEST_MODULE optimizers
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>
#include "helpers.hpp"
#include "optimizer_formulas.hpp"
#include "references/references.hpp"

using namespace xgrad;
using formulas::Numbers;
using helpers::same_bits;

namespace {

struct Row {
  std::string name;
  bool of_matrices, of_t;  // of matrices only; its formula depends on t
  std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)> make;
  std::function<void(optim::Optimizer&, const Parameters&)> add;                            // another group
  std::function<Tensors(const Tensor& p)> first;                                            // values of the slots
  std::function<void(Tensors& x, const optim::Step&)> update;                               // the rule itself: p, g and the slots
  std::function<void(formulas::Variable&, const Numbers&, double lr, Size t, DType)> loops;  // the same, independently
};

// The rule on tensors, without a driver.
template <class Rule>
void update_on_tensors(const Rule& rule, Tensors& x, const optim::Step& step) {
  if constexpr (requires { rule.slot_names(); }) {
    Tensors slots;
    for (std::size_t k = 2; k < x.size(); ++k) slots.push_back(x[k]);
    rule.update(x[0], x[1], slots, step);
    for (std::size_t k = 2; k < x.size(); ++k) x[k] = slots[k - 2];
  } else {
    constexpr auto n = sizeof(Rule::slots) / sizeof(*Rule::slots);
    if constexpr (n == 1) rule.update(x[0], x[1], x[2], step);
    else if constexpr (n == 2) rule.update(x[0], x[1], x[2], x[3], step);
    else if constexpr (n == 3) rule.update(x[0], x[1], x[2], x[3], x[4], step);
    else rule.update(x[0], x[1], x[2], x[3], x[4], x[5], step);
  }
}
template <class Rule>
std::size_t slots_of(const Rule& rule) {
  if constexpr (requires { rule.slot_names(); }) return rule.slot_names().size();
  else return sizeof(Rule::slots) / sizeof(*Rule::slots);
}

template <class Rule>
Row row(const std::string& options, bool of_t, const Rule& rule) {
  return {std::string(Rule::name) + " " + options, std::is_same_v<Rule, optim::MuonRule>, of_t,
          [=](const Parameters& p) { return std::make_unique<optim::Descent<Rule>>(p, rule); },
          [=](optim::Optimizer& to, const Parameters& p) { dynamic_cast<optim::Descent<Rule>&>(to).add_group(p, rule); },
          [=](const Tensor& p) {
            Tensors slots;
            for (std::size_t k = 0; k < slots_of(rule); ++k)
              if constexpr (requires { rule.first(k, p); }) slots.push_back(rule.first(k, p));
              else slots.push_back(zeros_like(p));
            return slots;
          },
          [=](Tensors& x, const optim::Step& step) { update_on_tensors(rule, x, step); },
          [=](formulas::Variable& x, const Numbers& g, double lr, Size t, DType dtype) {
            if constexpr (std::is_same_v<Rule, optim::AdafactorRule>)
              formulas::step(rule, x, g, lr, t, dtype == f64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon());
            else
              formulas::step(rule, x, g, lr, t);
          }};
}

template <class Rule>
void add_adam(std::vector<Row>& all) {
  for (const double decay : {0.0, 0.1})
    for (const bool amsgrad : {false, true})
      for (const bool maximize : {false, true})
        all.push_back(row(fmt::format("{} {:d} {:d}", decay, amsgrad, maximize), true,
                          Rule{.lr = 0.02, .beta1 = 0.8, .weight_decay = decay, .amsgrad = amsgrad, .maximize = maximize}));
  all.push_back(row("defaults", true, Rule{}));
}

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const double momentum : {0.0, 0.9})
    for (const double dampening : {0.0, 0.3})
      for (const double decay : {0.0, 0.1})
        for (const bool nesterov : {false, true})
          for (const bool maximize : {false, true}) {
            if (nesterov && (momentum == 0 || dampening != 0)) continue;
            all.push_back(row(fmt::format("{} {} {} {:d} {:d}", momentum, dampening, decay, nesterov, maximize), false,
                              optim::SGDRule{.lr = 0.02, .momentum = momentum, .dampening = dampening, .weight_decay = decay,
                                             .nesterov = nesterov, .maximize = maximize}));
          }
  add_adam<optim::AdamRule>(all);
  add_adam<optim::AdamWRule>(all);
  for (const double momentum : {0.0, 0.9})
    for (const bool centered : {false, true})
      for (const double decay : {0.0, 0.1})
        for (const bool maximize : {false, true})
          all.push_back(row(fmt::format("{} {:d} {} {:d}", momentum, centered, decay, maximize), false,
                            optim::RMSpropRule{.lr = 0.02, .alpha = 0.9, .eps = 1e-6, .weight_decay = decay, .momentum = momentum,
                                               .centered = centered, .maximize = maximize}));
  all.push_back(row("defaults", false, optim::RMSpropRule{}));
  for (const double decay : {0.0, 0.1})
    for (const double start : {0.0, 0.5})
      for (const bool maximize : {false, true})
        all.push_back(row(fmt::format("{} {} {:d}", decay, start, maximize), true,
                          optim::AdagradRule{.lr = 0.05, .lr_decay = 0.02, .weight_decay = decay, .initial_accumulator_value = start,
                                             .maximize = maximize}));
  all.push_back(row("defaults", false, optim::AdagradRule{}));
  for (const double decay : {0.0, 0.1})
    for (const bool no_prox : {false, true})
      all.push_back(row(fmt::format("{} {:d}", decay, no_prox), true,
                        optim::AdanRule{.lr = 0.02, .beta1 = 0.9, .weight_decay = decay, .no_prox = no_prox}));
  all.push_back(row("defaults", true, optim::AdanRule{}));
  for (const double decay : {0.0, 0.1}) all.push_back(row(fmt::format("{}", decay), true, optim::LAMBRule{.lr = 0.02, .weight_decay = decay}));
  all.push_back(row("defaults", true, optim::LAMBRule{}));
  for (const bool nesterov : {false, true})
    for (const bool match : {false, true})
      all.push_back(row(fmt::format("{:d} {:d}", nesterov, match), false,
                        optim::MuonRule{.lr = 0.02, .momentum = 0.9, .nesterov = nesterov, .match_rms_adamw = match}));
  all.push_back(row("defaults", false, optim::MuonRule{}));
  for (const double decay : {0.0, 0.1})
    for (const bool maximize : {false, true})
      all.push_back(row(fmt::format("{} {:d}", decay, maximize), true,
                        optim::AdafactorRule{.lr = 0.05, .eps1 = 1e-6, .d = 1.5, .weight_decay = decay, .maximize = maximize}));
  all.push_back(row("defaults", true, optim::AdafactorRule{}));
  return all;
}

const std::vector<Shape> any_shapes{{}, {0}, {1}, {7}, {3, 5}, {600}, {2, 4, 3}, {3, 0}, {40, 30}},
    matrix_shapes{{3, 5}, {5, 3}, {1, 7}, {7, 1}, {1, 1}, {0, 4}, {4, 0}, {40, 30}};

// One parameter, three times: what an optimizer trains, what the rule does on tensors, and what loops make of it.
struct Trial {
  Parameter trained;
  Tensors tensors;  // p, g and the slots
  formulas::Variable loops;
  Size t = 0;
  double greatest = 0;

  Trial(const Row& r, const Shape& shape, DType dtype) : trained(randn(shape, dtype)) {
    tensors = {trained.value(), Tensor()};
    for (const Tensor& slot : r.first(trained)) tensors.push_back(slot);
    loops.shape = std::vector<Size>(shape.begin(), shape.end());
    loops.p = trained.value().to_vector<double>();
  }
  // The t-th of all steps: some give it no gradient, and the first one zeros.
  bool set_gradient(Size step, std::size_t number) {
    trained.zero_grad();
    if ((static_cast<std::size_t>(step) + number) % 4 == 0) return false;
    Tensor g = randn(trained.shape(), trained.dtype());
    if (t == 0 && number % 3 == 1) g = zeros_like(g);
    trained.set_grad(g);
    ++t;
    return true;
  }
  void step_tensors(const Row& r, double lr) {
    const Eager eager;
    const NoGrad constant;
    tensors[1] = trained.grad();
    if (trained.numel() > 0) r.update(tensors, {lr, t});
  }
  // Empty where p is near the loops' numbers: relative to the greatest that they have been, as a number may pass through 0.
  std::string off(const Tensor& p) {
    const std::vector<double> got = p.to_vector<double>();
    const double tolerance = trained.dtype() == f64 ? 1e-12 : 1e-5;
    for (const double v : loops.p) greatest = std::max(greatest, std::abs(v));
    for (std::size_t i = 0; i < got.size(); ++i)
      if (!(std::abs(got[i] - loops.p[i]) <= tolerance * greatest))
        return fmt::format("element {}: {} instead of {}, off by {} of the greatest", i, got[i], loops.p[i],
                           std::abs(got[i] - loops.p[i]) / greatest);
    return {};
  }
};
std::vector<Trial> trials_of(const Row& r) {
  std::vector<Trial> all;
  for (const Shape& shape : r.of_matrices ? matrix_shapes : any_shapes)
    for (const DType dtype : {f64, f32}) all.emplace_back(r, shape, dtype);
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_hundred_steps) {
  manual_seed(7);
  for (const Row& r : rows()) {
    std::vector<Trial> trials = trials_of(r);
    Parameters list;
    for (std::size_t i = 0; i < trials.size(); ++i) list.add(std::to_string(i), trials[i].trained);
    auto optimizer = r.make(list);
    std::string first_off;
    for (Size step = 1; step <= 100 && first_off.empty(); ++step) {
      if (step == 50) optimizer->set_lr(optimizer->lr() / 2);
      if (step == 37) {  // goes on from a file as if nothing had been
        optimizer->save("state.safetensors");
        optimizer = r.make(list);
        optimizer->load("state.safetensors");
      }
      std::vector<bool> has(trials.size());
      for (std::size_t i = 0; i < trials.size(); ++i) has[i] = trials[i].set_gradient(step, i);
      optimizer->step();
      for (std::size_t i = 0; i < trials.size() && first_off.empty(); ++i) {
        Trial& x = trials[i];
        if (has[i]) {
          x.step_tensors(r, optimizer->lr());
          if (x.trained.numel() > 0) r.loops(x.loops, x.trained.grad().to_vector<double>(), optimizer->lr(), x.t, x.trained.dtype());
        }
        std::string off = same_bits(x.trained, x.tensors[0]) ? x.off(x.trained) : "not the bits of the rule on tensors";
        if (!off.empty()) first_off = fmt::format("step {}, {} {}: {}", step, name(x.trained.dtype()), x.trained.shape(), off);
      }
    }
    BOOST_TEST(first_off == "", r.name << ": " << first_off);
    if (!first_off.empty()) continue;
    const NamedTensors state = optimizer->state();
    std::size_t at = 2;
    for (const Trial& x : trials) {
      BOOST_TEST(state[at++].value.to_vector<Size>()[0] == x.t, r.name);
      for (std::size_t k = 2; k < x.tensors.size(); ++k, ++at) BOOST_TEST(same_bits(state[at].value, x.tensors[k]), r.name << " " << state[at].name);
    }
    BOOST_TEST(at == state.size());
  }
}

// A formula that is wrong somewhere is seen by the comparison above.
BOOST_AUTO_TEST_CASE(mutants_are_caught) {
  manual_seed(8);
  for (const Row& r : rows()) {
    const auto is_seen = [&](const std::function<void(Tensors&, optim::Step)>& broken) {
      for (Trial& x : trials_of(r)) {
        if (x.trained.dtype() != f64 || x.trained.numel() < 2) continue;
        for (Size step = 1; step <= 20; ++step) {
          if (!x.set_gradient(step, 2)) continue;
          x.tensors[1] = x.trained.grad();
          broken(x.tensors, {0.02, x.t});
          r.loops(x.loops, x.trained.grad().to_vector<double>(), 0.02, x.t, f64);
        }
        if (!x.off(x.tensors[0]).empty()) return true;
      }
      return false;
    };
    BOOST_TEST(!is_seen([&](Tensors& x, const optim::Step& s) { r.update(x, s); }), r.name);
    BOOST_TEST(is_seen([&](Tensors& x, const optim::Step& s) { r.update(x, {s.lr * (1 + 1e-9), s.t}); }), r.name << ": lr");
    BOOST_TEST(is_seen([&](Tensors& x, const optim::Step& s) { r.update(x, s), x[0] = x[0] * (1 + 1e-12); }), r.name << ": p");
    BOOST_TEST(is_seen([&](Tensors& x, const optim::Step& s) { x[1] = -x[1], r.update(x, s); }), r.name << ": g");
    if (r.of_t) BOOST_TEST(is_seen([&](Tensors& x, const optim::Step& s) { r.update(x, {s.lr, s.t + 1}); }), r.name << ": t");
    for (std::size_t k = 2; k < r.first(zeros({2, 2}, f64)).size() + 2; ++k)
      BOOST_TEST(is_seen([&](Tensors& x, const optim::Step& s) {
                   const Tensor before = x[k];
                   r.update(x, s);
                   x[k] = before;
                 }), r.name << ": slot " << k - 2);
  }
}

namespace {

std::size_t below(std::size_t n) { return static_cast<std::size_t>(randint(0, n, {}).item()); }
double between(double low, double high) { return low + (high - low) * rand({}, f64).item(); }

// A few groups with options of their own, of random parameters, against the rules on tensors.
template <class Rule>
void random_groups(const std::function<Rule()>& draw) {
  for (int round = 0; round < 8; ++round) {
    const std::size_t groups = 1 + below(4);
    std::vector<Trial> trials;
    std::vector<Row> rules;        // by group
    std::vector<std::size_t> own;  // group of each
    for (std::size_t g = 0; g < groups; ++g) {
      rules.push_back(row("", false, draw()));
      for (std::size_t n = 1 + below(6); n > 0; --n) {
        const std::vector<Shape>& shapes = rules[g].of_matrices ? matrix_shapes : any_shapes;
        trials.emplace_back(rules[g], shapes[below(shapes.size())], below(2) ? f64 : f32);
        own.push_back(g);
      }
    }
    const auto make = [&] {
      std::vector<Parameters> lists(groups);
      for (std::size_t i = 0; i < trials.size(); ++i) lists[own[i]].add(std::to_string(i), trials[i].trained);
      return lists;
    };
    const std::vector<Parameters> lists = make();
    auto optimizer = rules[0].make(lists[0]);
    for (std::size_t g = 1; g < groups; ++g) rules[g].add(*optimizer, lists[g]);
    for (Size step = 1; step <= 12; ++step) {
      bool any = false;
      std::vector<bool> has(trials.size());
      for (std::size_t i = 0; i < trials.size(); ++i) any |= has[i] = trials[i].set_gradient(step, below(4));
      if (!any) continue;
      optimizer->set_lr(between(0.001, 0.1), static_cast<Size>(below(groups)));
      optimizer->step();
      for (std::size_t i = 0; i < trials.size(); ++i) {
        if (has[i]) trials[i].step_tensors(rules[own[i]], optimizer->lr(static_cast<Size>(own[i])));
        BOOST_TEST_REQUIRE(same_bits(trials[i].trained, trials[i].tensors[0]), rules[own[i]].name << " parameter " << i << " in step " << step);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(groups_of_all_kinds) {
  manual_seed(10);
  random_groups<optim::SGDRule>([] {
    const bool nesterov = below(2);
    return optim::SGDRule{.lr = between(0, 0.1), .momentum = nesterov || below(2) ? between(0.1, 0.9) : 0,
                          .dampening = nesterov ? 0 : between(0, 0.5), .weight_decay = between(0, 0.1), .nesterov = nesterov};
  });
  random_groups<optim::AdamRule>([] { return optim::AdamRule{.lr = between(0, 0.1), .weight_decay = between(0, 0.1), .amsgrad = below(2) == 1}; });
  random_groups<optim::AdamWRule>([] { return optim::AdamWRule{.lr = between(0, 0.1), .amsgrad = below(2) == 1, .maximize = below(2) == 1}; });
  random_groups<optim::RMSpropRule>([] {
    return optim::RMSpropRule{.lr = between(0, 0.1), .alpha = between(0.5, 0.99), .momentum = below(2) ? between(0, 0.9) : 0, .centered = below(2) == 1};
  });
  random_groups<optim::AdagradRule>([] { return optim::AdagradRule{.lr = between(0, 0.1), .initial_accumulator_value = between(0, 1)}; });
  random_groups<optim::AdanRule>([] { return optim::AdanRule{.lr = between(0, 0.1), .weight_decay = between(0, 0.1), .no_prox = below(2) == 1}; });
  random_groups<optim::LAMBRule>([] { return optim::LAMBRule{.lr = between(0, 0.1), .weight_decay = between(0, 0.1)}; });
  random_groups<optim::MuonRule>([] { return optim::MuonRule{.lr = between(0, 0.1), .nesterov = below(2) == 1}; });
  random_groups<optim::AdafactorRule>([] { return optim::AdafactorRule{.lr = between(0, 0.1), .d = between(1, 2)}; });
}

BOOST_AUTO_TEST_CASE(on_any_number_of_threads) {
  manual_seed(9);
  const int before = threads();
  for (const Row& r : rows()) {
    if (!r.name.ends_with("defaults")) continue;
    const Tensor start = evaluate(randn({301, 299})), g = evaluate(randn({301, 299})), little = evaluate(randn({5, 3}));
    Tensors wanted;
    for (const int n : {1, 2, 3}) {
      set_threads(n);
      Parameter a = parameter(start), b = parameter(little);
      const auto optimizer = r.make({a, b});
      for (int i = 0; i < 3; ++i) {
        a.set_grad(g * (1.0 + i));
        b.set_grad(little);
        optimizer->step();
      }
      if (n == 1) wanted = {a, b};
      BOOST_TEST((same_bits(a, wanted[0]) && same_bits(b, wanted[1])), r.name << " on " << n);
    }
  }
  set_threads(before);
}

BOOST_AUTO_TEST_CASE(bad_options) {
  Parameter w = parameter({{1.0, 2.0}, {3.0, 4.0}}), single = parameter(ones({2, 2})), vector = parameter(ones({3}));
  for (const double bad : {-1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    CHECK_ERROR(optim::RMSprop({w}, {.lr = bad}), "[RMSprop] expected a finite lr");
    CHECK_ERROR(optim::RMSprop({w}, {.eps = bad}), "[RMSprop] expected a finite eps");
    CHECK_ERROR(optim::RMSprop({w}, {.momentum = bad}), "[RMSprop] expected a finite momentum");
    CHECK_ERROR(optim::RMSprop({w}, {.alpha = bad}), "[RMSprop] expected alpha in [0, 1)");
    CHECK_ERROR(optim::Adagrad({w}, {.lr_decay = bad}), "[Adagrad] expected a finite lr_decay");
    CHECK_ERROR(optim::Adagrad({w}, {.initial_accumulator_value = bad}), "[Adagrad] expected a finite initial_accumulator_value");
    CHECK_ERROR(optim::Adagrad({w}, {.eps = bad}), "[Adagrad] expected a finite eps");
    CHECK_ERROR(optim::Adan({w}, {.beta3 = bad}), "[Adan] expected beta3 in [0, 1)");
    CHECK_ERROR(optim::Adan({w}, {.weight_decay = bad}), "[Adan] expected a finite weight_decay");
    CHECK_ERROR(optim::LAMB({w}, {.beta1 = bad}), "[LAMB] expected beta1 in [0, 1)");
    CHECK_ERROR(optim::LAMB({w}, {.weight_decay = bad}), "[LAMB] expected a finite weight_decay");
    CHECK_ERROR(optim::Muon({w}, {.momentum = bad}), "[Muon] expected momentum in [0, 1)");
    CHECK_ERROR(optim::Muon({w}, {.eps = bad}), "[Muon] expected a finite eps");
    CHECK_ERROR(optim::Adafactor({w}, {.eps2 = bad}), "[Adafactor] expected a finite eps2");
    CHECK_ERROR(optim::Adafactor({w}, {.d = std::min(bad, 0.5)}), "[Adafactor] expected a finite d of 1 or more");
  }
  CHECK_ERROR(optim::Muon({w}, {.steps = -1}), "[Muon] expected steps of 0 or more, got -1");
  CHECK_ERROR(optim::Adafactor({w}, {.beta2_decay = 0.5}), "[Adafactor] expected a finite beta2_decay below 0");
  CHECK_ERROR(optim::RMSprop({single}, {.eps = 1e-50}), "[RMSprop] expected the eps to be in the range of f32");
  CHECK_ERROR(optim::Muon({w, vector}), "[Muon] expected matrices, got (3,) for 1; give what is no matrix to another optimizer");
  optim::Muon muon({w});
  CHECK_ERROR(muon.add_group({vector}), "[Muon] expected matrices, got (3,) for 0");
  BOOST_TEST(muon.groups() == 1);
}
