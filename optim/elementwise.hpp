// The members of Elementwise<Rule>: each rule's .cpp instantiates them, so that programs need not. Private to optim/.
#pragma once

#include "optim/optimizer.hpp"

namespace xgrad::optim {

template <class Rule>
Elementwise<Rule>::Elementwise(const Parameters& parameters, Options options, Source source) : Optimizer(Rule::name) {
  add_group(parameters, options, source);
}
template <class Rule>
Elementwise<Rule>::Elementwise(Elementwise&&) noexcept = default;
template <class Rule>
Elementwise<Rule>& Elementwise<Rule>::operator=(Elementwise&&) noexcept = default;
template <class Rule>
Elementwise<Rule>::~Elementwise() = default;

template <class Rule>
void Elementwise<Rule>::add_group(const Parameters& parameters, Options options, Source source) {
  Rule::check(options, Require{Rule::name, source});
  options_.reserve(options_.size() + 1);
  add(parameters, options.lr, Rule::slots(options), source);
  options_.push_back(options);
}

template <class Rule>
int Elementwise<Rule>::prepare(int group, double lr, Size t) {
  steps_.push_back(Rule::prepare(options_[static_cast<std::size_t>(group)], lr, t));
  return static_cast<int>(steps_.size()) - 1;
}
template <class Rule>
void Elementwise<Rule>::begin() {
  steps_.clear();
}
template <class Rule>
void Elementwise<Rule>::update(const Work* work, const Work* end) const {
  Rule::update(steps_.data(), work, end);
}

}  // namespace xgrad::optim
