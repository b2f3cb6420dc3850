// What a rule's file in rules/ is made with. Private to optim/.
#pragma once

#include "autodiff/kernels/kernels.hpp"
#include "optim/optimizer.hpp"

// update(work, step): of a formula that the file's other part compiles once an instruction set, the one in use.
#if defined(__x86_64__)
#define XGRAD_FORMULA(update, Step)                                                                   \
  namespace sse2 { void update(const Work&, const Step&); }                                           \
  namespace avx2 { void update(const Work&, const Step&); }                                           \
  namespace avx512 { void update(const Work&, const Step&); }                                         \
  static void update(const Work& w, const Step& s) {                                                  \
    static constexpr void (*compiled[])(const Work&, const Step&) = {sse2::update, avx2::update, avx512::update}; \
    compiled[kernels::table().level](w, s);                                                           \
  }
#else
#define XGRAD_FORMULA(update, Step)                           \
  namespace native { void update(const Work&, const Step&); } \
  static void update(const Work& w, const Step& s) { native::update(w, s); }
#endif

// The members of Elementwise<Rule>: each rule's file instantiates them, so that programs need not.
namespace xgrad::optim {

template <class Rule>
Elementwise<Rule>::Elementwise(const Parameters& parameters, Options options, Source source) : Optimizer(Rule::name) {
  add_group(parameters, options, source);
}
template <class Rule>
Elementwise<Rule>::Elementwise(Elementwise&&) noexcept = default;
template <class Rule>
Elementwise<Rule>& Elementwise<Rule>::operator=(Elementwise&& other) noexcept {
  if (this == &other) return *this;  // a vector that is moved to itself may be empty then
  Optimizer::operator=(std::move(other));
  options_ = std::move(other.options_);
  steps_ = std::move(other.steps_);
  return *this;
}
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
  for (; work != end; ++work) Rule::update(*work, steps_[static_cast<std::size_t>(work->step)]);
}

}  // namespace xgrad::optim
