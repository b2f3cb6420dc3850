#include <xgrad/optim/until.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <xgrad/optim/optimizer.hpp>

namespace xgrad::optim {
namespace {

// A rule of one question, that remembers nothing.
template <class Question>
Until rule(Reason reason, const Question& question, bool ends = false) {
  return {[=] {
            return Until::Watch([=](const Progress& p) -> std::optional<Reason> {
              if (question(p)) return reason;
              return {};
            });
          },
          ends};
}

// The change of the loss is small, so many times in a row.
template <class Small>
Until settled(Size patience, const Small& small) {
  return {[=] {
    return Until::Watch([=, before = 0.0, in_a_row = Size{0}](const Progress& p) mutable -> std::optional<Reason> {
      in_a_row = p.iteration > 0 && small(std::abs(p.value - before), std::max(std::abs(p.value), std::abs(before)))
                     ? in_a_row + 1
                     : 0;
      before = p.value;
      if (in_a_row >= patience) return Reason::loss;
      return {};
    });
  }};
}

void check_patience(const Require& require, Size patience) {
  require(patience > 0, "a patience of 1 or more", static_cast<double>(patience));
}

// Mean, and variance of the mean, of `n` numbers.
struct Mean {
  double mean = 0, variance = 0;
  Mean(const double* numbers, Size n) {
    for (Size i = 0; i < n; ++i) mean += numbers[i] / static_cast<double>(n);
    for (Size i = 0; i < n; ++i) variance += (numbers[i] - mean) * (numbers[i] - mean);
    variance /= static_cast<double>(n - 1) * static_cast<double>(n);
  }
};

}  // namespace

Until operator||(const Until& a, const Until& b) {
  if (a.empty() || b.empty()) return a.empty() ? b : a;
  return {[a, b] {
            return Until::Watch([first = a.begin(), second = b.begin()](const Progress& p) {
              const std::optional<Reason> one = first(p), other = second(p);
              return one ? one : other;
            });
          },
          a.ends() || b.ends()};
}

Until operator&&(const Until& a, const Until& b) {
  if (a.empty() || b.empty()) return {};
  return {[a, b] {
            return Until::Watch([first = a.begin(), second = b.begin()](const Progress& p) -> std::optional<Reason> {
              const std::optional<Reason> one = first(p), other = second(p);
              if (one && other) return std::min(*one, *other);
              return {};
            });
          },
          a.ends() && b.ends()};
}

Until gradient_tolerance(double tolerance, Source source) {
  Require{"gradient_tolerance", source}.not_negative("tolerance", tolerance);
  return rule(Reason::gradient, [=](const Progress& p) { return p.gradient_norm <= tolerance; });
}

Until gradient_reduction(double part, Source source) {
  Require{"gradient_reduction", source}.not_negative("part", part);
  return {[=] {
    return Until::Watch([=, first = 0.0](const Progress& p) mutable -> std::optional<Reason> {
      if (p.iteration == 0) first = p.gradient_norm;
      if (p.gradient_norm <= part * first) return Reason::gradient;
      return {};
    });
  }};
}

Until loss_tolerance(double tolerance, Size patience, Source source) {
  const Require require{"loss_tolerance", source};
  require.not_negative("tolerance", tolerance);
  check_patience(require, patience);
  return settled(patience, [=](double change, double size) { return change <= tolerance * size; });
}

Until loss_change(double change, Size patience, Source source) {
  const Require require{"loss_change", source};
  require.not_negative("change", change);
  check_patience(require, patience);
  return settled(patience, [=](double got, double) { return got <= change; });
}

Until step_tolerance(double tolerance, Source source) {
  Require{"step_tolerance", source}.not_negative("tolerance", tolerance);
  return rule(Reason::step,
              [=](const Progress& p) { return p.iteration > 0 && p.step <= tolerance * (tolerance + p.length); });
}

Until target(double value, Source source) {
  Require{"target", source}(!std::isnan(value), "a value that is a number", value);
  return rule(Reason::target, [=](const Progress& p) { return p.value <= value; });
}

Until no_improvement(NoImprovementOptions o, Source source) {
  const Require require{"no_improvement", source};
  require(o.window >= 2, "a window of 2 iterations or more", static_cast<double>(o.window));
  require.not_negative("errors", o.errors);
  return {[o] {
    return Until::Watch([o, values = std::vector<double>()](const Progress& p) mutable -> std::optional<Reason> {
      values.push_back(p.value);
      if (static_cast<Size>(values.size()) < 2 * o.window) return {};
      const Mean before(values.data(), o.window), now(values.data() + o.window, o.window);
      values.erase(values.begin(), values.begin() + o.window);
      if (before.mean - now.mean <= o.errors * std::sqrt(before.variance + now.variance)) return Reason::no_improvement;
      return {};
    });
  }};
}

Until max_iterations(Size count, Source source) {
  Require{"max_iterations", source}.not_negative("count", static_cast<double>(count));
  return rule(
      Reason::iterations, [=](const Progress& p) { return p.iteration >= count; }, true);
}

Until max_evaluations(Size count, Source source) {
  Require{"max_evaluations", source}.not_negative("count", static_cast<double>(count));
  return rule(
      Reason::evaluations, [=](const Progress& p) { return p.evaluations.value >= count; }, true);
}

Until max_seconds(double seconds, Source source) {
  Require{"max_seconds", source}.not_negative("time", seconds);
  return rule(
      Reason::seconds, [=](const Progress& p) { return p.seconds >= seconds; }, true);
}

Until when(Callable<bool(const Progress&)> question, Source source) {
  if (!question) fail(source.named("when"), "expected a function of the progress, got an empty one");
  return rule(Reason::asked,
              [question = std::move(question)](const Progress& p) { return p.iteration > 0 && question(p); });
}

const char* to_string(Reason reason) {
  switch (reason) {
    case Reason::gradient: return "converged: the gradient is small enough";
    case Reason::loss: return "converged: the loss changed by no more than loss_tolerance";
    case Reason::step: return "converged: the step is within step_tolerance";
    case Reason::target: return "converged: the loss has reached the target";
    case Reason::no_improvement: return "converged: the loss improves by no more than its noise";
    case Reason::exact: return "converged: what is left to gain is lost in rounding";
    case Reason::asked: return "stopped by Stop::when";
    case Reason::iterations: return "not converged: max_iterations are done";
    case Reason::evaluations: return "not converged: max_evaluations are done";
    case Reason::seconds: return "not converged: max_seconds are over";
    case Reason::interrupted: return "not converged: interrupted";
    case Reason::stuck: return "not converged: no better point was found along the last direction";
    case Reason::unbounded: return "not converged: the loss falls without an end";
    case Reason::not_finite: return "not converged: the loss or a derivative of it is not finite";
  }
  return "unknown";
}

}  // namespace xgrad::optim

fmt::appender fmt::formatter<xgrad::optim::Reason>::format(xgrad::optim::Reason reason,
                                                           fmt::format_context& context) const {
  return formatter<string_view>::format(to_string(reason), context);
}
