// What stands around an optimizer, around any of them: it works on the gradients before a step (clipping, noise), or on the
// weights after one (averages, Lookahead), and may have other weights to be judged by. It is a struct, as an optimizer's rule is:
//
//   struct EMARule {
//     double decay = 0.999;
//     static constexpr const char* slots[] = {"average"};  // state of the parameter's shape
//     static constexpr bool sees_all = true;               // of parameters that have no gradient in this step, too
//     Tensor first(std::size_t, const Tensor& p) const { return p; }
//     void after(Tensor& p, Tensor& average, Size t) const { average = decay * average + (1 - decay) * p; }
//     Tensor evaluated(const Tensor& p, const Tensors& slots, Size t) const { return slots[0]; }
//   };
//   optim::Adam adam(nn::parameters(net));
//   optim::Around<EMARule> ema(adam, {.decay = 0.99});  // from now on; until ema goes
//
// A rule works before steps or after them, and has one of
//   before(all, shared, t) const   all: what Gradient says, of each parameter that has a gradient. It gives new gradients, and changes
//                                  slots and `shared`; it returns nothing, or a Verdict
//   after(p, slots..., t) const    elementwise, as the `update` of an elementwise rule: in place, one fused pass over all parameters
//                                  that have a gradient
// Besides it may have
//   name, check(const Require&) const, slots, first(slot, p) const    as a rule of Descent; slots of `before` may have any shape.
//                                  p is what the parameter holds before the first step in which the rule sees it
//   shared, first_shared(slot) const    state of the whole, for `before`: 0-d tensors of f64, zero at first
//   acts(t) const                       false: nothing to be done after step t
//   evaluated(p, slots, t) const        the weights to be judged by, for eval(): of p, or what those before it have made of it
//   sees_all                            true: it is shown parameters without a gradient, too; an `after` that says so leaves p as it is
//   of_rows                             true: it does not look at p, which is then empty, and a gradient by rows (of an embedding) may
//                                  be shown as those rows
//   refuses_nonfinite                   true: gradients that are not finite are its business, and SAM leaves them to it
//   saved                               false: its state is not part of the optimizer's files
// t counts the steps of the optimizer since it has stood there, from 1.
#pragma once

#include <new>
#include <utility>

#include <xgrad/optim/optimizer.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// A parameter, before a step.
struct Gradient {
  const char* name;
  Tensor p, g;    // p is read; g is given a new value, of its shape and dtype; empty: there is none
  Tensors slots;  // likewise
};

// What becomes of a step.
enum class Verdict {
  step,       // it is taken, with the gradients as they are now
  wait,       // it is not, for more gradients are to come; slots and shared state are kept as they are now
  leave_out,  // it is not, for these gradients are no good; slots and shared state are kept likewise
  skip,       // it is not, and nothing has changed
};

// What the driver asks.
class Surround {
 public:
  struct Manner {
    std::vector<const char*> slots = {}, shared = {};
    bool before = false, after = false, evaluates = false, sees_all = false, of_rows = false, saved = false;
    bool refuses_nonfinite = false;  // gradients, or leaves them out
  };
  virtual ~Surround() = default;
  virtual const char* name() const = 0;
  virtual Manner manner() const = 0;
  virtual void check(Source source) const = 0;
  virtual Tensor first(std::size_t slot, const Tensor& p) const = 0;  // empty: zeros
  virtual Tensor first_shared(std::size_t slot) const = 0;            // empty: a zero of f64
  virtual Verdict before(std::vector<Gradient>& all, Tensors& shared, Size t, Source source) const = 0;
  virtual bool acts(Size t) const = 0;
  virtual void after(Tensors& x, Size t) const = 0;  // p and the slots
  virtual Tensor evaluated(const Tensor& p, const Tensors& slots, Size t) const = 0;
};

// Holds a rule in its place. Several stand around an optimizer in the order in which they came: the gradients pass the first
// one first, and so do the weights; of those that have weights to be judged by the last decides. It leaves when it is
// destroyed, follows the optimizer when that moves, and says so when that is gone. Its state is saved and loaded with the
// optimizer's, in that order. Moves, and does not copy.
class Standing {
 public:
  Standing(Standing&&) noexcept = default;
  Standing& operator=(Standing&& other) noexcept;
  ~Standing();

  Size steps(Source source = Source::here()) const;  // of the optimizer, since it stands there
  // What it keeps of the whole; of ClipNorm the norm of the gradients in the last step.
  Tensors shared(Source source = Source::here()) const;

