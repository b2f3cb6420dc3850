// Rules made of another, any that has an `update`, yours too: it is a base of theirs, so its options come first, in braces of
// their own:
//   optim::Cautious<optim::LionRule> cautious(parameters, {{.lr = 1e-4}});
//   optim::ScheduleFree<optim::RMSpropRule> free(parameters, {{.lr = 1e-2}, 0.95});
#pragma once

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// "Of<Base>".
template <class Base>
struct NameOfTwo {
  char text[64] = {};
  constexpr explicit NameOfTwo(const char* of) {
    std::size_t n = 0;
    const auto add = [&](const char* s) {
      while (*s && n + 2 < sizeof text) text[n++] = *s++;
    };
    add(of), add("<");
    if constexpr (requires { Base::name; }) add(Base::name);
    else add("Descent");
    text[n] = '>';
  }
};

namespace of_rule {

template <class Base, std::size_t... k>
constexpr bool takes_slots(std::index_sequence<k...>) {
  return requires(const Base& b, Tensor& p, const Tensor& g, Tensors& slots, const Step& step) {
    b.update(p, g, slots.begin()[k]..., step);
  };
}
// Can update_by() call it?
template <class Base>
constexpr bool has_update() {
  if constexpr (requires(const Base& b) { b.slot_names(); })
    return requires(const Base& b, Tensor& p, const Tensor& g, Tensors& slots, const Step& step) {
      b.update(p, g, slots, step);
    };
  else if constexpr (requires { Base::slots[0]; })
    return takes_slots<Base>(std::make_index_sequence<length_of<Base::slots>>());
  else return takes_slots<Base>(std::index_sequence<>());
}
// What is asked of a rule that another is made of.
template <class Base>
constexpr bool may_be_base() {
  static_assert(has_update<Base>(), "Cautious and ScheduleFree are made of a rule with an `update`");
  static_assert(
      !requires(const Base& b, const Tensor& p, const Tensors& s, const Step& step) { b.evaluated(p, s, step); },
      "Cautious and ScheduleFree are made of a rule that has no weights of its own to be judged by");
  return true;
}
template <class Base>
void check_base(const Base& base, const Require& require) {
  if constexpr (requires { base.check(require); }) base.check(require);
}

}  // namespace of_rule

// Of the step u = p - (p after Base's step) only what goes downhill by the present gradient: k = 1 where u g > 0, else 0;
//   p <- p - k u / max(mean k, 1e-3), the mean of the whole tensor
// (Liang et al. 2024). What Base's decay does is part of u; CautiousAdamW and CautiousLion, as their authors have them, leave it out.
template <class Base>
struct CautiousRule : Base {
  static constexpr NameOfTwo<Base> both{"Cautious"};
  static constexpr const char* name = both.text;
  static constexpr bool elementwise = false;
  static_assert(of_rule::may_be_base<Base>());

  std::vector<const char*> slot_names() const { return of_rule::slots_of<Base>(*this); }
  void update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const {
    Tensor there = p;
    of_rule::update_by<Base>(*this, there, g, slots, step);
    const Tensor u = p - there, k = where(u * g > 0, ones_like(g), 0.0);
    p = p - k * u / maximum(mean(k), 1e-3);
  }
  void check(const Require& require) const {
    of_rule::check_base<Base>(*this, require);
    if constexpr (requires(const Base& b) { b.by_rows(); })
      require(!Base::by_rows(),
              "a rule that steps all numbers, not one that leaves rows alone (of which mean k is that much less)", 0);
  }
  void prepare(const Step&) const = delete;  // Base's compiled formula
};
template <class Base>
using Cautious = Descent<CautiousRule<Base>>;

// The average of Schedule-Free in place of Base's momentum, which should have none. z begins as p; p, which is trained, is y of the
// paper; t from 1:
//   z <- z after Base's step by the gradient at y, its decay at z       c = t^r m^2 / (sum of all t^r m^2), m the greatest lr so far
//   x <- (1 - c) x + c z, where x is y + (1 - 1 / average) (z - y)       y <- average x + (1 - average) z
//   eval():  x
// (Defazio et al. 2024, as the authors' ScheduleFreeWrapper). Of an elementwise Base it is elementwise.
template <class Base>
struct ScheduleFreeRule : Base {
  double average = 0.9;  // the paper's beta
  double r = 0;

  static constexpr NameOfTwo<Base> both{"ScheduleFree"};
  static constexpr const char* name = both.text;
  static_assert(of_rule::may_be_base<Base>());

  std::vector<const char*> slot_names() const {
    std::vector<const char*> names = of_rule::slots_of<Base>(*this);
    names.push_back("z");
    return names;
  }
  Tensor first(std::size_t slot, const Tensor& p) const {
    return slot == of_rule::slots_of<Base>(*this).size() ? p : of_rule::first_of<Base>(*this, slot, p);
  }
  void check(const Require& require) const {
    of_rule::check_base<Base>(*this, require);
    require(average > 0 && average < 1, "average in (0, 1)", average);
    require.not_negative("r", r);
  }
  bool by_rows() const { return false; }  // an average goes on without a gradient

  static constexpr std::size_t own = of_rule::count_of_numbers<Base>();
  template <class>
  struct Names;
  template <std::size_t... k>
  struct Names<std::index_sequence<k...>> {
    static constexpr const char* all[] = {Base::numbers[k]..., "weight_sum", "lr_max"};
  };
  static constexpr auto& numbers = Names<std::make_index_sequence<own>>::all;
  void advance(double* all, const Step& step) const {
    of_rule::advance_by<Base>(*this, all, step);
    if (step.lr > all[own + 1]) all[own + 1] = step.lr;
    all[own] += weight(all, step);
  }
  void update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const {
    Tensor z = slots[static_cast<Size>(slots.size()) - 1];
    const double sum = step.numbers[own], c = sum > 0 ? weight(step.numbers, step) / sum : 0;
    const Tensor x = p + (1 - 1 / average) * (z - p);
    Tensors of_base;
    for (std::size_t k = 0; k + 1 < slots.size(); ++k) of_base.push_back(slots.begin()[k]);
    of_rule::update_by<Base>(*this, z, g, of_base, step);
    const Tensor mean = x + c * (z - x);
    p = mean + (1 - average) * (z - mean);
    of_base.push_back(z);
    slots = of_base;
  }
  Tensor evaluated(const Tensor& p, const Tensors& slots, const Step&) const {
    return p + (1 - 1 / average) * (slots[static_cast<Size>(slots.size()) - 1] - p);
  }
  void prepare(const Step&) const = delete;  // Base's compiled formula

 private:
  double weight(const double* all, const Step& step) const {
    return pow(static_cast<double>(step.t), r) * all[own + 1] * all[own + 1];
  }
};
template <class Base>
using ScheduleFree = Descent<ScheduleFreeRule<Base>>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
