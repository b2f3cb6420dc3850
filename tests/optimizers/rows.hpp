// The rows of table.def, and rules run on tensors by hand, without a driver.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

namespace rows {

using namespace xgrad;

// A parameter as a rule sees it. No g: it takes no part in a step.
struct Variable {
  Tensor p, g;
  Tensors slots;
  std::vector<double> numbers;
  Size t = 0;
};

template <class Rule>
std::vector<std::string> slots_of(const Rule& rule) {
  if constexpr (requires { rule.slot_names(); }) {
    const auto names = rule.slot_names();
    return {names.begin(), names.end()};
  } else if constexpr (requires { Rule::slots[0]; }) {
    return {std::begin(Rule::slots), std::end(Rule::slots)};
  } else {
    return {};
  }
}
template <class Rule>
constexpr std::size_t numbers_of() {
  if constexpr (requires { Rule::numbers[0]; }) return sizeof(Rule::numbers) / sizeof(*Rule::numbers);
  else return 0;
}

template <class Rule, std::size_t... k>
void update_slots(const Rule& rule, Variable& x, const optim::Step& step, std::index_sequence<k...>) {
  rule.update(x.p, x.g, x.slots.begin()[k]..., step);
}
template <class Rule>
void update(const Rule& rule, Variable& x, optim::Step step) {
  if constexpr (requires { rule.advance(x.numbers.data(), step); }) rule.advance(x.numbers.data(), step);
  step.numbers = x.numbers.data();
  if (x.p.numel() == 0) return;
  if constexpr (requires { rule.update(x.p, x.g, x.slots, step); }) {
    rule.update(x.p, x.g, x.slots, step);
  } else if constexpr (requires { Rule::slots[0]; }) {
    update_slots(rule, x, step, std::make_index_sequence<sizeof(Rule::slots) / sizeof(*Rule::slots)>());
  } else {
    rule.update(x.p, x.g, step);
  }
}

// A 0-d number of f64, as a group's state may be, makes f64 of one of f32: it is kept in the dtype that it had.
inline void keep(Tensor& held, const Tensor& now) {
  const DType dtype = held.dtype();
  held = now.dtype() == dtype ? now : cast(now, dtype);
}
inline void keep(Variable& x, const Tensor& p, const Tensors& slots) {
  keep(x.p, p);
  for (std::size_t k = 0; k < slots.size(); ++k) keep(x.slots.begin()[k], slots.begin()[k]);
}

// One step of all that have a gradient.
template <class Rule>
void step(const Rule& rule, std::vector<Variable*> all, Tensors& shared, double lr) {
  const Eager eager;
  const NoGrad constant;
  if constexpr (requires(std::vector<optim::Member> & members, const optim::Step& s) {
                  rule.update_all(members, shared, s);
                }) {
    Size most = 0;
    for (const Variable* x : all) most = std::max(most, x->t);
    std::vector<optim::Member> members;
    std::erase_if(all, [](Variable* x) { return !x->g.defined() || (++x->t, x->p.numel() == 0); });
    for (Variable* x : all) members.push_back({x->p, rule.maximize ? -x->g : x->g, x->slots, x->t});
    if (members.empty()) return;
    rule.update_all(members, shared, {lr, most + 1});
    for (std::size_t i = 0; i < all.size(); ++i) keep(*all[i], members[i].p, members[i].slots);
  } else {
    for (Variable* x : all) {
      if (!x->g.defined()) continue;
      Variable now = *x;
      if (rule.maximize) now.g = -now.g;
      update(rule, now, {lr, ++x->t});
      keep(*x, now.p, now.slots);
      x->numbers = now.numbers;
    }
  }
}

struct Row {
  std::string name, key;  // of the rule; with its options
  bool of_matrices, evaluates;
  bool keeps_lr;  // each number has a step of its own, and the rate is its first only
  double lr;
  std::vector<std::string> slots;
  std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)> make;
  std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)> turned;  // goes up where `make` goes down
  std::function<void(optim::Optimizer&, const Parameters&)> add;               // another group
  // by hand
  std::function<Variable(const Tensor& p)> begin;
  std::function<Tensors()> begin_shared;
  std::function<void(const std::vector<Variable*>& all, Tensors& shared, double lr)> step;
  std::function<Tensor(const Variable&, double lr)> evaluated;
};

template <class Rule>
Row row(const std::string& options, const Rule& rule) {
  Row r;
  r.name = Rule::name;
  r.key = options.empty() ? r.name : r.name + " " + options;
  r.of_matrices = std::is_same_v<Rule, optim::MuonRule>;
  r.evaluates = requires(const Tensor& p, const Tensors& s, const optim::Step& at) { rule.evaluated(p, s, at); };
  r.keeps_lr = r.name == "Rprop" || r.name == "DeltaBarDelta";
  r.lr = rule.lr;
  r.slots = slots_of(rule);
  r.make = [=](const Parameters& p) { return std::make_unique<optim::Descent<Rule>>(p, rule); };
  r.turned = [=](const Parameters& p) {
    Rule turned = rule;
    turned.maximize = !rule.maximize;
    return std::make_unique<optim::Descent<Rule>>(p, turned);
  };
  r.add = [=](optim::Optimizer& to, const Parameters& p) {
    dynamic_cast<optim::Descent<Rule>&>(to).add_group(p, rule);
  };
  r.begin = [=](const Tensor& p) {
    Variable x{p, {}, {}, std::vector<double>(numbers_of<Rule>())};
    for (std::size_t k = 0; k < slots_of(rule).size(); ++k) {
      Tensor first;
      if constexpr (requires { rule.first(k, p); }) first = rule.first(k, p);
      x.slots.push_back(first.defined() ? first : zeros_like(p));
    }
    return x;
  };
  r.begin_shared = [=] {
    Tensors shared;
    if constexpr (requires { Rule::shared[0]; }) {
      for (std::size_t k = 0; k < sizeof(Rule::shared) / sizeof(*Rule::shared); ++k) {
        if constexpr (requires { rule.first_shared(k); }) shared.push_back(rule.first_shared(k));
        else shared.push_back(zeros({}, f64));
      }
    }
    return shared;
  };
  r.step = [=](const std::vector<Variable*>& all, Tensors& shared, double lr) { rows::step(rule, all, shared, lr); };
  r.evaluated = [=](const Variable& x, double lr) {
    if constexpr (requires(const optim::Step& at) { rule.evaluated(x.p, x.slots, at); })
      return rule.evaluated(x.p, x.slots, {lr, x.t, x.numbers.data()});
    else return x.p;
  };
  return r;
}

std::vector<Row> all();      // the table
std::vector<Row> of_loss();  // of_loss.def

// What another program made of a problem.
struct Published {
  std::string problem, rule, whose;
  double tolerance;
  std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)> make;
  std::vector<double> numbers;
};
std::vector<Published> published();  // of published.def

// What it comes to on a problem of problems.hpp.
struct Goal {
  std::string problem, rule;
  int steps;
  double below;  // 0: the problem's own
  std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)> make;
};
std::vector<Goal> goals();  // of problems.def

// An option that makes no sense, and what is said of it.
struct Refusal {
  std::string rule, option;
  double value;
  std::string expected;
  std::function<void(Parameter&)> make;               // an optimizer with it
  std::function<void(Parameter&)> step_after_change;  // one that had others
};
std::vector<Refusal> refusals();  // of bad_options.def

}  // namespace rows
