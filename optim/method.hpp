// A method of minimisation: what takes an Objective from one point to a better one. See docs/adding_a_method.md.
#pragma once

#include <limits>

#include <xgrad/optim/objective.hpp>
#include <xgrad/optim/optimizer.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// What came of an iteration.
enum class Advance {
  moved,      // the objective is at a new point
  stuck,      // no better point was found; the objective is where it was
  exact,      // nothing is left to gain but what is lost in the rounding of the value; the objective is where it was
  unbounded,  // as moved, and the value still falls as steeply as at first, as far as the search may go
};

// Tells when a method is done as exactly as numbers allow: what the next step promises to gain is less than the
// rounding of the value (Objective::noise), and three times (`patience`) it was not half of the least that was promised before;
// or it is less than `enough` of that rounding.
// Until then steps are taken on trust, because the model is good there and gradients go on shrinking where values
// cannot.
struct Rounding {
  int patience = 3;  // times; methods whose steps are not all good ones have more
  double enough = 0;
  double least = std::numeric_limits<double>::infinity();
  int stalled = 0;
  double longest = 0, steepest = 0;  // see took()
  bool reached(double promised, double noise) {
    if (promised > noise) {
      *this = {.patience = patience, .enough = enough, .longest = longest, .steepest = steepest};
      return false;
    }
    if (promised < enough * noise) return true;
    if (promised > 0.5 * least) return ++stalled >= patience;
    least = promised;
    return false;
  }

  // Of methods that go along a gradient, whose square is gg: steps were a of it. Those that promise little because they have become
  // short are no sign of a minimum: so they do at a kink, where the slope stays what it was.
  void took(double a, double gg) {
    if (a > longest) longest = a;
    if (gg > steepest) steepest = gg;
  }
  Advance done(double gg, double noise) const {
    constexpr double much = 1e10, little = 1e-6;
    return 0.5 * longest * gg > much * noise && gg > little * steepest ? Advance::stuck : Advance::exact;
  }
};

class Method {
 public:
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual ~Method() = default;

  const char* name() const { return name_; }
  const Parameters& parameters() const { return parameters_; }

  virtual bool keeps_record() const = 0;                // does it ask for more than gradients?
  virtual bool uses_jacobian() const { return false; }  // at each point that it goes to?
  virtual const Separable& separable() const = 0;       // bounds and L1 penalty
  virtual void begin() = 0;                             // forgets what it knows of another problem
  virtual void went_back() {}                 // the parameters are at the best point, which is not its last one
  virtual Advance advance(Objective& f) = 0;  // one iteration

 protected:
  Method(const char* name, const Parameters& parameters, Source source) : name_(name), parameters_(parameters) {
    check_parameters(name, parameters, source);
  }

 private:
  const char* name_;
  Parameters parameters_;
};

// A method made of a rule, which is a plain struct:
//   name                          for people
//   its fields                    the options, with their defaults
//   keeps_record                  true where it asks for Hessian, hvp or Jacobian (Objective::keep_record); may be left
//   State                         what it knows from the iterations before; made anew for each minimize
//   check(require)                refuses options that make no sense
//   uses_jacobian                true where it asks for the Jacobian at each point: then the gradient is made of that
//   bounds, l1                    fields of these names and types (separable.hpp), where it can have them: the Objective knows
//                                 them then
//   advance(f, state)             one iteration
template <class Rule>
class Minimiser final : public Method {
 public:
  explicit Minimiser(const Parameters& parameters, Rule options = {}, Source source = Source::here())
      : Method(Rule::name, parameters, source), rule_(std::move(options)) {
    const Require require{Rule::name, source};
    rule_.check(require);
    if constexpr (
        requires { rule_.bounds; } && requires { rule_.l1; })
      separable_ = Separable(this->parameters(), rule_.bounds, rule_.l1, require);
    else if constexpr (requires { rule_.bounds; })
      separable_ = Separable(this->parameters(), rule_.bounds, L1(), require);
    else if constexpr (requires { rule_.l1; }) separable_ = Separable(this->parameters(), Bounds(), rule_.l1, require);
  }
  const Rule& options() const { return rule_; }

  bool keeps_record() const override {
    if constexpr (requires { Rule::keeps_record; }) return Rule::keeps_record;
    else return false;
  }
  bool uses_jacobian() const override {
    return requires { Rule::uses_jacobian; };
  }
  const Separable& separable() const override { return separable_; }
  void begin() override { state_ = typename Rule::State(); }
  Advance advance(Objective& f) override { return rule_.advance(f, state_); }

 private:
  Rule rule_;
  Separable separable_;
  typename Rule::State state_;
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
