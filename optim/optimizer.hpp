// The driver that all elementwise optimizers share. It owns the references to the parameters, their groups and state,
// the step counts, save and load; a rule (sgd.hpp, adam.hpp, ...) adds the options and the formula.
#pragma once

#include <string>
#include <vector>

#include <xgrad/autodiff/parameter.hpp>
#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/autodiff/safetensors.hpp>
#include <xgrad/optim/work.hpp>

namespace xgrad::optim {

struct Rates;  // of learning
void retain(Rates* rates) noexcept;
void release(Rates* rates) noexcept;

// Options that make no sense are an Error: "[SGD] expected a momentum of 0 or more, got -1".
struct Require {
  const char* name;
  Source source;
  bool of_f32 = false;  // is a parameter?
  void operator()(bool right, const char* expected, double got) const;
  void not_negative(const char* option, double got) const;  // and finite
  void divisor(const char* option, double got) const;  // that too; and not lost to 0 in the parameters' dtype
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

  Parameters parameters(Source source = Source::here()) const;  // that it updates, of all groups
  Size groups() const;
  double lr(Size group = 0, Source source = Source::here()) const;
  void set_lr(double lr, Source source = Source::here());  // of every group; schedules go on from it
  void set_lr(double lr, Size group, Source source = Source::here());

  // Step counts, learning rates, schedules and the rule's state, by parameter: "hidden.weight.exp_avg". Loading checks every name,
  // shape and dtype first, and leaves the optimizer as it was on an Error.
  NamedTensors state(Source source = Source::here()) const;
  void load_state(const NamedTensors& state, Source source = Source::here());
  void save(const std::string& path, Source source = Source::here()) const;
  void load(const std::string& path, Source source = Source::here());

 protected:
  explicit Optimizer(const char* name);
  Optimizer& operator=(Optimizer&&) noexcept;  // of one rule, so that options and state stay together

  bool drive(void* options, Source source) const;  // multiplies what schedules drive, and says whether they do

  // `slots` name the rule's state, one buffer of the parameter's size each, zero at first.
  void add(const Parameters& parameters, double lr, const std::vector<const char*>& slots, Source source);

 private:
  friend class Scheduler;

  struct Item;
  struct State;

  // What is the same for all parameters of a group with the same count is worked out once; the number of the step.
  virtual int prepare(int group, double lr, Size t, Source source) = 0;
  virtual void begin() = 0;  // forgets the prepared steps
  virtual void update(const Work* work, const Work* end) const = 0;

  State& state_or_fail(Source source) const;  // an Error where this was moved from
  void evaluate_gradients(Source source) const;
  const char* dense_gradient(const Item& item, Source source);
  [[noreturn]] void fail_alone(const Item& item, Source source) const;
  [[noreturn]] void fail_no_gradient(Source source) const;
  void check_group(Size group, Source source) const;

  const char* name_;
  engine::Own<State> state_;  // null: moved from
};

// An optimizer is a rule:
//   name                      for people and files
//   Options                   with the reference's defaults; lr is one of them
//   check(options, require)   refuses options that make no sense
//   slots(options)            names of the state, one buffer of the parameter's size each
//   Step                      what the formula needs to know, from prepare(options, lr, t), t from 1
//   update(work, step)        the formula, on a run of elements
// Its header and its file in rules/ are all that an optimizer is.
template <class Rule>
class Elementwise final : public Optimizer {
 public:
  using Options = typename Rule::Options;

  explicit Elementwise(const Parameters& parameters, Options options = {}, Source source = Source::here());
  Elementwise(Elementwise&&) noexcept;
  Elementwise& operator=(Elementwise&&) noexcept;
  ~Elementwise() override;

  // More parameters, with options of their own.
  void add_group(const Parameters& parameters, Options options = {}, Source source = Source::here());

 private:
  int prepare(int group, double lr, Size t, Source source) override;
  void begin() override;
  void update(const Work* work, const Work* end) const override;

  struct Groups;
  engine::Own<Groups> groups_;
};

}  // namespace xgrad::optim
