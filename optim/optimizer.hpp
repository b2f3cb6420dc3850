// The driver that all optimizers share. It owns the references to the parameters, their groups and state, the step counts,
// save and load; a rule, yours or one of ours, is a struct of options with a formula: see descent.hpp.
#pragma once

#include <string>
#include <vector>

#include <xgrad/autodiff/parameter.hpp>
#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/autodiff/safetensors.hpp>
#include <xgrad/optim/step.hpp>
#include <xgrad/optim/work.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

struct Rates;  // of learning
void retain(Rates* rates) noexcept;
void release(Rates* rates) noexcept;

// One parameter, for a rule that looks at all of a group at once: p and the slots are changed, g is read.
struct Member {
  Tensor p, g;
  Tensors slots;
  Size t = 1;  // which step of this parameter
};

// Moves, and does not copy: two optimizers with a state of their own would train the same variables.
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  Optimizer(Optimizer&&) noexcept;
  virtual ~Optimizer();

  void zero_grad() noexcept;
  // Updates every parameter that has a gradient; the others, and their step counts, stay as they are. Gradients that
  // are pending are evaluated together. On an Error nothing has changed. A parameter that nothing else holds is an
  // Error: assigning a temporary (a = parameter(2.0), net = Net()) has moved another variable into its place. A step in
  // which no parameter has a gradient is an Error, too: backward() was not called, or went to a copy of the model.
  void step(Source source = Source::here());
  // The same, and the gradients of a loss that nothing was made of yet, too, in place of zero_grad(), backward() and step(). It is
  // how rules are told that look at the loss itself, at its value (Polyak) or its curvature (SophiaH, AdaHessian); all others may
  // be called so as well. Where the curvature is wanted, gradients are differentiated again, and random numbers are drawn.
  void step(const Tensor& loss, Source source = Source::here());
  // For a loop that calls backward() and step() itself: tells such rules the loss, before backward(). The losses of several parts of a
  // batch add up, as their gradients do, until step() or zero_grad(). Of all other rules it does nothing.
  void look_at(const Tensor& loss, Source source = Source::here());
  bool looks_at_loss() const;                                    // does a rule need it?
  bool refuses_nonfinite(Source source = Source::here()) const;  // does what stands around it look for such gradients?

  // Of a rule that trains other weights than it is to be judged by (averages of them), or where such averages stand around it
  // (around.hpp): eval() puts those into the parameters, train() those that are trained. A step belongs to train(), where an
  // optimizer begins. Elsewhere they do nothing.
  void eval(Source source = Source::here());
  void train(Source source = Source::here());

  // Steps that were taken since it was made. Calls in which nothing moved are none: Accumulate waited, or RequireFinite left it out.
  Size steps(Source source = Source::here()) const;

  // The best weights so far, those to be judged by, were put back into the parameters: fit and minimize say so where they do. eval()
  // then leaves them; and a rule whose state belongs to other weights (Schedule-Free, ASGD) takes no step from there.
  void best_is_back() noexcept;
  bool holds_best() const noexcept;  // were they, and no step has been taken since?

  Parameters parameters(Source source = Source::here()) const;  // that it updates, of all groups
  Parameters parameters(Size group, Source source = Source::here()) const;
  Size groups() const;
  bool maximizes(Source source = Source::here()) const;              // does a group, as {.maximize = true} says?
  bool maximizes(Size group, Source source = Source::here()) const;  // does this one?
  void require_descent(const char* op, Source source = Source::here()) const;  // Error of `op` where a group maximizes
  double lr(Size group = 0, Source source = Source::here()) const;
  void set_lr(double lr, Source source = Source::here());  // of every group; schedules go on from it
  void set_lr(double lr, Size group, Source source = Source::here());

  // Step counts, learning rates, schedules and the rule's state, by parameter: "hidden.weight.exp_avg"; what a group shares, by its
  // number: "group0.d"; what stands around it: "around.0.hidden.weight.average". Loading checks every name, shape and dtype first, and
  // leaves the optimizer as it was on an Error.
  NamedTensors state(Source source = Source::here()) const;
  void load_state(const NamedTensors& state, Source source = Source::here());
  void save(const std::string& path, Source source = Source::here()) const;
  void load(const std::string& path, Source source = Source::here());

 protected:
  explicit Optimizer(const char* name);
  Optimizer& operator=(Optimizer&&) noexcept;  // of one rule, so that options and state stay together

  // A group of parameters, whose rule the derived class has already.
  void add(const Parameters& parameters, double lr, Source source);
  static bool any_of_f32(const Parameters& parameters);
  // Do schedules drive options besides the lr? Multiplies those, in a copy of a group's.
  bool drives() const;
  void drive(void* options, Source source) const;

  void options_may_have_changed(Size group, Source source);  // they are looked at before the next step

  // How a group's rule goes.
  struct Manner {
    std::vector<const char*> slots = {};    // names of the state that each parameter has
    std::vector<const char*> numbers = {};  // of those that each parameter has, which advance() changes
    std::vector<const char*> shared = {};   // of the state that the group has
    bool elementwise = false;               // one pass over all parameters, in place
    bool compiled = false;                  // likewise, by run()
    bool all_at_once = false;               // by update_all(), of all parameters together
    bool evaluates = false;                 // evaluated() gives other weights
    bool by_rows = false;                   // a row whose gradient is zero stays as it is, and so does its state
    bool of_loss = false;                   // it looks at the loss: step(loss)
    bool maximizes = false;                 // by its option of that name: the rule is shown -g, -loss and -curvature
  };

 private:
  friend class Scheduler;
  friend class Standing;
  friend struct Place;

  struct Item;
  struct State;
  struct Whole;
  struct Ahead;

  virtual Manner manner(int group) const = 0;
  virtual void check_options(int group, bool any_of_f32, Source source) const = 0;
  virtual void check_parameter(int group, const Parameters::Entry& p, Source source) const = 0;
  virtual Tensor first(int group, std::size_t slot, const Tensor& p) const = 0;  // of a slot; empty: zeros of p's shape
  virtual Tensor first_shared(int group, std::size_t slot) const = 0;            // empty: a zero of f64
  virtual void advance(int group, double* numbers, const Step& step) const = 0;
  virtual bool wants_curvature(int group, const Step& step) const = 0;
  virtual void update(int group, Tensors& x, const Step& step) const = 0;  // x: p, g and the slots
  virtual void update_all(int group, std::vector<Member>& all, Tensors& shared, const Step& step) const = 0;
  virtual Tensor evaluated(int group, const Tensor& p, const Tensors& slots, const Step& step) const = 0;
  // Compiled rules: what is the same for all parameters of a group with the same count is worked out once.
  virtual int prepare(int group, const Step& step) = 0;
  virtual void begin(
      Source source) = 0;  // of a step: what schedules drive is worked out, what was prepared is forgotten
  virtual void run(const Work* work, const Work* end) const = 0;

  State& state_or_fail(Source source) const;  // an Error where this was moved from
  void check_changed_options(Source source);
  void take_first(Item& item, Source source) const;
  Step step_of(const Item& item, Source source) const;  // the next one
  void go_on_from_best(Source source);
  Tensor downhill(int group, const Tensor& g) const;
  void find_curvature(const Tensor& loss, Source source);
  void evaluate_gradients(Source source) const;
  const char* dense_gradient(const Item& item, Source source);
  void update_whole(Item& item, Whole& whole, Source source) const;
  void update_group(int group, Whole& whole, Source source) const;
  void run_compiled();
  [[noreturn]] void fail_alone(const Item& item, Source source) const;
  [[noreturn]] void fail_no_gradient(Source source) const;
  void check_group(Size group, Source source) const;
  void switch_to(bool evaluating, Source source);
  Tensor slot_of(const Item& item, std::size_t k, Source source) const;  // its value

  const char* name_;
  engine::Own<State> state_;  // null: moved from
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
