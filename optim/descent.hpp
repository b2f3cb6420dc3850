// Descent: an optimizer made of a rule, which is a struct whose fields are its options and whose formula is tensor ops.
//
//   struct Momentum {
//     double lr = 1e-2, beta = 0.9;
//     static constexpr const char* slots[] = {"velocity"};  // state of the parameter's shape, zero at first
//     static constexpr bool elementwise = true;             // each number by itself: one fused pass over all parameters
//     void update(Tensor& p, const Tensor& g, Tensor& v, const optim::Step& step) const {
//       v = beta * v + g;
//       p = p - step.lr * v;
//     }
//   };
//   optim::Descent<Momentum> optimizer(nn::parameters(net), {.lr = 0.1});
//
// Besides `lr` and `update` a rule may have:
//   name                                  for people and files; else "Descent"
//   check(const Require&) const           refuses options that make no sense
//   check_parameter(const Require&, const Parameters::Entry&) const    refuses parameters that it cannot update
//   slot_names() const                    names that depend on the options; then the slots come as Tensors& in update
//   first(slot, p) const                  a slot's first value, of any shape (a rule that is elementwise: of p's). p is what the
//                                         parameter holds before its own first step: weights may be loaded until then
//   numbers, advance(numbers, step) const    names of state that is one number a parameter, as a sum over steps: 0 at first, changed
//                                         before each update, which reads step.numbers
//   of_loss                               true: it is stepped by step(loss), and step.loss is its value
//   wants_curvature(step) const           of_loss, too: does this step want step.curvature? (whole tensors)
//   shared, first_shared(slot) const      names and first values of state that the group has, as Prodigy's d
//   update_all(vector<Member>&, Tensors& shared, step) const    instead of update: all parameters of a group at once
//   evaluated(p, slots, step) const       the weights to be judged by, for eval()
//   maximize                              an option: where it is true the formula is given -g, the negative of the loss and of its
//                                         curvature, and so goes up. minimize() refuses it
//   by_rows() const                       true: a step leaves rows alone whose gradient is zero, and their state. Of an embedding
//                                         only the rows are worked on that were picked (elementwise rules)
// Parameters without elements are not shown to it, but for elementwise rules.
// A rule that says `elementwise` may use elementwise ops of p, g, the slots and numbers, and nothing else; that it is not is
// an Error at the first step.
#pragma once

#include <new>
#include <utility>

#include <xgrad/optim/optimizer.hpp>
#include <xgrad/optim/rule.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

template <class Rule>
class Descent final : public Optimizer {
 public:
  using Options = Rule;

  explicit Descent(const Parameters& parameters, Rule rule = {}, Source source = Source::here());
  Descent(Descent&&) noexcept = default;
  Descent& operator=(Descent&& other) noexcept {
    if (this == &other) return *this;
    Optimizer::operator=(std::move(other));
    rules_ = std::move(other.rules_);
    lr_ = std::move(other.lr_);
    driven_.clear();
    return *this;
  }

  // More parameters, with options of their own.
  void add_group(const Parameters& parameters, Rule rule = {}, Source source = Source::here());

  // The options of a group. They may be changed at any time; the next step refuses what the constructor would, and what needs
  // other state than there is. set_lr() changes lr.
  Rule& rule(Size group = 0, Source source = Source::here()) {
    options_may_have_changed(group, source);
    driven_.clear();
    return rules_[static_cast<std::size_t>(group)];
  }

 private:
  static constexpr const char* name() {
    if constexpr (requires { Rule::name; }) return Rule::name;
    else return "Descent";
  }
  static constexpr bool is_elementwise() {
    if constexpr (requires { Rule::elementwise; }) return Rule::elementwise;
    else return false;
  }
  static constexpr bool of_all = requires(const Rule& r, std::vector<Member>& all, Tensors& t, const Step& s) {
    r.update_all(all, t, s);
  };
  static constexpr bool is_compiled = requires(const Rule& r, const Step& s, const Work& w) {
    Rule::run(w, r.prepare(s));
  };

  // As schedules drive it, where they do.
  const Rule& of(int group) const { return (driven_.empty() ? rules_ : driven_)[static_cast<std::size_t>(group)]; }
  static void check(const Rule& rule, const Require& require) {
    if constexpr (requires { rule.check(require); }) rule.check(require);
  }

  // Where set_lr() or a schedule has come to 0: some rules cannot be stepped there.
  static void check_at_rate_0(Rule rule, Source source) {
    rule.lr = 0;
    check(rule, Require{name(), source});
  }

