// Rules of when to stop that combine:
//   gradient_tolerance(1e-8) || (loss_tolerance(1e-12) && max_iterations(20)) || max_seconds(60)
#pragma once

#include <fmt/core.h>

#include <optional>

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/optim/objective.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

enum class Reason {
  gradient,  // converged: what Stop and the rules below say of each
  loss,
  step,
  target,
  no_improvement,
  exact,       // converged: what is left to gain is lost in the rounding of the value
  asked,       // when(), or Stop::when, returned true
  iterations,  // ended by a limit
  evaluations,
  seconds,
  interrupted,  // by Ctrl-C, where Stop::interruptible is set
  stuck,        // no better point was found along the last direction
  unbounded,    // the loss falls without an end along the last direction, or is -infinity
  not_finite,   // value or a derivative is NaN or infinite, at the start or wherever steps led
};
const char* to_string(Reason reason);

// Of an iteration; iteration 0 is the start.
struct Progress {
  Size iteration;
  double value, gradient_norm;
  double step;  // the length of the last step
  const Evaluations& evaluations;
  double length = 0;   // of x, in the 2-norm
  double seconds = 0;  // since the start
};

class Until;
Until operator||(const Until& a, const Until& b);
Until operator&&(const Until& a, const Until& b);

// A value: it remembers nothing itself. begin() gives what watches one run, which is asked at the start and after each
// iteration.
class Until {
 public:
  using Watch = Callable<std::optional<Reason>(const Progress&)>;

  Until() = default;  // stops for nothing, and so does what is && with it
  // A rule of your own. Does it end each run, whatever the loss does?
  Until(Callable<Watch()> begin, bool ends = false) : begin_(std::move(begin)), ends_(ends) {}

  bool empty() const { return !begin_; }
  bool ends() const { return ends_; }
  Watch begin() const { return begin_(); }

  // The first that says stop. Both are asked each time, so that both see all iterations.
  friend Until operator||(const Until& a, const Until& b);
  // Where both say stop. The reason is that of convergence, where one of them has such.
  friend Until operator&&(const Until& a, const Until& b);

 private:
  Callable<Watch()> begin_;
  bool ends_ = false;
};

// ---- convergence
// The greatest |df/dx_i| is at most this; or this part of what it was at the start.
Until gradient_tolerance(double tolerance, Source source = Source::here());
Until gradient_reduction(double part, Source source = Source::here());
// |f - f_before| <= tolerance max(|f|, |f_before|), `patience` times in a row
Until loss_tolerance(double tolerance, Size patience = 1, Source source = Source::here());
// |f - f_before| <= change, likewise: in the loss's own units
Until loss_change(double change, Size patience = 1, Source source = Source::here());
// |x - x_before| <= tolerance (tolerance + |x|), in the 2-norm
Until step_tolerance(double tolerance, Source source = Source::here());
// f <= value
Until target(double value, Source source = Source::here());

// For losses with noise, as of batches: the mean of the last `window` iterations is below that of the `window` before
// by no more than `errors` standard errors of that difference, sqrt(s1^2 / window + s2^2 / window). It is looked at
// once in a window, so that a lucky one among many looks does not end a run.
struct NoImprovementOptions {
  Size window = 50;   // iterations, 2 or more
  double errors = 1;  // standard errors
};
Until no_improvement(NoImprovementOptions options = {}, Source source = Source::here());

// ---- limits
Until max_iterations(Size count, Source source = Source::here());
Until max_evaluations(Size count,
                      Source source = Source::here());  // calls of the function; an iteration's may go past it
Until max_seconds(double seconds, Source source = Source::here());  // where it stops then differs from run to run

// ---- a question of your own, asked after each iteration; true stops. It must not move the parameters.
Until when(Callable<bool(const Progress&)> question, Source source = Source::here());

}  // namespace xgrad::optim

template <>
struct [[gnu::visibility("default")]] fmt::formatter<xgrad::optim::Reason> : fmt::formatter<fmt::string_view> {
  fmt::appender format(xgrad::optim::Reason reason, fmt::format_context & context) const;
};

#pragma GCC visibility pop
