// What a rule's file in rules/ is made with. Private to optim/.
#pragma once

#include "autodiff/kernels/kernels.hpp"
#include <xgrad/optim/optimizer.hpp>

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
struct Elementwise<Rule>::Groups {
  std::vector<Options> options;
  std::vector<typename Rule::Step> steps;  // prepared
};

template <class Rule>
Elementwise<Rule>::Elementwise(const Parameters& parameters, Options options, Source source) try
    : Optimizer(Rule::name), groups_(new Groups) {
  add_group(parameters, options, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, Rule::name);
}
template <class Rule>
Elementwise<Rule>::Elementwise(Elementwise&&) noexcept = default;
template <class Rule>
Elementwise<Rule>& Elementwise<Rule>::operator=(Elementwise&&) noexcept = default;
template <class Rule>
Elementwise<Rule>::~Elementwise() = default;

template <class Rule>
void Elementwise<Rule>::add_group(const Parameters& parameters, Options options, Source source) try {
  bool of_f32 = false;
  for (const Parameters::Entry& entry : parameters)
    of_f32 |= entry.variable.get() && entry.value().defined() && entry.value().dtype() == f32;
  Rule::check(options, Require{Rule::name, source, of_f32});
  if (groups_) groups_->options.reserve(groups_->options.size() + 1);
  add(parameters, options.lr, Rule::slots(options), source);  // an Error where this was moved from
  groups_->options.push_back(options);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, Rule::name);
}

template <class Rule>
int Elementwise<Rule>::prepare(int group, double lr, Size t, Source source) {
  Options options = groups_->options[static_cast<std::size_t>(group)];
  if (drive(&options, source)) Rule::check(options, Require{Rule::name, source});
  groups_->steps.push_back(Rule::prepare(options, lr, t));
  return static_cast<int>(groups_->steps.size()) - 1;
}
template <class Rule>
void Elementwise<Rule>::begin() {
  groups_->steps.clear();
}
template <class Rule>
void Elementwise<Rule>::update(const Work* work, const Work* end) const {
  for (; work != end; ++work) Rule::update(*work, groups_->steps[static_cast<std::size_t>(work->step)]);
}

}  // namespace xgrad::optim