  Manner manner(int group) const override {
    Manner m;
    static_assert(
        of_all || !requires { Rule::shared[0]; }, "shared state is changed by update_all, which this rule has not");
    m.slots = of_rule::slots_of(of(group));
    if constexpr (of_rule::count_of_numbers<Rule>() > 0)
      m.numbers.assign(Rule::numbers, Rule::numbers + of_rule::count_of_numbers<Rule>());
    static_assert(!(of_all && requires { Rule::numbers[0]; }),
                  "numbers of a parameter are for update: update_all has shared state");
    if constexpr (requires { Rule::shared[0]; })
      m.shared.assign(Rule::shared, Rule::shared + sizeof(Rule::shared) / sizeof(*Rule::shared));
    static_assert(!of_all || !is_elementwise(), "update_all works on whole tensors: leave out `elementwise`");
    m.elementwise = is_elementwise();
    m.compiled = is_compiled;
    if constexpr (requires(const Rule& r) { r.by_rows(); }) m.by_rows = of(group).by_rows();
    m.all_at_once = of_all;
    if constexpr (requires { Rule::of_loss; }) m.of_loss = Rule::of_loss;
    if constexpr (requires(const Rule& r) { r.maximize; }) m.maximizes = of(group).maximize;
    static_assert(!(is_elementwise() && requires(const Rule& r, const Step& s) { r.wants_curvature(s); }),
                  "curvature is a tensor: leave out `elementwise`");
    m.evaluates = requires(const Rule& r, const Tensor& p, const Tensors& s, const Step& step) {
      r.evaluated(p, s, step);
    };
    return m;
  }
  void check_options(int group, bool any_of_f32, Source source) const override {
    const Require require{name(), source, any_of_f32};
    require(of(group).lr == lr_[static_cast<std::size_t>(group)],
            "lr to be changed by set_lr(), which schedules know of", of(group).lr);
    check(of(group), require);
  }
  void check_parameter(int group, const Parameters::Entry& p, Source source) const override {
    if constexpr (requires(const Rule& r, const Require& require) { r.check_parameter(require, p); })
      of(group).check_parameter(Require{name(), source, p.value().dtype() == DType::f32}, p);
  }
  Tensor first(int group, std::size_t slot, const Tensor& p) const override {
    return of_rule::first_of(of(group), slot, p);
  }
  Tensor first_shared(int group, std::size_t slot) const override {
    if constexpr (requires(const Rule& r) { r.first_shared(slot); }) return of(group).first_shared(slot);
    else return {};
  }
  void advance(int group, double* numbers, const Step& step) const override {
    of_rule::advance_by(of(group), numbers, step);
  }
  bool wants_curvature(int group, const Step& step) const override {
    if constexpr (requires(const Rule& r) { r.wants_curvature(step); }) return of(group).wants_curvature(step);
    else return false;
  }
  void update(int group, Tensors& x, const Step& step) const override {
    if constexpr (!of_all) {
      Tensors slots;
      for (std::size_t k = 2; k < x.size(); ++k) slots.push_back(std::move(x.begin()[k]));
      of_rule::update_by(of(group), x.begin()[0], x.begin()[1], slots, step);
      Tensors after{std::move(x.begin()[0]), std::move(x.begin()[1])};
      for (Tensor& slot : slots) after.push_back(std::move(slot));
      x = std::move(after);
    }
  }
  void update_all(int group, std::vector<Member>& all, Tensors& shared, const Step& step) const override {
    if constexpr (of_all) of(group).update_all(all, shared, step);
  }
  Tensor evaluated(int group, const Tensor& p, const Tensors& slots, const Step& step) const override {
    if constexpr (requires(const Rule& r) { r.evaluated(p, slots, step); }) return of(group).evaluated(p, slots, step);
    else return p;
  }

  struct None {};
  template <class R>
  static auto prepared_of(const R& r, const Step& s) {
    if constexpr (is_compiled) {
      auto prepared = r.prepare(s);
      prepared.maximize = r.maximize;
      return prepared;
    } else {
      return None{};
    }
  }
  using Prepared = decltype(prepared_of(std::declval<const Rule&>(), std::declval<const Step&>()));

  int prepare(int group, const Step& step) override {
    prepared_.push_back(prepared_of(of(group), step));
    return static_cast<int>(prepared_.size()) - 1;
  }
  void begin(Source source) override {
    prepared_.clear();
    driven_.clear();
    for (std::size_t g = 0; g < rules_.size(); ++g)
      if (lr(static_cast<Size>(g), source) == 0) check_at_rate_0(rules_[g], source);
    if (!drives()) return;
    std::vector<Rule> all = rules_;
    for (Rule& rule : all) {
      drive(&rule, source);
      check(rule, Require{name(), source});
    }
    driven_ = std::move(all);
  }
  void run(const Work* work, const Work* end) const override {
    if constexpr (is_compiled)
      for (; work != end; ++work) Rule::run(*work, prepared_[static_cast<std::size_t>(work->step)]);
  }

  std::vector<Rule> rules_, driven_;  // by group; empty: nothing is driven
  std::vector<double> lr_;            // that they came with
  std::vector<Prepared> prepared_;    // of this step
};

// Outside of the class, so that a program does not compile them again for our own rules.
template <class Rule>
Descent<Rule>::Descent(const Parameters& parameters, Rule rule, Source source) : Optimizer(name()) {
  add_group(parameters, std::move(rule), source);
}
template <class Rule>
void Descent<Rule>::add_group(const Parameters& parameters, Rule rule, Source source) try {
  check(rule, Require{name(), source, any_of_f32(parameters)});
  const double lr = rule.lr;
  lr_.reserve(rules_.size() + 1);
  driven_.clear();
  rules_.push_back(std::move(rule));
  struct Undo {
    std::vector<Rule>* rules;
    ~Undo() {
      if (rules) rules->pop_back();
    }
  } undo{&rules_};
  add(parameters, lr, source);
  undo.rules = nullptr;
  lr_.push_back(lr);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name());
}

}  // namespace xgrad::optim

#pragma GCC visibility pop