 protected:
  Standing(Optimizer& optimizer, engine::Own<Surround> rule, Source source);
  Surround& surround(Source source) const;

 private:
  void leave() noexcept;
  engine::Ref<Rates> rates_;  // null: moved from
  std::size_t number_ = 0;
};

template <class Rule>
class Around final : public Standing {
 public:
  using Options = Rule;
  explicit Around(Optimizer& optimizer, Rule rule = {}, Source source = Source::here())
      : Standing(optimizer, made(std::move(rule), source), source) {}

  // The options. They may be changed at any time; the next step refuses what the constructor would.
  Rule& rule(Source source = Source::here()) { return static_cast<Of&>(surround(source)).rule; }

 private:
  template <std::size_t n>
  using Index = std::make_index_sequence<n>;
  static constexpr std::size_t slot_count() {
    if constexpr (requires { Rule::slots[0]; }) return sizeof(Rule::slots) / sizeof(*Rule::slots);
    else return 0;
  }
  static constexpr bool has_before = requires(const Rule& r, std::vector<Gradient>& all, Tensors& shared) {
    r.before(all, shared, Size{1});
  };

  struct Of final : Surround {
    Rule rule;
    explicit Of(Rule r) : rule(std::move(r)) {}

    const char* name() const override {
      if constexpr (requires { Rule::name; }) return Rule::name;
      else return "Around";
    }
    Manner manner() const override {
      Manner m;
      if constexpr (slot_count() > 0) m.slots.assign(Rule::slots, Rule::slots + slot_count());
      if constexpr (requires { Rule::shared[0]; })
        m.shared.assign(Rule::shared, Rule::shared + sizeof(Rule::shared) / sizeof(*Rule::shared));
      m.before = has_before;
      m.after = !has_before;
      m.evaluates = requires(const Rule& r, const Tensor& p, const Tensors& s) { r.evaluated(p, s, Size{1}); };
      if constexpr (requires { Rule::sees_all; }) m.sees_all = Rule::sees_all;
      if constexpr (requires { Rule::of_rows; }) m.of_rows = Rule::of_rows;
      if constexpr (requires { Rule::refuses_nonfinite; }) m.refuses_nonfinite = Rule::refuses_nonfinite;
      m.saved = !m.slots.empty() || !m.shared.empty();
      if constexpr (requires { Rule::saved; }) m.saved = Rule::saved;
      return m;
    }
    void check(Source source) const override {
      const Require require{name(), source};
      if constexpr (requires { rule.check(require); }) rule.check(require);
    }
    Tensor first(std::size_t slot, const Tensor& p) const override {
      if constexpr (requires { rule.first(slot, p); }) return rule.first(slot, p);
      else return {};
    }
    Tensor first_shared(std::size_t slot) const override {
      if constexpr (requires { rule.first_shared(slot); }) return rule.first_shared(slot);
      else return {};
    }
    Verdict before(std::vector<Gradient>& all, Tensors& shared, Size t, Source source) const override {
      if constexpr (requires { rule.before(all, shared, t, source); })
        return verdict([&] { return rule.before(all, shared, t, source); });
      else if constexpr (has_before) return verdict([&] { return rule.before(all, shared, t); });
      else return Verdict::step;
    }
    bool acts(Size t) const override {
      if constexpr (requires { rule.acts(t); }) return rule.acts(t);
      else return true;
    }
    void after(Tensors& x, Size t) const override {
      if constexpr (!has_before) of_operands(x, t, Index<slot_count()>());
    }
    Tensor evaluated(const Tensor& p, const Tensors& slots, Size t) const override {
      if constexpr (requires { rule.evaluated(p, slots, t); }) return rule.evaluated(p, slots, t);
      else return p;
    }

   private:
    template <class F>
    static Verdict verdict(const F& f) {
      if constexpr (std::is_void_v<decltype(f())>) return f(), Verdict::step;
      else return f();
    }
    template <std::size_t... slot>
    void of_operands(Tensors& x, Size t, std::index_sequence<slot...>) const {
      rule.after(x.begin()[0], x.begin()[1 + slot]..., t);
    }
  };

  static engine::Own<Surround> made(Rule rule, Source source) {
    Surround* const of = new (std::nothrow) Of(std::move(rule));
    if (!of) fail_no_memory(source, "Around");
    return engine::Own<Surround>(of);
  }
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
