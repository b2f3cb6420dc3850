// What a rule has (descent.hpp lists it), asked at compile time: for Descent, and for rules that are made of another. In a
// namespace of its own, for a program may have functions of these names.
#pragma once

#include <utility>
#include <vector>

#include <xgrad/autodiff/tensor.hpp>
#include <xgrad/optim/step.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim::of_rule {

// The length of a static array of names.
template <auto& names>
inline constexpr std::size_t length_of = sizeof(names) / sizeof(*names);

template <class Rule>
std::vector<const char*> slots_of(const Rule& rule) {
  if constexpr (requires { rule.slot_names(); }) return rule.slot_names();
  else if constexpr (requires { Rule::slots[0]; }) return {Rule::slots, Rule::slots + length_of<Rule::slots>};
  else return {};
}

template <class Rule>
constexpr std::size_t count_of_numbers() {
  if constexpr (requires { Rule::numbers[0]; }) return length_of<Rule::numbers>;
  else return 0;
}

template <class Rule>
Tensor first_of(const Rule& rule, std::size_t slot, const Tensor& p) {
  if constexpr (requires { rule.first(slot, p); }) return rule.first(slot, p);
  else return {};  // zeros
}

template <class Rule>
void advance_by(const Rule& rule, double* numbers, const Step& step) {
  if constexpr (requires { rule.advance(numbers, step); }) rule.advance(numbers, step);
}

// The rule's update, whether it has its slots by name or as arguments.
template <class Rule>
void update_by(const Rule& rule, Tensor& p, const Tensor& g, Tensors& slots, const Step& step) {
  if constexpr (requires { rule.slot_names(); }) {
    rule.update(p, g, slots, step);
  } else if constexpr (requires { Rule::slots[0]; }) {
    [&]<std::size_t... k>(std::index_sequence<k...>) { rule.update(p, g, slots.begin()[k]..., step); }
    (std::make_index_sequence<length_of<Rule::slots>>());
  } else {
    rule.update(p, g, step);
  }
}

}  // namespace xgrad::optim::of_rule

#pragma GCC visibility pop
